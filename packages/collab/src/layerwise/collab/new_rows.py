"""Rows that a model is asked about, as codes: a frame of many, or a few one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from layerwise.collab.ids import BadRowError, Ids
from layerwise.collab.tables import rating_values
from layerwise.collab.types import UserItem
from layerwise.core.errors import DataError

__all__: list[str] = []

Arrays = tuple[NDArray[np.int32], NDArray[np.float32] | None]


def new_rows(rows: Any, names: Sequence[str], both: tuple[Ids, Ids]) -> Arrays:
    """(N, 2) codes of user and item, and (N,) ratings or None.

    Args:
        rows: a frame; or a list of rows, which are mappings or series with a value for each name,
            or tuples of these values.
        names: of the columns of user, item and, where wanted, rating.
        both: the ids of users, and of items.

    Raises:
        DataError: if a column is missing; names the nearest.
        BadRowError: for the first row that is wrong.

    Example:
        >>> ids = Ids("user", ["ann", "bob"]), Ids("film", ["Alien", "Brazil"])
        >>> new_rows([("bob", "Alien"), {"user": "zoe", "film": "Brazil"}], ["user", "film"], ids)
        (array([[2, 1],
               [0, 2]], dtype=int32), None)
    """
    if isinstance(rows, pd.DataFrame):
        return _of_frame(rows, names, both)
    rows = list(rows)
    if len(rows) == 1 and isinstance(rows[0], pd.DataFrame):
        if len(rows[0]) != 1:
            raise DataError(
                f"a frame of {len(rows[0])} rows where one row was expected; for many, "
                "learn.get_preds(dl=learn.dls.test_dl(df))"
            )
        return _of_frame(rows[0], names, both)
    values = [_values(i, row, names) for i, row in enumerate(rows)]
    codes = [
        [both[0].code(user, i), both[1].code(item, i)] for i, (user, item, *_) in enumerate(values)
    ]
    pairs = np.array(codes, dtype=np.int32).reshape(-1, 2)
    if len(names) == 2:
        return pairs, None
    return pairs, rating_values(pd.Series([row[2] for row in values], name=names[2]))


def _of_frame(df: pd.DataFrame, names: Sequence[str], both: tuple[Ids, Ids]) -> Arrays:
    df = df.rename(columns=str)  # of a file without names they are numbers
    twice = df.columns[df.columns.duplicated()]
    if len(twice):
        raise DataError(f"the frame has several columns named {twice[0]!r}; rename all but one")
    for name in names:
        if name not in df.columns:
            raise DataError(_missing(name, df.columns, names))
    pairs = np.stack([ids.codes(df[ids.name]) for ids in both], axis=1)
    return pairs, rating_values(df[names[2]]) if len(names) > 2 else None


def _values(place: int, row: Any, names: Sequence[str]) -> list[Any]:
    """What a row has under these names."""
    if isinstance(row, UserItem):
        row = (row.user, row.item)
    if isinstance(row, tuple | list) and len(row) == len(names):
        return list(row)
    if not isinstance(row, Mapping | pd.Series):
        raise BadRowError(
            place,
            f"{row!r:.100} is no row; give a mapping with {' and '.join(map(repr, names))}, or "
            f"{len(names)} values in this order",
        )
    for name in names:
        if name not in row:
            raise BadRowError(place, _missing(name, row.keys(), names))
    return [row[name] for name in names]


def _missing(name: str, there: Iterable[Any], names: Sequence[str]) -> str:
    """What to say of a missing column: its name, and which of those that are spare is meant."""
    there = list(map(str, there))
    close = get_close_matches(name, [one for one in there if one not in names], n=1)
    hint = f". Rename {close[0]!r} to {name!r}" if close else ""
    return f"column {name!r} is missing; there are: {', '.join(there)}{hint}"
