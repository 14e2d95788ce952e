"""`InceptionTime`: convolutions of three lengths side by side (Ismail Fawaz et al., 2020).

What is not there (NaN) is 0 at the input and 0 again after each block, as the zeros are that
convolutions put around a series; so a series is the same alone and filled up. Pooling leaves it
out.
"""

from __future__ import annotations

import torch
from layerwise.core.nn.module import Module
from torch import Tensor, nn

__all__ = ["InceptionBlock", "InceptionTime"]

# B: series of a batch. C: channels. T: steps. F: filters of one length. K: outputs.


class InceptionBlock(Module):
    """Convolutions of three lengths and a pooled view, side by side: (B, C, T) to (B, 4 F, T).

    Args:
        n_in: channels, C.
        filters: of each length, F.
        kernel_size: the longest; the others have a half and a quarter of it.
        bottleneck: channels before the long convolutions, which they make cheaper.

    Example:
        >>> InceptionBlock(3, filters=8)(torch.zeros(2, 3, 20), torch.ones(2, 1, 20)).shape
        torch.Size([2, 32, 20])
    """

    def __init__(
        self, n_in: int, filters: int = 32, kernel_size: int = 40, bottleneck: int = 32
    ) -> None:
        narrow = n_in > 1
        self.bottleneck = nn.Conv1d(n_in, bottleneck, 1, bias=False) if narrow else nn.Identity()
        width = bottleneck if narrow else n_in
        # Odd lengths have a middle.
        sizes = [max(3, kernel_size // part) // 2 * 2 - 1 for part in (1, 2, 4)]
        self.convs = nn.ModuleList(
            nn.Conv1d(width, filters, size, padding=size // 2, bias=False) for size in sizes
        )
        self.pooled = nn.Conv1d(n_in, filters, 1, bias=False)
        self.norm = nn.BatchNorm1d(4 * filters)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(B, 4 F, T); `there` (B, 1, T) is 1 where the series is, 0 elsewhere."""
        narrow = self.bottleneck(x)
        high = nn.functional.max_pool1d(x.masked_fill(there == 0, -torch.inf), 3, 1, 1)
        high = high.masked_fill(there == 0, 0)
        parts = [*(conv(narrow) for conv in self.convs), self.pooled(high)]
        normed: Tensor = self.norm(torch.cat(parts, 1))
        return normed.relu() * there


class InceptionTime(Module):
    """A residual net of inception blocks, with the mean over time at its end: (B, C, T) to (B, K).

    Args:
        n_in: channels, C.
        n_out: outputs, K.
        filters: see `InceptionBlock`, as are the next two.
        kernel_size: the longest convolution.
        bottleneck: channels before them.
        depth: blocks; the input of every third is added to its output. 6 as in the paper.

    Example:
        >>> InceptionTime(2, 5, filters=4, depth=3)(torch.randn(3, 2, 30)).shape
        torch.Size([3, 5])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        filters: int = 32,
        kernel_size: int = 40,
        bottleneck: int = 32,
        depth: int = 6,
    ) -> None:
        width = 4 * filters
        self.blocks = nn.ModuleList(
            InceptionBlock(n_in if i == 0 else width, filters, kernel_size, bottleneck)
            for i in range(depth)
        )
        self.shortcuts = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(n_in if i == 0 else width, width, 1, bias=False), nn.BatchNorm1d(width)
            )
            for i in range(depth // 3)
        )
        self.linear = nn.Linear(width, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K) scores of series (B, C, T), NaN where there is nothing."""
        is_there = ~x.isnan().all(1, keepdim=True)  # (B, 1, T)
        there = is_there.to(x.dtype)
        x = start = x.nan_to_num()
        for i, block in enumerate(self.blocks):
            x = block(x, there)
            if i % 3 == 2:
                x = start = (x + self.shortcuts[i // 3](start)).relu() * there
        mean = x.sum(-1) / there.sum(-1).clamp(min=1)  # (B, 4 F)
        scores: Tensor = self.linear(mean)
        return scores
