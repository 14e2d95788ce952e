"""Long recordings by windows: what is heard when, and neighbouring windows as one event.

A recording is decoded half a minute at a time, so that one of hours takes no more memory than
that. Predictions of each window are independent of the others (sound event detection by a
classifier of clips).

C: channels. N: samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from layerwise.audio.draw import show_spectrogram
from layerwise.audio.sound_files import Readable, audio_info, read_samples
from layerwise.audio.spectrum import AudioToSpec
from layerwise.audio.types import AudioSpectrogram, AudioTensor

__all__ = ["Detection", "merge_detections", "predict_windows", "read_windows", "show_detections"]


_SECONDS = 30  # of a recording that are decoded at a time: a few megabytes


class Detection(NamedTuple):
    """What was heard, when, and how sure the model is.

    Attributes:
        start: seconds from the beginning of the recording.
        end: likewise; never behind the end of the recording.
        label: a class.
        probability: of that class, 0 to 1; the largest of all windows that were merged.
    """

    start: float
    end: float
    label: str
    probability: float


def read_windows(
    fn: Readable | AudioTensor, duration: float, hop: float | None = None
) -> Iterator[tuple[float, AudioTensor]]:
    """The windows of a recording, with the second at which each begins.

    A file is decoded as they are asked for, half a minute at a time. The last one ends with the
    recording and may be shorter; there is none that lies in the one before it.

    Args:
        fn: a file, its contents, or a clip (C, N).
        duration: seconds of a window.
        hop: seconds from the beginning of one to that of the next; `duration` when None, so that
            windows do not overlap.

    Raises:
        ValueError: if `duration` or `hop` are not positive.
        BadItemError: when the file is no sound; it is named.

    Example:
        >>> clip = AudioTensor(torch.zeros(1, 25), sr=10)
        >>> [(start, window.nsamples) for start, window in read_windows(clip, 1.0)]
        [(0.0, 10), (1.0, 10), (2.0, 5)]
        >>> [start for start, _ in read_windows(clip, 1.0, 0.5)]
        [0.0, 0.5, 1.0, 1.5]
    """
    for name, value in (("duration", duration), ("hop", hop)):
        if value is not None and value <= 0:
            raise ValueError(f"{name}={value}; give seconds, more than 0")
    return _windows(fn, duration, hop)


def _windows(
    fn: Readable | AudioTensor, duration: float, hop: float | None
) -> Iterator[tuple[float, AudioTensor]]:
    sr = fn.sr if isinstance(fn, AudioTensor) else audio_info(fn).sr
    size = max(1, round(duration * sr))
    step = size if hop is None else hop * sr
    pieces = _pieces(fn, sr)
    held, first = next(pieces), 0  # what is in memory, and which sample it begins with
    is_all = False
    for number in count():
        start = round(number * step)  # from the whole number: rounding must not add up
        # One sample more than the window, to know whether another one follows.
        while not is_all and first + held.shape[-1] <= start + size:
            piece = next(pieces, None)
            is_all = piece is None
            kept = held[:, max(0, start - first) :]
            first += held.shape[-1] - kept.shape[-1]
            held = kept if piece is None else torch.cat([kept, piece], -1)
        window = held[:, start - first :][:, :size]
        if window.shape[-1] == 0 and number:
            return
        yield start / sr, AudioTensor(window, sr=sr)
        if first + held.shape[-1] <= start + size:
            return


def _pieces(fn: Readable | AudioTensor, sr: int) -> Iterator[Tensor]:
    """(C, N) the recording in pieces of some seconds, one at least."""
    if isinstance(fn, AudioTensor):
        yield fn.as_plain()
        return
    size = _SECONDS * sr
    for number in count():
        piece, _ = read_samples(fn, number * size, size)
        if piece.shape[-1] or number == 0:
            yield piece
        if piece.shape[-1] < size:
            return


def predict_windows(
    learn: Any,
    fn: Readable | AudioTensor,
    duration: float,
    hop: float | None = None,
    threshold: float | None = None,
    bs: int = 16,
) -> Iterator[Detection]:
    """What `learn` hears in each window of a recording, as it goes along.

    Windows go through the transforms of the data as any clip does, are predicted `bs` at a time,
    and are forgotten.

    Args:
        learn: a learner for classes of clips, one a clip or several.
        fn: a file, its contents, or a clip (C, N).
        duration: seconds of a window: as long as the clips that it was trained with.
        hop: seconds from one window to the next; `duration` when None. Half of it finds what lies
            across the end of a window.
        threshold: give every class of this probability or more, which may be none of a window, or
            several; the likeliest class of every window when None.
        bs: windows in memory at a time.

    Raises:
        ValueError: if `duration`, `hop` or `bs` are not positive, or the data of `learn` have no
            classes.

    Example:
        `for found in predict_windows(learn, "forest.wav", 2.0): print(found)`
    """
    if bs < 1:
        raise ValueError(f"bs={bs}; give how many windows are predicted at a time, 1 at least")
    vocab = _classes_of(learn)
    return _detections(learn, read_windows(fn, duration, hop), vocab, threshold, bs)


def _classes_of(learn: Any) -> list[str]:
    vocab = getattr(learn.dls, "vocab", None)
    if vocab is None or isinstance(vocab, dict):
        raise ValueError(
            "the data of this learner have no classes, and windows are told by their classes; "
            "predict numbers with learn.predict of each of read_windows(...)"
        )
    return [str(label) for label in vocab]


def _detections(
    learn: Any,
    windows: Iterator[tuple[float, AudioTensor]],
    vocab: Sequence[str],
    threshold: float | None,
    bs: int,
) -> Iterator[Detection]:
    while batch := list(islice(windows, bs)):
        found = learn.predict([window for _, window in batch])
        for (start, window), (_, _, probabilities) in zip(batch, found, strict=True):
            for i in _heard(probabilities, threshold):
                yield Detection(start, start + window.duration, vocab[i], float(probabilities[i]))


def _heard(probabilities: Tensor, threshold: float | None) -> list[int]:
    """The classes that are told, likeliest first."""
    if threshold is None:
        return [int(probabilities.argmax())]
    order = probabilities.argsort(descending=True, stable=True).tolist()
    return [i for i in order if float(probabilities[i]) >= threshold]


def merge_detections(
    detections: Iterable[Detection], gap: float = 0.0, shortest: float = 0.0
) -> list[Detection]:
    """Detections of one class that overlap, touch or nearly do as one; in the order of time.

    Args:
        detections: those of windows.
        gap: seconds of silence that do not part an event.
        shortest: leave out events of less than so many seconds.

    Example:
        >>> found = [Detection(0, 1, "dog", 0.7), Detection(1, 2, "dog", 0.9)]
        >>> merge_detections([*found, Detection(2, 3, "rain", 0.8)])[0]
        Detection(start=0, end=2, label='dog', probability=0.9)
    """
    events: list[Detection] = []
    last: dict[str, int] = {}  # where the latest event of each class stands
    for found in sorted(detections, key=lambda each: each.start):
        at = last.get(found.label)
        # A sample of rounding must not part what touches.
        if at is not None and found.start <= events[at].end + gap + 1e-6:
            old = events[at]
            end, best = max(old.end, found.end), max(old.probability, found.probability)
            events[at] = Detection(old.start, end, old.label, best)
        else:
            last[found.label] = len(events)
            events.append(found)
    return [event for event in events if event.end - event.start >= shortest]


def show_detections(
    fn: Readable | AudioTensor | AudioSpectrogram,
    detections: Iterable[Detection],
    ctx: Any = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Any:
    """The axes with a spectrogram, and over it a bar for each event, one line for each class.

    Args:
        fn: the recording, which is read whole, or its spectrogram.
        detections: events, see `merge_detections`.
        ctx: axes; those of a new figure when None.
        figsize: width and height of the new figure in inches.
        kwargs: for `show_spectrogram`.
    """
    ax = show_spectrogram(_spectrogram(fn), ctx=ctx, figsize=figsize or (10.0, 3.5), **kwargs)
    events = list(detections)
    labels = sorted({event.label for event in events})
    low, high = ax.get_ylim()
    height = (high - low) / max(8, len(labels) + 1)
    for event in events:
        row = labels.index(event.label)
        color = f"C{row % 10}"
        top = high - row * height
        ax.broken_barh(
            [(event.start, event.end - event.start)], (top - height, 0.9 * height),
            color=color, alpha=0.75,
        )  # fmt: skip
        text = f" {event.label} {event.probability:.2f}"
        ax.text(
            event.start, top - 0.55 * height, text, color="white", fontsize="small", va="center",
            clip_on=True,
        )  # fmt: skip
    return ax


def _spectrogram(fn: Readable | AudioTensor | AudioSpectrogram) -> AudioSpectrogram:
    if isinstance(fn, AudioSpectrogram):
        return fn
    clip = fn if isinstance(fn, AudioTensor) else AudioTensor.create(fn, mono=True)
    made: AudioSpectrogram = AudioToSpec()(clip)
    return made
