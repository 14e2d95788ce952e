"""Embeddings that start from a truncated normal distribution, and how wide they should be."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from layerwise.core.nn.init import trunc_normal_

__all__ = ["Embedding", "emb_sz_rule"]


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


def emb_sz_rule(n_cat: int) -> int:
    """The width of an embedding for `n_cat` classes: 1.6 * n_cat ** 0.56, and 600 at most.

    A rule of thumb for tables, known from fast.ai: a little more than the square root, since many
    classes differ in few ways.

    Args:
        n_cat: number of rows, the one for unknown classes among them.

    Raises:
        ValueError: if there is no class.

    Example:
        >>> emb_sz_rule(3), emb_sz_rule(1000), emb_sz_rule(1_000_000)
        (3, 77, 600)
    """
    if n_cat < 1:
        raise ValueError(f"an embedding for {n_cat} classes; give 1 or more")
    return min(600, round(1.6 * math.pow(n_cat, 0.56)))
