"""Which part of a padded batch is sound, and which is filling."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["time_mask"]

# B: items of a batch. T: samples or frames.


def time_mask(lengths: Tensor, x: Tensor) -> Tensor:
    """(B, 1, ..., T) True where `x` is sound and False in the filling, with as many axes as `x`.

    Args:
        lengths: (B,) how much of each item is there, on any device.
        x: (B, ..., T) what is masked.

    Example:
        >>> time_mask(torch.tensor([3, 1]), torch.zeros(2, 1, 3)).flatten(1).int().tolist()
        [[1, 1, 1], [1, 0, 0]]
    """
    steps = torch.arange(x.shape[-1], device=x.device)
    return steps < lengths.to(x.device).view(-1, *[1] * (x.ndim - 1))
