"""Which rows or frames of spectrograms are covered, and by what."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from layerwise.core.random import generator
from layerwise.core.tensors import TensorBase, dress

__all__ = ["mask_along_axis", "random_mask", "region_mask"]

T = TypeVar("T", bound=Tensor)

# b: items. M: masks of each. A: length of the axis that is masked.


def region_mask(starts: Tensor, ends: Tensor, length: int) -> Tensor:
    """(..., A) true from each start up to its end, which is not in it.

    Args:
        starts: (...) whole numbers.
        ends: likewise.
        length: A.

    Example:
        >>> region_mask(torch.tensor([1, 0]), torch.tensor([3, 0]), 4).tolist()
        [[False, True, True, False], [False, False, False, False]]
    """
    at = torch.arange(length, device=starts.device)
    return (at >= starts[..., None]) & (at < ends[..., None])


def random_mask(count: int, num_masks: int, min_size: int, max_size: int, length: int) -> Tensor:
    """(b, A) true where one of an item's random masks lies.

    Sizes and places are drawn evenly for each mask; masks may lie over each other.

    Args:
        count: items, b.
        num_masks: masks of each item.
        min_size: least size of a mask.
        max_size: greatest; no more than the axis has.
        length: A.

    Raises:
        ValueError: if sizes are below 0 or not in order.

    Example:
        >>> random_mask(3, 1, 2, 2, 8).sum(1).tolist()
        [2, 2, 2]
    """
    if not 0 <= min_size <= max_size:
        raise ValueError(f"masks of {min_size} to {max_size}; sizes go from 0 up, the least first")
    drawn = torch.rand(count, num_masks, 2, generator=generator(), dtype=torch.float64)
    low, high = (torch.full((count,), float(size)) for size in (min_size, max_size))
    return masks_of(drawn, low, high, torch.full((count,), length), length)


def masks_of(drawn: Tensor, low: Tensor, high: Tensor, lengths: Tensor, length: int) -> Tensor:
    """(b, A) masks of which numbers from [0, 1) say size and place.

    Args:
        drawn: (b, M, 2) of each mask.
        low: (b,) least sizes.
        high: (b,) greatest sizes.
        lengths: (b,) where items end; masks lie before that.
        length: A.
    """
    sizes = (low[:, None] + drawn[..., 0] * (high - low + 1)[:, None]).floor().long()
    sizes = sizes.minimum(lengths[:, None])
    starts = (drawn[..., 1] * (lengths[:, None] - sizes + 1)).floor().long()
    return region_mask(starts, starts + sizes, length).any(1)


def mask_along_axis(x: T, mask: Tensor, val: float | Tensor | None = None, axis: int = -1) -> T:
    """A copy of `x` with `val` where `mask` is true.

    Args:
        x: (b, C, F, T), or (C, F, T) with a mask for it alone; it is not written into.
        mask: (b, A) or (A,).
        val: what covers; the mean of each channel when None, which for a network that has seen
            normalised numbers is nothing special.
        axis: that has A places: -1 is time, -2 frequency.

    Example:
        >>> x = torch.arange(4.0).view(1, 1, 4)
        >>> mask_along_axis(x, torch.tensor([True, False, False, False])).tolist()
        [[[1.5, 1.0, 2.0, 3.0]]]
        >>> mask_along_axis(x, torch.tensor([True, False, False, False]), val=9.0).tolist()
        [[[9.0, 1.0, 2.0, 3.0]]]
    """
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    shape = [1] * plain.ndim
    shape[axis] = mask.shape[-1]
    if mask.ndim > 1:
        shape[0] = len(mask)
    cover = plain.mean((-2, -1), keepdim=True) if val is None else val
    made = torch.where(mask.to(plain.device).view(shape), cover, plain)
    return dress(made, x) if isinstance(x, TensorBase) else made  # type: ignore[return-value]  # a T
