"""`Source`: the columns of any table by name, read when they are asked for.

Frames of pandas and polars, tables of pyarrow, mappings of columns, single rows and lists of rows
are all the same from here on: names, and an array for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from layerwise.core.errors import nearest

__all__: list[str] = []

# An array of NumPy, or one of pandas' own (categories, texts, dates, numbers that may be missing).
Array = Any

_KEPT = "biuf"  # kinds of dtype that stay plain arrays: truth values and numbers
# float32 goes to 3.4e38, and what is subtracted from a number and divided by has to fit as well.
_LARGEST = 1e30


class Source:
    """Columns by name.

    Args:
        data: a `DataFrame` of pandas or polars, a `Table` of pyarrow, a mapping from names to
            columns, one row (a `Series`, or a mapping from names to values), or a list of rows.

    Raises:
        TypeError: for anything else.
        ValueError: if two columns have one name, or columns differ in length.

    Example:
        >>> rows = Source([{"age": 39, "job": "clerk"}, {"age": 50, "job": None}])
        >>> rows.names, len(rows), rows.column("age")
        (['age', 'job'], 2, array([39, 50]))
    """

    def __init__(self, data: Any) -> None:
        self.index: pd.Index | None = None
        library = type(data).__module__.partition(".")[0]
        if isinstance(data, pd.DataFrame):
            self.index = data.index
            self._given(list(data.columns), len(data), lambda name: _of_series(data[name]))
        elif isinstance(data, pd.Series):
            self._row(data.to_dict())
        elif library == "polars" and hasattr(data, "get_column"):
            self._given(list(data.columns), len(data), lambda name: _of_polars(data[name]))
        elif library == "pyarrow" and hasattr(data, "column_names"):
            self._given(list(data.column_names), len(data), lambda name: _of_arrow(data[name]))
        elif isinstance(data, Mapping):
            self._mapping(data)
        elif isinstance(data, Sequence) and not isinstance(data, str | bytes):
            self._rows(data)
        else:
            raise TypeError(
                f"a table is needed, not {type(data).__name__}{_hint(data)}: a frame of pandas or "
                "polars, a table of pyarrow, one row (a Series or a dict), or a list of rows"
            )

    def _given(self, names: list[Any], length: int, read: Callable[[Any], Array]) -> None:
        self.names, self._length, self._read = names, length, read
        self._known = frozenset(names)
        if len(self._known) < len(names):
            twice = [str(name) for name, count in Counter(names).items() if count > 1]
            raise ValueError(
                f"several columns have the same name: {', '.join(twice)}; rename all but one of "
                "each"
            )

    def _row(self, values: Mapping[Any, Any]) -> None:
        self._given(list(values), 1, lambda name: _single(values[name]))

    def _mapping(self, data: Mapping[Any, Any]) -> None:
        # A row may hold a list too: labels, of which it has any number.
        if not data or not all(_is_column(value) for value in data.values()):
            self._row(data)
            return
        lengths = {name: len(value) for name, value in data.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"columns of different lengths: {lengths}; give as many values in each"
            )
        self._given(list(data), next(iter(lengths.values())), lambda name: _of_values(data[name]))

    def _rows(self, data: Sequence[Any]) -> None:
        wrong = next((row for row in data if not isinstance(row, Mapping | pd.Series)), None)
        if wrong is not None:
            raise TypeError(
                f"a list of rows is needed, each a Series or a dict by column, and this one has a "
                f"{type(wrong).__name__}"
            )
        rows = [row.to_dict() if isinstance(row, pd.Series) else row for row in data]
        names = list(dict.fromkeys(name for row in rows for name in row))
        self._given(names, len(rows), lambda name: _of_values([row.get(name) for row in rows]))

    def __len__(self) -> int:
        return self._length

    def column(self, name: Any) -> Array:
        """The column `name`: an array of NumPy for numbers, else as pandas holds it."""
        return self._read(name)

    def require(self, names: Iterable[Any]) -> None:
        """Refuse a table that lacks some of `names`.

        Raises:
            ValueError: names those that are missing, and what comes nearest.
        """
        missing = [name for name in names if name not in self._known]
        if not missing:
            return
        known = [str(name) for name in self.names]
        named = ", ".join(f"{name!r}{_or_nearest(name, known)}" for name in missing[:8])
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        listed = ", ".join(known[:20]) + (", ..." if known[20:] else "")
        what = "column" if len(missing) == 1 else "columns"
        raise ValueError(f"the table lacks the {what} {named}{more}. It has: {listed or 'none'}")


def _or_nearest(name: Any, known: list[str]) -> str:
    close = nearest(str(name), known).strip()
    return f" ({close[0].lower()}{close[1:]})" if close else ""


def _hint(data: Any) -> str:
    """What turns `data` into a table, where that is plain."""
    if isinstance(data, str | PathLike):
        return " (read files first, for example with read_table)"
    if hasattr(data, "collect"):
        return " (call its collect() first)"
    return " (give its columns names: pd.DataFrame(data, columns=[...]))" if _is_2d(data) else ""


def _is_2d(data: Any) -> bool:
    return getattr(data, "ndim", 0) == 2


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)


def _single(value: Any) -> Array:
    """A column of one value."""
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return np.array([value])
    column = np.empty(1, dtype=object)
    column[0] = value
    return column


def _of_values(values: Any) -> Array:
    if isinstance(values, np.ndarray) and values.dtype.kind in _KEPT:
        return values
    if isinstance(values, pd.Series):
        return _of_series(values)
    values = list(values)
    if all(isinstance(v, bool | np.bool_) for v in values):
        return np.array(values, dtype=bool)
    if all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values):
        return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _of_series(series: pd.Series) -> Array:
    kind = getattr(series.dtype, "kind", "O")
    is_plain = isinstance(series.dtype, np.dtype) and kind in _KEPT + "O"
    return series.to_numpy() if is_plain else series.array


def _of_polars(series: Any) -> Array:
    if series.dtype.is_integer() and series.null_count():
        return _with_gaps(series.fill_null(0).to_numpy(), series.is_null().to_numpy())
    values = series.to_numpy()
    return values if values.dtype.kind in _KEPT + "O" else pd.Series(values).array


def _of_arrow(column: Any) -> Array:
    if column.null_count and str(column.type).lstrip("u").startswith("int"):
        return _with_gaps(column.fill_null(0).to_numpy(), column.is_null().to_numpy())
    return _of_series(column.to_pandas())


def _with_gaps(values: np.ndarray, gaps: np.ndarray) -> Array:
    """Whole numbers with gaps, which stay whole: as floats, long ones would become others."""
    return pd.arrays.IntegerArray(np.array(values), np.array(gaps))


def numbers(column: Array, name: Any) -> np.ndarray:
    """(N,) the numbers of a column, NaN where there is none.

    Args:
        column: as `Source.column` gives it.
        name: of the column, for messages.

    Raises:
        ValueError: for texts, dates, infinite numbers, those that are too large for 32 bits and
            whatever else is no number; names the column, the first wrong value and its row.

    Example:
        >>> numbers(np.array([1, None, 2.5], dtype=object), "rooms")
        array([1. , nan, 2.5])
    """
    if isinstance(column, np.ndarray) and column.dtype.kind in _KEPT:
        found = column
    elif isinstance(column, pd.api.extensions.ExtensionArray) and _is_number(column.dtype):
        found = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        found = _numbers_of_objects(column, name)
    if found.dtype.kind == "f":
        infinite = np.isinf(found)
        if infinite.any():
            raise ValueError(
                f"column {name!r} has {int(infinite.sum())} infinite values, the first in row "
                f"{int(infinite.argmax())}; replace them (an input may be NaN, which FillMissing "
                "fills)"
            )
        largest = np.asarray(_LARGEST, np.float64)  # against which halves are widened
        beyond = np.abs(found) > largest
        if beyond.any():
            raise ValueError(
                f"column {name!r} has {int(beyond.sum())} numbers beyond {_LARGEST:g}, the first "
                f"in row {int(beyond.argmax())}; models compute in 32 bits: give another unit, or "
                "logarithms"
            )
    return found


def _is_number(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)


def _numbers_of_objects(column: Array, name: Any) -> np.ndarray:
    gaps = np.asarray(pd.isna(column))
    wrong = (row for row, v in enumerate(column) if not gaps[row] and not _has_float(v))
    row = next(wrong, None)
    if row is None:
        return np.where(gaps, np.nan, column).astype(np.float64)
    value = column[row]
    hint = (
        "turn dates into numbers with add_datepart"
        if hasattr(value, "year")
        else "clean them, or name the column in cat_names"
    )
    raise ValueError(
        f"column {name!r} is to hold numbers, and row {row} has {value!r} "
        f"({type(value).__name__}); {hint}"
    )


def _has_float(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str | bytes)
