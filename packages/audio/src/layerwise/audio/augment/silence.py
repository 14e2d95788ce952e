"""Signals without their silence."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from layerwise.audio.types import AudioTensor
from layerwise.core.errors import names_nearest, nearest
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

__all__ = ["RemoveSilence", "RemoveType", "loud_parts", "remove_silence", "split_silence"]

# C: channels. N: samples. T: frames.

_FRAME, _HOP = 2048, 512
"""Samples over which loudness is measured, and from one measurement to the next."""
_LEAST_POWER = 1e-10

Parts = list[tuple[int, int]]
"""First sample of each part, and the one after its last."""


class RemoveType:
    """Which silence goes: that at both ends, all of it, or all of it and the rest in pieces."""

    Trim = "trim"
    All = "all"
    Split = "split"


def loud_parts(signal: Tensor, threshold: float = 20.0) -> Parts:
    """The parts of a signal that are not silent, by the power of 2048 samples around each 512th.

    Args:
        signal: (C, N); the loudest channel counts.
        threshold: silence is so many decibels below the loudest moment.

    Returns:
        First sample of each part, and the one after its last. A signal of zeros is one part, since
        no moment of it is below the loudest.

    Example:
        >>> signal = torch.zeros(1, 20_000)
        >>> signal[:, 8000:9000] = 0.5
        >>> loud_parts(signal)
        [(7168, 10240)]
    """
    size = signal.shape[-1]
    if not signal.numel():
        return []
    around = pad(signal.detach().float().square(), (_FRAME // 2, _FRAME // 2))
    power = avg_pool1d(around, _FRAME, _HOP).amax(0).double().clamp_min(_LEAST_POWER)  # (T,)
    is_loud = power > power.max() * 10 ** (-threshold / 10)
    edges = pad(is_loud.int(), (1, 1)).diff().nonzero().flatten() * _HOP
    bounds = edges.clamp_max(size).tolist()
    return [(a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=True) if a < b]


def _with_margin(parts: Parts, margin: int, size: int) -> Parts:
    """Parts with so many samples more on both sides; those that then touch are one."""
    wide = [(max(0, a - margin), min(size, b + margin)) for a, b in parts]
    joined = wide[:1]
    for (_, end), (start, stop) in pairwise(wide):
        if start <= end:
            joined[-1] = joined[-1][0], stop
        else:
            joined.append((start, stop))
    return joined


def split_silence(
    x: AudioTensor, threshold: float = 20.0, pad_ms: float = 20.0
) -> list[AudioTensor]:
    """The pieces of a signal between its silences.

    For building a data set: each piece becomes an item.

    Args:
        x: (C, N) signal.
        threshold: silence is so many decibels below the loudest moment.
        pad_ms: milliseconds on both sides of a piece that are kept; pieces that then touch are one.

    Raises:
        ValueError: for a batch, whose items would have different numbers of pieces.

    Example:
        >>> signal = torch.zeros(1, 40_000)
        >>> signal[:, 8000:9000] = signal[:, 30000:31000] = 0.5
        >>> [piece.nsamples for piece in split_silence(AudioTensor(signal, sr=8000))]
        [3392, 3392]
    """
    if x.ndim != 2:
        raise ValueError(
            f"signals of shape {tuple(x.shape)}; silence is removed from one (C, N) at a time, "
            "among the item_tfms"
        )
    if threshold <= 0 or pad_ms < 0:
        raise ValueError(
            f"threshold={threshold} dB, pad_ms={pad_ms}; the threshold is above 0, the margin not "
            "below"
        )
    plain = x.as_plain()
    margin = round(pad_ms * x.sr / 1000)
    parts = _with_margin(loud_parts(plain, threshold), margin, x.nsamples)
    return [dress(plain[:, a:b].clone(), x) for a, b in parts]


def remove_silence(
    x: AudioTensor,
    remove_type: str = RemoveType.Trim,
    threshold: float = 20.0,
    pad_ms: float = 20.0,
) -> AudioTensor | list[AudioTensor]:
    """`x` without silence; a list of pieces with `RemoveType.Split`.

    Args:
        x: (C, N) signal.
        remove_type: of `RemoveType`: `Trim` cuts silence off both ends, `All` joins what is between
            all silences, `Split` returns it in pieces.
        threshold: silence is so many decibels below the loudest moment.
        pad_ms: milliseconds of silence beside each sound that stay.

    Raises:
        ValueError: if `remove_type` is none of these, or `x` a batch.

    Example:
        >>> signal = torch.zeros(1, 20_000)
        >>> signal[:, 8000:9000] = 0.5
        >>> remove_silence(AudioTensor(signal, sr=8000), pad_ms=0).nsamples
        3072
    """
    kinds = (RemoveType.Trim, RemoveType.All, RemoveType.Split)
    if remove_type not in kinds:
        raise ValueError(
            f"remove_type={remove_type!r}; give one of {', '.join(kinds)}."
            f"{nearest(str(remove_type), kinds)}"
        )
    pieces = split_silence(x, threshold, pad_ms)
    if remove_type == RemoveType.Split:
        return pieces
    if not pieces:
        return x
    if remove_type == RemoveType.All:
        return dress(torch.cat([piece.as_plain() for piece in pieces], -1), x)
    margin = round(pad_ms * x.sr / 1000)
    parts = _with_margin(loud_parts(x.as_plain(), threshold), margin, x.nsamples)
    return dress(x.as_plain()[:, parts[0][0] : parts[-1][1]].clone(), x)


class RemoveSilence(Transform):
    """Takes the silence from signals, of every split.

    Among the `item_tfms`, before signals are brought to one length. With `RemoveType.Split` it
    makes a list of signals of each, which no batch can hold: use that where items are made, as
    `split_silence` does.

    Args:
        remove_type: of `RemoveType`: `Trim` cuts silence off both ends, `All` joins what is between
            all silences, `Split` gives it in pieces.
        threshold: silence is so many decibels below the loudest moment; 20 is a tenth of its
            amplitude.
        pad_ms: milliseconds of silence beside each sound that stay, since sounds begin and end
            quietly.

    Raises:
        ValueError: if `remove_type` is none of these; when called, for a batch.

    Example:
        >>> signal = torch.zeros(1, 20_000)
        >>> signal[:, 8000:9000] = 0.5
        >>> RemoveSilence(pad_ms=0)(AudioTensor(signal, sr=8000)).shape
        torch.Size([1, 3072])
    """

    order: float = 2

    @names_nearest
    def __init__(
        self,
        remove_type: str = RemoveType.Trim,
        threshold: float = 20.0,
        pad_ms: float = 20.0,
    ) -> None:
        super().__init__()
        self.remove_type, self.threshold, self.pad_ms = remove_type, threshold, pad_ms
        remove_silence(AudioTensor(torch.zeros(1, 1), sr=1), remove_type, threshold, pad_ms)

    def encodes(self, x: AudioTensor) -> None:  # the annotation: a list stays a list
        """The signal, or its pieces."""
        return remove_silence(x, self.remove_type, self.threshold, self.pad_ms)  # type: ignore[return-value]
