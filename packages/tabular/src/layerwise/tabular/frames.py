"""What the columns of a frame hold: numbers or categories, in types as small as do."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from layerwise.core.items import listify
from layerwise.tabular.columns import require_columns

__all__ = ["cont_cat_split", "df_shrink", "df_shrink_dtypes"]

_SIGNED = ("int8", "int16", "int32")
_UNSIGNED = ("uint8", "uint16", "uint32")


def cont_cat_split(
    df: pd.DataFrame, max_card: int = 20, dep_var: str | Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """The names of the continuous columns of a frame, and those of its categories.

    Floats are continuous, and so are integers with more than `max_card` different values; all else
    is a category. Points and spans of time are neither: as categories, the dates to come would all
    be unknown. They are left out with a warning.

    Args:
        df: the frame.
        max_card: integers with up to this many different values count as codes; the default is that
            of fastai.
        dep_var: the target, or several; in neither list.

    Returns:
        Names of the continuous columns, names of the categories; each in the order of the frame.

    Raises:
        ValueError: if the frame has no column `dep_var`.

    Warns:
        UserWarning: for columns of dates or of spans of time.

    Example:
        >>> df = pd.DataFrame({"age": [20, 30, 40], "job": list("aba"), "pay": [1.5, 2.0, 3.0]})
        >>> cont_cat_split(df, max_card=2, dep_var="pay")
        (['age'], ['job'])
    """
    targets = listify(dep_var)
    require_columns(df, [*df.columns, *targets])
    cont_names: list[str] = []
    cat_names: list[str] = []
    times: list[str] = []
    for name in (column for column in df.columns if column not in targets):
        column = df[name]
        if _is_time(column):
            times.append(name)
        elif types.is_float_dtype(column) or (
            types.is_integer_dtype(column) and column.nunique() > max_card
        ):
            cont_names.append(name)
        else:
            cat_names.append(name)
    if times:
        warnings.warn(
            f"columns {times} hold times, which are neither numbers nor categories, and are left "
            "out; add_datepart makes columns of a date that a model can use, .dt.total_seconds() "
            "makes a number of a span; drop them to be rid of this warning",
            stacklevel=2,
        )
    return cont_names, cat_names


def _is_time(column: pd.Series[Any]) -> bool:
    return (
        types.is_datetime64_any_dtype(column)
        or types.is_timedelta64_dtype(column)
        or isinstance(column.dtype, pd.PeriodDtype)
    )


def df_shrink_dtypes(
    df: pd.DataFrame,
    skip: str | Sequence[str] = (),
    obj2cat: bool = True,
    int2uint: bool = False,
) -> dict[str, Any]:
    """The smallest type that holds the values of each column, for the columns that can shrink.

    Numbers keep their kind (integers stay integers, also those that may be missing), and never
    grow. Whole numbers stay apart: a column of floats that are all whole becomes `float32` only if
    that holds each exactly. Other floats are rounded to the seven digits of `float32`, which
    models compute with.

    Args:
        df: the frame.
        skip: columns to leave as they are.
        obj2cat: text and objects become categories, which store each different value once.
        int2uint: integers that are never negative become unsigned.

    Returns:
        The new type by name of the column, as `DataFrame.astype` takes it.

    Raises:
        ValueError: if `skip` names a column that is not there.

    Example:
        >>> df = pd.DataFrame({"i": [-100, 0, 100], "f": [0.5, 1.0, 2.0], "e": [True, False, True]})
        >>> df_shrink_dtypes(df)
        {'i': 'int8', 'f': 'float32'}
        >>> df_shrink_dtypes(df.abs(), skip="f", int2uint=True)
        {'i': 'uint8'}
    """
    skipped = listify(skip)
    require_columns(df, [*df.columns, *skipped])
    smaller: dict[str, Any] = {}
    for name in (column for column in df.columns if column not in skipped):
        column = df[name]
        found = None
        if types.is_object_dtype(column) or isinstance(column.dtype, pd.StringDtype):
            found = "category" if obj2cat else None
        elif not isinstance(column.dtype, np.dtype) and not _may_be_missing(column):
            continue  # sparse columns and those of Arrow, whose size is somebody's decision
        elif types.is_integer_dtype(column):
            found = _integer_type(column, unsigned=int2uint)
        elif types.is_float_dtype(column):
            found = _float_type(column)
        if found is not None:
            smaller[name] = found
    return smaller


def _may_be_missing(column: pd.Series[Any]) -> bool:
    """Whether it is one of pandas' own numbers that may be missing: `Int64`, `Float64`, ..."""
    return isinstance(column.array, (pd.arrays.IntegerArray, pd.arrays.FloatingArray))


def _integer_type(column: pd.Series[Any], *, unsigned: bool) -> str | None:
    """The first type with room for all values that takes less than the column's."""
    if column.isna().all():
        return None
    low, high = int(column.min()), int(column.max())
    for name in _UNSIGNED if unsigned and low >= 0 else _SIGNED:
        room = np.iinfo(name)
        if room.bits // 8 < _item_size(column) and room.min <= low and high <= room.max:
            return _of_same_kind(name, column)
    return None


def _float_type(column: pd.Series[Any]) -> str | None:
    """`float32`, if that is smaller, has room, and keeps whole numbers apart."""
    if _item_size(column) <= np.dtype("float32").itemsize:
        return None
    values = column.to_numpy("float64", na_value=np.nan)
    values = values[np.isfinite(values)]
    if np.abs(values).max(initial=0) > np.finfo("float32").max:
        return None
    are_whole = bool((values == np.floor(values)).all())
    if are_whole and not (values.astype("float32") == values).all():
        return None
    return _of_same_kind("float32", column)


def _item_size(column: pd.Series[Any]) -> int:
    """Bytes that a number of the column takes; those that may be missing are called `Int64`."""
    return np.dtype(str(column.dtype).lower()).itemsize


def _of_same_kind(name: str, column: pd.Series[Any]) -> str:
    """The name of the type, in capitals where the column's own may be missing: `UInt8`."""
    if not _may_be_missing(column):
        return name
    return name.replace("uint", "UInt").replace("int", "Int").replace("float", "Float")


def df_shrink(
    df: pd.DataFrame,
    skip: str | Sequence[str] = (),
    obj2cat: bool = True,
    int2uint: bool = False,
) -> pd.DataFrame:
    """A frame of the same values in types as small as hold them; see `df_shrink_dtypes`.

    Args:
        df: the frame; it stays as it is.
        skip: columns to leave as they are.
        obj2cat: text and objects become categories.
        int2uint: integers that are never negative become unsigned.

    Raises:
        ValueError: if `skip` names a column that is not there.
        TypeError: for a column of objects that cannot be categories, such as lists; `skip` it.

    Example:
        >>> df = df_shrink(pd.DataFrame({"i": [-100, 100], "t": ["a", "b"]}))
        >>> [str(dtype) for dtype in df.dtypes]
        ['int8', 'category']
    """
    smaller = df_shrink_dtypes(df, skip, obj2cat, int2uint)
    try:
        return df.astype(smaller)
    except TypeError as error:
        objects = [name for name in smaller if types.is_object_dtype(df[name])]
        error.add_note(
            "objects without a hash, such as lists, cannot be categories; leave their column as "
            f"it is with skip=, one of {objects}"
        )
        raise
