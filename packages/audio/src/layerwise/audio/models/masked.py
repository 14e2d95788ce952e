"""Filling that does not count: masks along time, and pooling over what is there.

A model that takes lengths is called with `(x, lengths)`. Where each of its layers sees zeros behind
the end of a clip, as a convolution sees them behind the end of a clip that is alone, the filling
changes nothing, and pooling over the rest gives what the clip alone gives.

Shapes: B batch, * channels and frequencies, T frames or samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.audio.lengths import time_mask

__all__ = [
    "Inputs",
    "mask_time",
    "masked_max",
    "masked_mean",
    "split_lengths",
    "with_rows",
]

Inputs = Tensor | tuple[Tensor, Tensor] | list[Tensor]
"""What a model that takes lengths is called with: x, or x and the length of each item."""


def split_lengths(inputs: Inputs) -> tuple[Tensor, Tensor | None]:
    """`x` (B, *, T) and the lengths (B,) of its items, None where nothing is filled.

    Args:
        inputs: a tensor, or a tensor and lengths.

    Raises:
        ValueError: if there are not as many lengths as items.

    Example:
        >>> x, lengths = split_lengths((torch.zeros(2, 1, 8), torch.tensor([8, 5])))
        >>> x.shape, lengths.tolist()
        (torch.Size([2, 1, 8]), [8, 5])
    """
    if isinstance(inputs, Tensor):
        return inputs, None
    x, lengths = inputs
    if lengths.shape != x.shape[:1]:
        raise ValueError(
            f"lengths of shape {tuple(lengths.shape)} for {len(x)} items; give one for each"
        )
    return x, lengths.to(x.device)


def mask_time(x: Tensor, lengths: Tensor | None) -> Tensor:
    """`x` (B, *, T) with zeros in the filling; `x` itself without lengths.

    Example:
        >>> mask_time(torch.ones(2, 1, 3), torch.tensor([3, 1])).tolist()
        [[[1.0, 1.0, 1.0]], [[1.0, 0.0, 0.0]]]
    """
    if lengths is None:
        return x
    return x.masked_fill(~time_mask(lengths, x), 0.0)


def masked_mean(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, *) mean over time of `x` (B, *, T), the filling left out.

    Example:
        >>> masked_mean(torch.tensor([[[1.0, 3.0, 9.0]]]), torch.tensor([2])).tolist()
        [[2.0]]
    """
    if lengths is None:
        return x.mean(-1)
    counts = lengths.clamp(min=1).to(x.dtype).view(-1, *[1] * (x.ndim - 2))
    return mask_time(x, lengths).sum(-1) / counts


def masked_max(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, *) largest value over time of `x` (B, *, T), the filling left out.

    Example:
        >>> masked_max(torch.tensor([[[1.0, 3.0, 9.0]]]), torch.tensor([2])).tolist()
        [[3.0]]
    """
    if lengths is None:
        return x.amax(-1)
    mask = time_mask(lengths.clamp(min=1), x)
    return x.masked_fill(~mask, torch.finfo(x.dtype).min).amax(-1)


def with_rows(x: Tensor) -> Tensor:
    """(B, C + 1, F, T) `x` (B, C, F, T) and a channel that tells how high each row is, -1 to 1.

    Convolutions find the same thing at any height, and mostly it is not the same thing: frequencies
    are no place to move along (Koutini, Eghbal-zadeh and Widmer, "Receptive-Field-Regularized CNN
    Variants for Acoustic Scene Classification", 2019).

    Example:
        >>> with_rows(torch.zeros(1, 1, 3, 2))[0, 1].tolist()
        [[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]]
    """
    heights = torch.linspace(-1, 1, x.shape[-2], device=x.device, dtype=x.dtype)
    return torch.cat([x, heights[:, None].expand(len(x), 1, *x.shape[-2:])], 1)
