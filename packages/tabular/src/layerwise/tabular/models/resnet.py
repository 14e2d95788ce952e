"""The residual net for tables (Gorishniy et al., "Revisiting Deep Learning Models", 2021).

Shapes: B batch, C columns of categories, K columns of numbers, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from layerwise.core.nn.module import Module
from layerwise.core.nn.norm import BatchNorm
from layerwise.tabular.models.inputs import CategoryEmbeddings, check_columns, check_sizes
from layerwise.tabular.models.outputs import Stats, scaled_outputs

__all__ = ["TabularResNet"]


class TabularResNet(Module):
    """Residual blocks over embedded categories and numbers: (B, C) codes, (B, K) to (B, N).

    Each block adds Dropout(Linear(Dropout(ReLU(Linear(BatchNorm(x)))))) to its input; the head is
    Linear(ReLU(BatchNorm(x))). From Gorishniy et al. ("Revisiting Deep Learning Models for Tabular
    Data", 2021), with the sizes that its authors start from. Numbers are expected to be normalised.

    Args:
        emb_szs: (rows, width) of the embedding of each column of categories; row 0 is for missing
            and unknown ones.
        n_cont: K, columns of numbers.
        out_sz: N, numbers predicted for a row.
        width: D, features between blocks.
        blocks: number of blocks.
        hidden_factor: features inside a block over those between blocks.
        hidden_p: share of features that dropout hides inside a block.
        residual_p: share of what a block adds that dropout hides.
        y_range: (low, high) that the outputs are squashed into; any number when None.
        y_stats: (means, deviations) of the targets, which outputs are brought to, see `Rescale`.
        unknown_p: share of codes taken for 0 in training, see `CategoryEmbeddings`.

    Raises:
        ValueError: if there is no column.

    Example:
        >>> model = TabularResNet([(4, 3), (10, 6)], 2, 5)
        >>> model(torch.tensor([[1, 9]] * 8), torch.randn(8, 2)).shape
        torch.Size([8, 5])
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int]],
        n_cont: int,
        out_sz: int,
        width: int = 192,
        blocks: int = 2,
        hidden_factor: float = 2.0,
        hidden_p: float = 0.3,
        residual_p: float = 0.0,
        y_range: tuple[float, float] | None = None,
        unknown_p: float = 0.01,
        y_stats: Stats | None = None,
    ) -> None:
        check_sizes(emb_szs, n_cont)
        self.n_cont = n_cont
        self.embeds = CategoryEmbeddings(emb_szs, unknown_p)
        self.first = nn.Linear(self.embeds.width + n_cont, width)
        hidden = int(width * hidden_factor)
        self.blocks = nn.Sequential(
            *(_Block(width, hidden, hidden_p, residual_p) for _ in range(blocks))
        )
        squash = scaled_outputs(out_sz, y_range, y_stats)
        self.head = nn.Sequential(
            BatchNorm(width, ndim=1), nn.ReLU(inplace=True), nn.Linear(width, out_sz), *squash
        )

    def forward(self, x_cat: Tensor | None = None, x_cont: Tensor | None = None) -> Tensor:
        """(B, N) from (B, C) whole numbers and (B, K) numbers; None for no columns.

        Raises:
            ValueError: if there are more or fewer columns than the model was made for.
        """
        check_columns("x_cat", x_cat, len(self.embeds))
        check_columns("x_cont", x_cont, self.n_cont)
        row = []
        if x_cat is not None and len(self.embeds):
            row.append(self.embeds(x_cat))
        if x_cont is not None and self.n_cont:
            row.append(x_cont)
        features = self.blocks(self.first(torch.cat(row, 1)))  # (B, D)
        predicted: Tensor = self.head(features)
        return predicted


class _Block(Module):
    """(B, D) and what its layers make of it, added up."""

    def __init__(self, width: int, hidden: int, hidden_p: float, residual_p: float) -> None:
        self.layers = nn.Sequential(
            BatchNorm(width, ndim=1),
            nn.Linear(width, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(hidden_p),
            nn.Linear(hidden, width),
            nn.Dropout(residual_p),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) in the same shape."""
        added: Tensor = self.layers(x)
        return x + added
