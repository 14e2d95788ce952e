"""Ids of users and items as codes: rows of embeddings.

Ids may be of any kind that pandas can compare: numbers, text, dates. Code 0 is `#na#`, for whoever
has no class of their own. Whole columns are coded at once, twenty million rows in a second.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from layerwise.core.errors import DataError, nearest
from layerwise.core.transforms.category import CategoryMap

__all__ = ["Ids"]

# What pandas finds in a column, in the words that messages have for it.
_KINDS = {
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "string": "text",
    "datetime": "dates",
    "datetime64": "dates",
    "date": "dates",
    "boolean": "truth values",
}
_SEVERAL, _NONE = "values of several kinds", "nothing"


class BadRowError(DataError):
    """A row of a table that cannot be used.

    Args:
        row: its position; whoever knows the source says what place that is.
        told: what is wrong.
    """

    def __init__(self, row: int, told: str) -> None:
        super().__init__(told)
        self.row = row


class Ids:
    """The ids of one side, users or items: a class for each, and the codes of columns.

    Args:
        name: of the column that holds them.
        vocab: the ids, in the order of their codes, which begin with 1; code 0 is `#na#`.

    Attributes:
        classes: the `CategoryMap` of the ids, `#na#` first.
        trained: for each code, whether training has rows of it; of all but `#na#` at first.

    Raises:
        BadRowError: if numbers and text are mixed in the vocabulary, or something in it is no id.

    Example:
        >>> ids = Ids("user", ["ann", "bob"])
        >>> ids.codes(pd.Series(["bob", "zoe", "ann"])).tolist(), ids.code("bob"), len(ids)
        ([2, 0, 1], 2, 3)
    """

    def __init__(self, name: str, vocab: Iterable[Any]) -> None:
        self.name = name
        known = pd.Series(list(vocab))
        check_ids(known, f"the vocabulary of {name!r}")
        self.classes = CategoryMap(known, sort=False, add_na=True)
        self.trained = np.arange(len(self.classes)) > 0
        self._index = _index(self.vocab)
        self._kind = _kind_of(known)

    @classmethod
    def learnt(cls, column: pd.Series) -> Ids:
        """The ids that occur in `column`, sorted; in the order of its categories if it has some.

        Example:
            >>> list(Ids.learnt(pd.Series([7, 3, 7], name="user")).classes)
            ['#na#', 3, 7]
        """
        name = str(column.name)
        check_ids(column, f"column {name!r}")
        if isinstance(column.dtype, pd.CategoricalDtype):
            return cls(name, column.cat.remove_unused_categories().cat.categories)
        return cls(name, CategoryMap(column.unique(), sort=True))

    def trained_on(self, mask: NDArray[np.bool_]) -> Ids:
        """The same ids, of which training has those in `mask`: one truth value for each code."""
        if len(mask) != len(self):
            raise DataError(
                f"{len(mask)} truth values for {len(self)} codes of {self.name!r}; give one each"
            )
        same = copy.copy(self)
        same.trained = mask & (np.arange(len(self)) > 0)
        return same

    @property
    def vocab(self) -> list[Any]:
        """The ids without `#na#`."""
        return list(self.classes)[1:]

    def __len__(self) -> int:
        """How many codes there are, `#na#` among them: rows that an embedding needs."""
        return len(self.classes)

    def codes(self, column: pd.Series) -> NDArray[np.int32]:
        """(N,) code of each id; 0 for ids without a class, and for missing ones.

        Raises:
            BadRowError: if the ids are of another kind than those with classes, so that none would
                be found.
        """
        if isinstance(column.dtype, pd.CategoricalDtype):
            of_category = self.codes(pd.Series(column.cat.categories))
            # Missing ids have the code -1 in pandas, and find the zero that is put last.
            found: NDArray[np.int32] = np.append(of_category, np.int32(0))[column.cat.codes]
            return found
        self._refuse_other_kind(column)
        return (self._index.get_indexer(_index(column)) + 1).astype(np.int32)

    def code(self, one: Any, row: int = 0) -> int:
        """The code of one id; 0 if it has no class, or is missing.

        Args:
            one: the id.
            row: where it stands, for the error.

        Raises:
            BadRowError: if it is of another kind than the ids with classes; names the nearest.
        """
        if not isinstance(one, Hashable):
            raise BadRowError(row, f"{plain(one)!r} is no id of column {self.name!r}; give one id")
        code = self.classes.o2i.get(one)
        if code is not None:
            return int(code)
        column = pd.Series([one])  # of a date, numpy has another object than pandas
        if len(self._index) and _kind_of(column) not in (self._kind, _NONE):
            raise BadRowError(
                row,
                f"{plain(one)!r} is no id of column {self.name!r}, where ids are {self._kind} such "
                f"as {plain(self.classes[1])!r}.{self.nearest(one) or ' Give one of these'}",
            )
        return int(self.codes(column)[0])

    def nearest(self, one: Any) -> str:
        """A sentence with the ids that are spelt like one that has no class; empty without any.

        Example:
            >>> Ids("user", [7, 12, 120]).nearest("12"), Ids("film", ["Alien"]).nearest("Alen")
            (' Did you mean 12?', " Did you mean 'Alien'?")
        """
        known, text = list(map(str, self.vocab)), str(one).strip()
        told = nearest(text, [text] if text in known else known)
        return told if self._kind == "text" else told.replace("'", "")

    def _refuse_other_kind(self, column: pd.Series) -> None:
        if not len(self._index) or _kind_of(column) == self._kind:
            return
        for row, one in enumerate(column):
            if not _is_missing(one) and _kind(one) != self._kind:
                raise BadRowError(
                    row,
                    f"column {self.name!r} holds {_kind(one)} ({plain(one)!r}), but the ids known "
                    f"from training are {self._kind} such as {self.classes[1]!r}, and it would not "
                    f"be found; convert the column{_CONVERT.get(self._kind, '')}",
                )


_CONVERT = {"text": " with .astype(str)", "numbers": " with pd.to_numeric"}


def _index(values: Any) -> pd.Index:
    # Pandas would make a table of ids that are tuples.
    index: pd.Index = pd.Index(values, tupleize_cols=False)
    return index


def _kind_of(values: pd.Series) -> str:
    """What `values` are, in a word or two.

    Example:
        >>> _kind_of(pd.Series(["a", None])), _kind_of(pd.Series([1, "a"]))
        ('text', 'values of several kinds')
    """
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found in _KINDS:
        return _KINDS[found]
    kinds = dict.fromkeys(_kind(one) for one in values if not _is_missing(one))
    return next(iter(kinds)) if len(kinds) == 1 else _SEVERAL if kinds else _NONE


def _kind(one: object) -> str:
    if isinstance(one, bool | np.bool_):
        return "truth values"
    if isinstance(one, str):
        return "text"
    if isinstance(one, pd.Timestamp | np.datetime64):
        return "dates"
    return "numbers" if isinstance(one, Number) else f"values of type {type(one).__name__}"


def plain(one: Any) -> Any:
    """A number of Python for one of NumPy, which prints with its type."""
    return one.item() if isinstance(one, np.number | np.bool_) else one


def _is_missing(one: Any) -> bool:
    return bool(pd.api.types.is_scalar(one) and pd.isna(one))


def check_ids(column: pd.Series, told: str) -> None:
    """Nothing, if each row of `column` holds an id, and all are of one kind.

    Args:
        column: the ids.
        told: what it is, for the message.

    Raises:
        BadRowError: names the first row that is wrong.
    """
    missing = column.isna().to_numpy()
    if missing.any():
        raise BadRowError(int(missing.argmax()), f"{told} has no id there (a missing value)")
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        infinite = np.isinf(column.to_numpy())
        if infinite.any():
            raise BadRowError(int(infinite.argmax()), f"{told} has an infinite number there")
    if _kind_of(column) == _SEVERAL:
        first = plain(column.iloc[0])
        row, wrong = next((i, one) for i, one in enumerate(column) if _kind(one) != _kind(first))
        raise BadRowError(
            row,
            f"{told} holds {_kind(wrong)} ({plain(wrong)!r}), and {_kind(first)} such as {first!r} "
            "before; ids are of one kind: convert the column, with .astype(str)",
        )
    if column.dtype == object:
        for row, one in enumerate(column):
            if not isinstance(one, Hashable):
                raise BadRowError(row, f"{told} holds {one!r}, which cannot be an id")
