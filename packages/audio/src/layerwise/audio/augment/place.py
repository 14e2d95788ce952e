"""Pieces of sounds, each item's from a place of its own, and what stands beyond the ends."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerwise.audio.lengths import time_mask
from layerwise.audio.types import AudioSpectrogram, AudioTensor

__all__: list[str] = []

# b: items. N: samples or frames. S: those of the pieces.


def windows(
    values: Tensor,
    starts: Tensor,
    size: int,
    lengths: Tensor,
    *,
    repeat: bool = False,
    fill: Tensor | float = 0.0,
) -> Tensor:
    """(b, ..., S) a piece of each item.

    Args:
        values: (b, ..., N).
        starts: (b,) where the pieces begin; before the beginning where negative.
        size: S.
        lengths: (b,) where the items end, at most N.
        repeat: begin again where an item ends.
        fill: what else stands beyond its ends.

    Raises:
        ValueError: if an item without samples is to be repeated.

    Example:
        >>> two = torch.tensor([[1, 2, 3], [4, 5, 0]])
        >>> windows(two, torch.tensor([1, -1]), 3, torch.tensor([3, 2]), fill=9).tolist()
        [[2, 3, 9], [9, 4, 5]]
    """
    at = starts[:, None] + torch.arange(size)
    ends = lengths[:, None]
    if repeat:
        if size and not bool((lengths > 0).all()):
            raise ValueError("a sound without samples cannot be repeated; fill with zeros instead")
        at = at % ends
    inside = ((at >= 0) & (at < ends)).to(values.device)
    if not values.shape[-1]:
        values = pad(values, (0, 1))
    index = at.clamp(0, values.shape[-1] - 1).to(values.device)
    between = [1] * (values.ndim - 2)
    index = index.view(len(index), *between, size).expand(*values.shape[:-1], size)
    found = values.gather(-1, index)
    return found if repeat else torch.where(inside.view(len(at), *between, size), found, fill)


def silence_of(x: AudioTensor | AudioSpectrogram, values: Tensor, lengths: Tensor) -> Tensor:
    """What silence is: 0, or in decibels the least value of each item.

    Args:
        x: says of which kind it is.
        values: (b, ...) of it, plain.
        lengths: (b,) samples or frames that count.

    Returns:
        () or (b, 1, ...).
    """
    if isinstance(x, AudioTensor) or not x.to_db or not values.numel():
        return values.new_zeros(())
    inside = time_mask(lengths, values)
    least = torch.where(inside, values, torch.inf).flatten(1).amin(1)
    return torch.where(least.isinf(), 0.0, least).view(-1, *[1] * (values.ndim - 1))


def samples_of(x: AudioTensor | AudioSpectrogram, seconds: float) -> int:
    """Samples of a signal, or frames of a spectrogram, in so many seconds.

    As many frames as the spectrogram of such a signal has.

    Example:
        >>> samples_of(AudioTensor(torch.zeros(1, 4), sr=8000), 0.5)
        4000
    """
    samples = round(seconds * x.sr)
    return samples if isinstance(x, AudioTensor) else x.settings.frames(samples)
