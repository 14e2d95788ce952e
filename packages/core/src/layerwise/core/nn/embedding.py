"""Embeddings that start from a truncated normal distribution."""

from __future__ import annotations

from typing import Any

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
        self.std = std
        trunc_normal_(self.weight.data, 0, std)

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one, but for the numbers in it."""
        return {"ni": self.num_embeddings, "nf": self.embedding_dim, "std": self.std}
