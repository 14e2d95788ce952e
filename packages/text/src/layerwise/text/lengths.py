"""How long the texts of a data set are, found without reading them where something knows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["known_lengths"]


def known_lengths(dataset: Any) -> Tensor | None:
    """(N,) tokens of each text of `dataset`, if one of its transforms has counted them.

    Args:
        dataset: `Datasets` or `TfmdLists`; the transforms of its first member are asked, in turn,
            by `get_lengths(items)`, which a `Tokenizer` has.

    Returns:
        None where there is no such transform, or it does not know.

    Example:
        >>> known_lengths(["a text"]) is None
        True
    """
    first = getattr(dataset, "tls", [dataset])[0]
    for step in getattr(first, "tfms", ()):
        ask = getattr(step, "get_lengths", None)
        lengths = ask(first.items) if callable(ask) else None
        if lengths is not None:
            return torch.as_tensor(lengths, dtype=torch.int64)
    return None
