"""How large the embeddings for columns of categories are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerwise.core.errors import nearest
from layerwise.core.nn.embedding import emb_sz_rule

__all__ = ["get_emb_sz"]


def get_emb_sz(to: Any, sz_dict: Mapping[Any, int] | None = None) -> list[tuple[int, int]]:
    """(classes, width) of the embedding of each column of categories, in their order.

    Args:
        to: data or loaders with `classes`, the vocabulary of each column by name.
        sz_dict: widths by column, in place of those of `emb_sz_rule`.

    Raises:
        ValueError: if `sz_dict` names a column that is none of categories.

    Example:
        >>> from types import SimpleNamespace
        >>> get_emb_sz(SimpleNamespace(classes={"job": ["#na#", "clerk", "smith"]}))
        [(3, 3)]
    """
    classes: Mapping[Any, Any] = to.classes
    own = dict(sz_dict or {})
    for name in own:
        if name not in classes:
            known = list(map(str, classes))
            raise ValueError(
                f"sz_dict names {name!r}, which is no column of categories."
                f"{nearest(str(name), known)} There are: {', '.join(known) or 'none'}"
            )
    return [(len(vocab), own.get(name, emb_sz_rule(len(vocab)))) for name, vocab in classes.items()]
