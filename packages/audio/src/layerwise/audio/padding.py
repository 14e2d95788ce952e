"""Clips of unequal length in one batch: filled up at the end, with their lengths beside them.

B: items of a batch. C: channels. N: samples, P: of the longest clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor

from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.transform import Transform

__all__ = ["LengthsBeside", "PadAudio", "pad_audio"]


def pad_audio(samples: Sequence[Any]) -> list[Any]:
    """Samples whose clips have one length, so that they stack: zeros behind the end of each.

    Each kind of member is filled up on its own: every signal and every spectrogram of the first
    place in a sample to the longest of that place, and so on.

    Args:
        samples: tuples with signals (C, N) or spectrograms (C, F, T) in them, or these alone.

    Returns:
        The samples, their clips (C, P) or (C, F, P) with `lengths`, the (B,) sizes before, which a
        batch of them has too.

    Raises:
        DataError: where clips differ in more than their length: sample rate, channels, rows.

    Example:
        >>> clips = [(AudioTensor(torch.ones(1, n), sr=8000), n) for n in (3, 2)]
        >>> padded = pad_audio(clips)
        >>> padded[1][0].tolist(), padded[1][0].lengths.tolist()
        ([[1.0, 1.0, 0.0]], [3, 2])
    """
    made = [list(s) if isinstance(s, tuple) else [s] for s in samples]
    places = range(len(made[0]) if made else 0)
    for place in places:
        if isinstance(made[0][place], AudioTensor | AudioSpectrogram):
            clips = [sample[place] for sample in made]
            for sample, filled in zip(made, _filled(clips), strict=True):
                sample[place] = filled
    return [
        (tuple(m) if type(s) is tuple else type(s)(m)) if isinstance(s, tuple) else m[0]
        for m, s in zip(made, samples, strict=True)
    ]


def _filled(clips: list[Any]) -> list[Any]:
    """The clips of one batch with zeros up to the longest, and the lengths of all."""
    for i, clip in enumerate(clips):
        _check_like(clip, clips[0], i)
    lengths = torch.tensor([clip.shape[-1] for clip in clips])
    size = int(lengths.max())
    filled = []
    for clip in clips:
        missing = size - clip.shape[-1]
        plain = F.pad(clip.as_plain(), (0, missing)) if missing else clip.as_plain()
        padded = dress(plain, clip)
        padded.lengths = lengths
        filled.append(padded)
    return filled


def _check_like(clip: Any, first: Any, i: int) -> None:
    """An error where `clip` cannot be in one batch with `first`."""
    if type(clip) is not type(first):
        raise DataError(
            f"item {i} of the batch is a {type(clip).__name__}, item 0 a {type(first).__name__}; "
            "do all items go through the same transforms?"
        )
    if clip.sr != first.sr:
        raise DataError(
            f"item {i} of the batch has {clip.sr} samples a second, item 0 has {first.sr}; "
            "resample them to one rate, AudioBlock(sample_rate=16000) or Resample(16000) among the "
            "item_tfms"
        )
    if clip.shape[:-1] == first.shape[:-1]:
        return
    if clip.shape[-2:-1] != first.shape[-2:-1] and isinstance(clip, AudioSpectrogram):
        raise DataError(
            f"item {i} of the batch has {clip.shape[-2]} rows, item 0 has {first.shape[-2]}; make "
            "all spectrograms with the same settings"
        )
    raise DataError(
        f"item {i} of the batch has shape {tuple(clip.shape)}, item 0 has {tuple(first.shape)}: "
        "they have not as many channels. Mix them down, AudioBlock(force_mono=True) or "
        "DownmixMono() among the item_tfms"
    )


class PadAudio(Transform):
    """`pad_audio` as a transform for `before_batch`.

    There is nothing to undo: an item that is taken out of a padded batch comes without its filling.

    Example:
        >>> clips = [AudioTensor(torch.ones(1, n), sr=8000) for n in (3, 2)]
        >>> [clip.shape[-1] for clip in PadAudio()(clips)]
        [3, 3]
    """

    def encodes(self, samples: list) -> Any:  # type: ignore[type-arg]  # dispatch takes the class
        """The samples of a batch, filled up."""
        return pad_audio(samples)


class LengthsBeside(Transform):
    """A batch with `lengths` as the pair of it and them: what models that take lengths are given.

    Last among the batch transforms, since the others look at the typed batch. Batches without
    `lengths` stay as they are. `audio_learner` adds it where the model wants it.

    Example:
        >>> batch = AudioTensor(torch.zeros(2, 1, 3), sr=8000, lengths=torch.tensor([3, 2]))
        >>> x, lengths = LengthsBeside()(batch)
        >>> x.shape, lengths.tolist()
        (torch.Size([2, 1, 3]), [3, 2])
        >>> type(LengthsBeside().decode((x, lengths))).__name__
        'AudioTensor'
    """

    order: float = 1000

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioTensor) -> object:
        return _beside(x)

    @encodes.register
    def _(self, x: AudioSpectrogram) -> object:
        return _beside(x)

    # A pair is one input here, and no tuple of members to go through.
    def _over_tuple(self, part: str, x: Any, kwargs: dict[str, Any]) -> Any:
        if part == "decodes" and _is_pair(x):
            return _together(*x)
        return super()._over_tuple(part, x, kwargs)


def _beside(x: Any) -> Any:
    lengths = vars(x).get("lengths")
    return x if lengths is None else (x, lengths.to(x.device))


def _is_pair(x: Any) -> bool:
    return (
        isinstance(x, tuple)
        and len(x) == 2
        and isinstance(x[0], AudioTensor | AudioSpectrogram)
        and isinstance(x[1], Tensor)
        and not isinstance(x[1], TensorBase)
        and x[1].shape == x[0].shape[:1]
        and not x[1].is_floating_point()
    )


def _together(x: Any, lengths: Tensor) -> Any:
    """The batch, with the lengths among what it knows."""
    joined = dress(x.as_plain(), x)
    joined.lengths = lengths
    return joined
