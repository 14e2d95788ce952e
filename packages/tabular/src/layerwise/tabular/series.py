"""Rows that follow each other in time: what earlier rows tell the later ones, without a leak.

A row is a step: rows are put in order of time, within each series, wherever they stand. Whoever
predicts `horizon` steps ahead knows nothing later than `horizon` rows before the one to predict, so
no column made here looks at anything later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.api.indexers import BaseIndexer

from layerwise.core.data.split import Parts, size_of
from layerwise.core.errors import nearest
from layerwise.core.items import L, listify
from layerwise.tabular.columns import refuse_missing, require_columns, with_columns

__all__ = ["TimeSplitter", "add_lags", "add_rolling"]

_STATS = ("max", "mean", "median", "min", "std", "sum")


def add_lags(
    df: pd.DataFrame,
    columns: str | Sequence[str],
    lags: int | Sequence[int],
    *,
    time: str,
    by: str | Sequence[str] | None = None,
    horizon: int = 1,
) -> pd.DataFrame:
    """A frame with the values of some columns as they were some rows earlier: `<column>_lag<k>`.

    Rows to be predicted get theirs when they stand below the known ones, with a missing target.

    Args:
        df: the frame, in any order of rows; it stays as it is.
        columns: whose earlier values to add, usually the target's.
        lags: how many rows earlier, one or several. A row is a step: where times are missing from
            a series, such as nights, a lag of 24 rows is not a day.
        time: column of dates or numbers that orders the rows.
        by: column, or several, that tell the series of the table apart, such as a shop; by default
            all rows are one series.
        horizon: how many steps ahead is predicted; no lag may be less.

    Returns:
        The frame with the new columns on the right. The first rows of a series, which have nothing
        before them, have missing values; truth values become the numbers 0 and 1 for that.

    Raises:
        ValueError: for a lag below the horizon; for a column that is missing, or a new name that is
            taken; if times or series are missing, or two rows of a series have the same time.

    Example:
        >>> df = pd.DataFrame({"day": [3, 1, 2], "sales": [30.0, 10.0, 20.0]})
        >>> add_lags(df, "sales", [1, 2], time="day")
           day  sales  sales_lag1  sales_lag2
        0    3   30.0        20.0        10.0
        1    1   10.0         NaN         NaN
        2    2   20.0        10.0         NaN
    """
    names, steps = listify(columns), [_row_count(lag, "lags") for lag in listify(lags)]
    horizon = _row_count(horizon, "horizon")
    if early := [lag for lag in steps if lag < horizon]:
        rows = "1 row" if early[0] == 1 else f"{early[0]} rows"
        raise ValueError(
            f"lags {early} are less than horizon={horizon}: when a value is predicted {horizon} "
            f"rows ahead, that of {rows} before it is not known yet. Take lags from {horizon} "
            f"on, or a smaller horizon"
        )
    series = _InOrder.found_in(df, time, by, names)
    new = {}
    for name in names:
        values = series.of(df[name])
        if types.is_bool_dtype(values):
            values = values.astype("float64")  # truth values have no place for missing ones
        for lag in steps:
            new[f"{name}_lag{lag}"] = series.by_row(values.groupby(series.number).shift(lag))
    return with_columns(df, new)


def add_rolling(
    df: pd.DataFrame,
    columns: str | Sequence[str],
    windows: int | Sequence[int],
    *,
    time: str,
    by: str | Sequence[str] | None = None,
    horizon: int = 1,
    stats: str | Sequence[str] = ("mean", "std"),
) -> pd.DataFrame:
    """A frame with statistics over windows of earlier rows: `<column>_<stat><window>`.

    The window of a row ends `horizon` rows before it, so that a target may be among the columns.

    Args:
        df: the frame, in any order of rows; it stays as it is.
        columns: of numbers or truth values; whose statistics to add, usually the target's.
        windows: how many rows a window has, one or several.
        time: column of dates or numbers that orders the rows.
        by: column, or several, that tell the series of the table apart; by default all rows are one
            series.
        horizon: how many steps ahead is predicted.
        stats: `mean`, `std` (of a sample, as in pandas), `min`, `max`, `sum`, `median`. The default
            is the level and how much it varies.

    Returns:
        The frame with the new columns of floats on the right. A window at the start of a series has
        the rows that there are, and leaves out missing and infinite values; a statistic is missing
        where no value is left (for `std`, only one).

    Raises:
        ValueError: for an unknown statistic, and `std` of one row; for a column that is missing or
            no number, or a new name that is taken; if times or series are missing, or two rows of a
            series have the same time.

    Example:
        >>> df = pd.DataFrame({"day": [1, 2, 3, 4], "sales": [10.0, 20.0, 40.0, 0.0]})
        >>> add_rolling(df, "sales", 2, time="day", stats=["mean", "max"])
           day  sales  sales_mean2  sales_max2
        0    1   10.0          NaN         NaN
        1    2   20.0         10.0        10.0
        2    3   40.0         15.0        20.0
        3    4    0.0         30.0        40.0
    """
    names, kinds = listify(columns), listify(stats)
    sizes = [_row_count(size, "windows") for size in listify(windows)]
    horizon = _row_count(horizon, "horizon")
    _check_stats(kinds, sizes)
    series = _InOrder.found_in(df, time, by, names)
    new = {}
    for name in names:
        if not types.is_numeric_dtype(df[name]):
            raise ValueError(
                f"column {name!r} has type {df[name].dtype}; statistics need numbers or truth "
                "values, of others take add_lags"
            )
        values = series.of(df[name].astype("float64"))
        for size in sizes:
            rolling = values.rolling(_Earlier(series.number, size, horizon), min_periods=1)
            for kind in kinds:
                new[f"{name}_{kind}{size}"] = series.by_row(rolling.agg(kind))
    return with_columns(df, new)


def _row_count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(
            f"{name}: {value!r} is no number of rows; give a whole number from 1 on, several as a "
            "list"
        )
    return int(value)


def _check_stats(stats: Sequence[str], windows: Sequence[int]) -> None:
    for stat in stats:
        if stat not in _STATS:
            raise ValueError(
                f"no statistic is called {stat!r}.{nearest(str(stat), _STATS)} "
                f"There are: {', '.join(_STATS)}"
            )
    if "std" in stats and 1 in windows:
        raise ValueError(
            "a window of 1 row has no standard deviation; take windows of 2 rows and more, or name "
            "stats without 'std'"
        )


@dataclass(frozen=True)
class _InOrder:
    """The rows of a table, series by series and in order of time.

    Attributes:
        rows: (n,) position in the table of each row in this order.
        number: (n,) which series each belongs to, counted from 0; never falls.
    """

    rows: np.ndarray[Any, Any]
    number: np.ndarray[Any, Any]

    @classmethod
    def found_in(
        cls, df: pd.DataFrame, time: str, by: str | Sequence[str] | None, columns: Sequence[str]
    ) -> _InOrder:
        keys = listify(by)
        require_columns(df, [time, *keys, *columns])
        rank = _time_rank(df, time)
        number: np.ndarray[Any, Any] = np.zeros(len(df), dtype=np.int64)
        if keys:
            refuse_missing(df, keys)
            number = df.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
        rows = np.lexsort((rank, number))
        twice = (np.diff(number[rows]) == 0) & (np.diff(rank[rows]) == 0)
        if twice.any():
            first, second = rows[twice.argmax() :][:2]
            raise ValueError(_same_time(df, time, keys, first, second))
        return cls(rows, number[rows])

    def of(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """The values of a column of the table, in this order."""
        return column.iloc[self.rows].reset_index(drop=True)

    def by_row(self, values: pd.Series[Any]) -> pd.Series[Any]:
        """What is in this order, in that of the table."""
        return values.set_axis(self.rows).sort_index()


class _Earlier(BaseIndexer):
    """Windows of `size` rows that end `horizon` rows before each row and stay within its series.

    All in one go: `groupby(...).rolling` looks at each series by itself, ten times slower where
    they are many.
    """

    def __init__(self, number: np.ndarray[Any, Any], size: int, horizon: int) -> None:
        super().__init__()
        first = np.searchsorted(number, number)  # of the series of each row; `number` never falls
        self.ends = np.maximum(first, np.arange(len(number)) - horizon + 1)
        self.starts = np.maximum(first, self.ends - size)

    def get_window_bounds(
        self,
        num_values: int = 0,
        min_periods: int | None = None,
        center: bool | None = None,
        closed: str | None = None,
        step: int | None = None,
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """(n,) first position in the window of each row, and (n,) the one behind its last."""
        del num_values, min_periods, center, closed, step  # pandas insists on these names
        return self.starts, self.ends


def _time_rank(df: pd.DataFrame, time: str) -> np.ndarray[Any, Any]:
    """(n,) place of each row's time among the different times, from 0."""
    _check_time(df[time])
    refuse_missing(df, [time])
    return df[time].factorize(sort=True)[0]


