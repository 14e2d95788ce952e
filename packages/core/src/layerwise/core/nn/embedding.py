"""Embeddings that start from a truncated normal distribution."""

from __future__ import annotations

from torch import nn

from layerwise.core.nn.init import trunc_normal_

__all__ = ["Embedding"]


class Embedding(nn.Embedding):
    """`nn.Embedding` whose rows start near zero.

    Args:
        ni: number of rows.
        nf: length of a row.
        std: width of the distribution; no value lies beyond two of it.

    Example:
        >>> bool(Embedding(10, 3).weight.abs().max() <= 0.02)
        True
    """

    def __init__(self, ni: int, nf: int, std: float = 0.01) -> None:
        super().__init__(ni, nf)
        trunc_normal_(self.weight.data, 0, std)
