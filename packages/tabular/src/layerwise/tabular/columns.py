"""Columns of a frame by name: asked for, and added, with errors that name what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from layerwise.core.errors import nearest
from layerwise.core.items import is_iter

__all__: list[str] = []

Names = Any  # of columns: a list of them, or one alone


def listed_names(names: Names) -> list[Any]:
    """The names of columns, of which one may be given alone.

    Example:
        >>> listed_names("age"), listed_names(None), listed_names(("age", "rooms"))
        (['age'], [], ['age', 'rooms'])
    """
    if names is None:
        return []
    return list(names) if is_iter(names) and not isinstance(names, str) else [names]


def require_columns(df: pd.DataFrame, names: Iterable[Any]) -> None:
    """Refuse what is no frame, and a frame in which one of `names` is missing or stands twice.

    Raises:
        TypeError: for anything but a frame of pandas.
        ValueError: for a name that no column has, or that several columns have.

    Example:
        >>> require_columns(pd.DataFrame({"price": [1]}), ["prize"])
        Traceback (most recent call last):
        ...
        ValueError: the frame has no column 'prize'. Did you mean 'price'? It has: price
    """
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"a DataFrame of pandas is needed, not {type(df).__name__}")
    for name in names:
        count = int((df.columns == name).sum())
        if count > 1:
            raise ValueError(
                f"{count} columns of the frame are called {name!r}; rename all but one"
            )
        if not count:
            known = [str(column) for column in df.columns]
            listed = ", ".join(known[:20]) + (", ..." if known[20:] else "")
            raise ValueError(
                f"the frame has no column {name!r}.{nearest(str(name), known)} It has: {listed}"
            )


def refuse_missing(df: pd.DataFrame, names: Iterable[Any]) -> None:
    """Refuse a frame in which a row has no time, or no series, that `names` are the columns of.

    Raises:
        ValueError: if a value is missing; says how many are, and where the first is.

    Example:
        >>> refuse_missing(pd.DataFrame({"day": [1.0, None]}), ["day"])
        Traceback (most recent call last):
        ...
        ValueError: 1 row has no 'day', the first that of index 1, and so no place in time; ...
    """
    for name in names:
        missing = df[name].isna().to_numpy()
        if count := int(missing.sum()):
            raise ValueError(
                f"{count} row{'s have' if count > 1 else ' has'} no {name!r}, the first that of "
                f"index {df.index[int(missing.argmax())]!r}, and so no place in time; drop or fill "
                "them first"
            )


def with_columns(df: pd.DataFrame, new: Mapping[str, Any]) -> pd.DataFrame:
    """`df` with further columns on its right; `df` itself stays as it is.

    Args:
        df: the frame.
        new: values of each further column, one per row in the order of the rows.

    Raises:
        ValueError: if there is a column of such a name; it is not overwritten.

    Example:
        >>> with_columns(pd.DataFrame({"a": [1, 2]}, index=[7, 7]), {"b": [3, 4]})
           a  b
        7  1  3
        7  2  4
    """
    taken = [name for name in new if name in df.columns]
    if taken:
        raise ValueError(
            f"the frame has columns {', '.join(map(repr, taken[:5]))} already, which would be "
            "overwritten; rename or drop them first"
        )
    # Joined at once: a frame that grows by a hundred columns one by one is slow, and pandas warns.
    added = pd.DataFrame({name: pd.Series(values).array for name, values in new.items()})
    return pd.concat([df, added.set_axis(df.index)], axis=1)
