"""`codes_of`: the values of a column as indices into a vocabulary, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from layerwise.core.transforms.category import CategoryMap
from layerwise.tabular.source import Array

__all__: list[str] = []

_FEW = 32  # values that are looked up one by one before finding the different ones pays


def codes_of(column: Array, vocab: CategoryMap) -> np.ndarray:
    """(N,) int64 index of each value in `vocab`, -1 for those that are missing or not in it.

    Each different value is looked up once, in the same way wherever it stands: a row alone has the
    codes that it has in its table.

    Raises:
        TypeError: for values that can be no category, such as lists.

    Example:
        >>> codes_of(np.array(["b", None, "z"], dtype=object), CategoryMap(["a", "b"])).tolist()
        [1, -1, -1]
    """
    if len(column) <= _FEW:
        return _looked_up(column, vocab)
    numbers, values = _different(column)
    codes: np.ndarray = np.append(_looked_up(values, vocab), -1)[numbers]  # -1 is the last
    return codes


def _different(column: Array) -> tuple[np.ndarray, Array]:
    """(N,) places among the different values, -1 where one is missing, and these values."""
    if isinstance(column, pd.Categorical):
        return column.codes, column.categories
    numbers, values = pd.factorize(column)
    return numbers, values


def _looked_up(values: Array, vocab: CategoryMap) -> np.ndarray:
    known = vocab.o2i
    return np.array([known.get(value, -1) for value in values.tolist()], dtype=np.int64)


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