def _check_time(column: pd.Series[Any]) -> None:
    is_number = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    if not (is_number or types.is_datetime64_any_dtype(column)):
        raise ValueError(
            f"column {column.name!r} has type {column.dtype}, whose order need not be that of "
            "time; make dates of it first with make_date, or with "
            f"pd.to_datetime(df[{column.name!r}], format=...)"
        )


def _same_time(df: pd.DataFrame, time: str, keys: Sequence[str], first: int, second: int) -> str:
    place = ", ".join(f"{name!r} {df[name].iloc[first]}" for name in (*keys, time))
    advice = (
        "name in by= also what tells them apart, or merge them"
        if keys
        else "name in by= what tells the series apart, or merge them"
    )
    return (
        f"the rows of index {df.index[first]!r} and {df.index[second]!r} both have {place}, so "
        f"that none is the earlier; {advice}"
    )


@dataclass(frozen=True)
class TimeSplitter:
    """The latest rows of a table validate: each is later than every row that trains.

    Rows of one time are never parted, so that a day does not tell of itself.

    Args:
        column: of dates or numbers, by which time goes.
        valid_pct: least share of the rows for validation, above 0 and below 1. Rows of the time at
            the cut all validate. The default is that of the other splitters.
        valid_from: the first time that validates, instead of a share; for dates a text such as
            "2012-06-01" will do.

    Raises:
        ValueError: if the share is none or comes with `valid_from`; when called, if the column is
            missing, is no time or has gaps, or if a part would be empty.

    Example:
        >>> df = pd.DataFrame({"year": [2012, 2010, 2011, 2012]})
        >>> TimeSplitter("year", valid_pct=0.25)(df)
        ((#2) [1, 2], (#2) [0, 3])
        >>> TimeSplitter("year", valid_from=2011)(df)
        ((#1) [1], (#3) [0, 2, 3])
    """

    column: str
    valid_pct: float = 0.2
    valid_from: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.valid_pct, bool) or not 0 < self.valid_pct < 1:
            raise ValueError(
                f"valid_pct={self.valid_pct!r} leaves a part empty; give a share between 0 and 1"
            )
        if self.valid_from is not None and self.valid_pct != TimeSplitter.valid_pct:
            raise ValueError(
                f"valid_pct={self.valid_pct} and valid_from={self.valid_from!r} say two cuts; give "
                "one of them"
            )

    def __call__(self, items: pd.DataFrame) -> Parts:
        """Positions in the table for training, and for validation; in the order of its rows."""
        require_columns(items, [self.column])
        size_of(items, self)
        times = items[self.column]
        _check_time(times)
        refuse_missing(items, [self.column])
        valid = (times >= self._start(times)).to_numpy(dtype=bool)
        if valid.all() or not valid.any():
            part = "training" if valid.all() else "validation"
            raise ValueError(
                f"{self} leaves {part} empty: {self.column!r} goes from {times.min()} to "
                f"{times.max()} (rows: {len(times)}, different times: {times.nunique()})"
            )
        return L(np.flatnonzero(~valid).tolist()), L(np.flatnonzero(valid).tolist())

    def _start(self, times: pd.Series[Any]) -> Any:
        """The first time that validates."""
        if self.valid_from is None:
            ordered = times.sort_values()
            # At least one row; a share of none would validate nothing without a word.
            return ordered.iloc[-max(1, int(self.valid_pct * len(ordered))) :].min()
        is_number = isinstance(self.valid_from, (int, float, np.number))
        cause = None
        if is_number == types.is_numeric_dtype(times):
            try:
                return self.valid_from if is_number else _moment(self.valid_from, times.dt.tz)
            except (TypeError, ValueError) as error:
                cause = error
        raise ValueError(
            f"valid_from={self.valid_from!r} cannot be compared with column {self.column!r} of "
            f"type {times.dtype}; give a value like {times.iloc[0]}"
        ) from cause


def _moment(value: Any, zone: Any) -> pd.Timestamp:
    """The date that `value` says, by the clock of `zone` unless it has its own."""
    found = pd.Timestamp(value)
    if found.tz is None:
        return found.tz_localize(zone)
    if zone is None:
        raise ValueError("the value has a time zone and the column has none")
    return found
