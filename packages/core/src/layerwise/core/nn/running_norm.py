"""Batch normalisation by running statistics in training too, for batches of one or two."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from layerwise.core.nn.module import Module

__all__ = ["RunningBatchNorm"]

# Items after which the variance is trusted as it is.
_TRUSTED_AFTER = 20
_SMALLEST_EARLY_VARIANCE = 0.01


class RunningBatchNorm(Module):
    """Normalises each channel by running sums, in training as in evaluation.

    Batch normalisation divides by the statistics of the batch, which say little when the batch has
    one or two items. Here sums, sums of squares and the number of values all decay at the same
    rate, so their ratios are free of the bias of the start (fast.ai, "Deep Learning from the
    Foundations", lesson 10, 2019). The gradient flows through the share of the newest batch.

    Args:
        nf: number of channels.
        mom: weight of a new batch of up to two items; larger batches weigh more.
        eps: added to the variance before the root.

    Raises:
        ValueError: if an input does not have `nf` channels.

    Example:
        >>> norm = RunningBatchNorm(3)
        >>> norm(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 3, 4, 4])
    """

    sums: Tensor
    squares: Tensor
    count: Tensor
    seen: Tensor

    def __init__(self, nf: int, mom: float = 0.1, eps: float = 1e-5) -> None:
        self.nf, self.mom, self.eps = nf, mom, eps
        self.weight = nn.Parameter(torch.ones(nf))
        self.bias = nn.Parameter(torch.zeros(nf))
        self.register_buffer("sums", torch.zeros(nf))
        self.register_buffer("squares", torch.zeros(nf))
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """(B, nf, ...) normalised by channel, same shape and dtype."""
        if x.ndim < 2 or x.shape[1] != self.nf:
            raise ValueError(
                f"an input of shape {tuple(x.shape)} for RunningBatchNorm({self.nf}); "
                f"give (batch, {self.nf}, ...)"
            )
        # Not in half precision, which has no digits for a difference of squares.
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        sums, squares, count = (
            self._update(values) if self.training else (self.sums, self.squares, self.count)
        )
        mean, variance = self._statistics(sums, squares, count)
        factor = self.weight / (variance + self.eps).sqrt()
        offset = self.bias - mean * factor
        over = (1, -1) + (1,) * (x.ndim - 2)
        return (values * factor.view(over) + offset.view(over)).to(x.dtype)

    def _update(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        others = [d for d in range(values.ndim) if d != 1]
        new_share = 1 - (1 - self.mom) / math.sqrt(max(values.shape[0] - 1, 1))
        sums = self.sums.lerp(values.sum(others).to(self.sums.dtype), new_share)
        squares = self.squares.lerp(values.square().sum(others).to(self.sums.dtype), new_share)
        count = self.count.lerp(self.count.new_tensor(values.numel() / self.nf), new_share)
        with torch.no_grad():
            self.sums.copy_(sums)
            self.squares.copy_(squares)
            self.count.copy_(count)
            self.seen += values.shape[0]
        return sums, squares, count

    def _statistics(self, sums: Tensor, squares: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        weight = count.clamp_min(torch.finfo(count.dtype).tiny)
        mean = sums / weight
        variance = (squares / weight - mean * mean).clamp_min(0)
        early = variance.clamp_min(_SMALLEST_EARLY_VARIANCE)
        variance = torch.where(self.seen < _TRUSTED_AFTER, early, variance)
        # Never trained: leave the input as it is, like torch's batch normalisation does.
        return mean, torch.where(count > 0, variance, torch.ones_like(variance))

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.nf}, mom={self.mom}, eps={self.eps}"
