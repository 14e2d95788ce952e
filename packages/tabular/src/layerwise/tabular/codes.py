"""`codes_of`: the values of a column as indices into a vocabulary, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from layerwise.core.transforms.category import CategoryMap
from layerwise.tabular.source import Array

__all__: list[str] = []

_FEW = 32  # values that are looked up one by one before an index of pandas pays


def codes_of(column: Array, vocab: CategoryMap) -> np.ndarray:
    """(N,) int64 index of each value in `vocab`, -1 for those that are missing or not in it.

    Example:
        >>> codes_of(np.array(["b", None, "z"], dtype=object), CategoryMap(["a", "b"])).tolist()
        [1, -1, -1]
    """
    if len(column) <= _FEW:
        return np.array([_code_of(value, vocab) for value in column], dtype=np.int64)
    if isinstance(column, pd.Categorical):
        known = codes_of(column.categories.to_numpy(dtype=object), vocab)
        by_code: np.ndarray = np.append(known, -1)[column.codes]
        return by_code
    # Without `#na#`, which is a text among numbers, and would make pandas compare objects.
    first = int(vocab.has_na)
    found = pd.Index(list(vocab)[first:]).get_indexer(pd.Index(column))
    codes: np.ndarray = np.where(found < 0, -1, found + first)
    return codes.astype(np.int64, copy=False)


def _code_of(value: Any, vocab: CategoryMap) -> int:
    try:
        return vocab.o2i.get(value, -1)
    except TypeError:  # a list, say, which can be no label
        return -1


def labels_of(codes: Any, vocab: CategoryMap) -> np.ndarray:
    """(N,) the labels of codes, as objects.

    Example:
        >>> labels_of(np.array([1, 0]), CategoryMap(["a", "b"])).tolist()
        ['b', 'a']
    """
    numbers = np.asarray(codes, dtype=np.int64)
    if len(numbers) <= _FEW:
        return objects([vocab.items[i] for i in numbers])
    return objects(list(vocab.items))[numbers]


def objects(values: list[Any]) -> np.ndarray:
    """(N,) array of any objects, lists among them.

    Example:
        >>> objects([[1], [2, 3]]).shape
        (2,)
    """
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made
