"""Dates as columns that a model can use: their parts, and the days between events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from layerwise.core.items import listify
from layerwise.tabular.columns import refuse_missing, require_columns, with_columns

__all__ = ["add_datepart", "add_elapsed_times", "make_date"]

# Parts of a date, and what pandas calls them.
_NUMBERS = {
    "Year": "year", "Month": "month", "Week": "week", "Day": "day", "Dayofweek": "day_of_week",
    "Dayofyear": "day_of_year",
}  # fmt: skip
_TIMES = {"Hour": "hour", "Minute": "minute", "Second": "second"}
_FLAGS = (
    "Is_month_end", "Is_month_start", "Is_quarter_end", "Is_quarter_start", "Is_year_end",
    "Is_year_start",
)  # fmt: skip
_WEEK = 7  # rows of `add_elapsed_times`, one a day


def make_date(df: pd.DataFrame, date_field: str) -> pd.DataFrame:
    """A frame whose column `date_field` holds dates, read from text where it does not yet.

    Unlike fastai's, it leaves `df` as it is: keep what it returns.

    Args:
        df: the frame.
        date_field: column of dates, of periods, or of text in one way of writing. Where text leaves
            it open, the month comes first, as pandas reads it.

    Raises:
        ValueError: for numbers, whose unit is not known, and for text that is no date or is written
            in several ways.

    Example:
        >>> df = make_date(pd.DataFrame({"date": ["2019-12-04", None]}), "date")
        >>> df["date"].dt.year.tolist()
        [2019.0, nan]
    """
    require_columns(df, [date_field])
    return df.assign(**{date_field: _as_dates(df[date_field])})


def _as_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    if types.is_datetime64_any_dtype(column):
        return column
    if isinstance(column.dtype, pd.PeriodDtype):
        return pd.Series(column.dt.to_timestamp())
    known = column.dropna()
    if len(known) and types.is_numeric_dtype(column):
        raise ValueError(
            f"column {column.name!r} holds numbers such as {known.iloc[0]}, which could count from "
            "any day in any unit; make dates of them first, for example with "
            f"pd.to_datetime(df[{column.name!r}], unit='s'), or format='%Y%m%d'"
        )
    try:
        return pd.to_datetime(column)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"column {column.name!r} could not be read as dates; its first value is "
            f"{known.iloc[0]!r}. Say how they are written, for example with "
            f"df[{column.name!r}] = pd.to_datetime(df[{column.name!r}], format='%d-%m-%Y')"
        ) from error


def add_datepart(
    df: pd.DataFrame,
    field_name: str,
    prefix: str | None = None,
    drop: bool = True,
    time: bool = False,
) -> pd.DataFrame:
    """A frame with the parts of a date as columns of their own, on the right.

    They are `Year`, `Month`, `Week` (of ISO 8601), `Day`, `Dayofweek` (0 is Monday), `Dayofyear`,
    `Is_month_end`, `Is_month_start`, `Is_quarter_end`, `Is_quarter_start`, `Is_year_end`,
    `Is_year_start` and `Elapsed`: seconds since 1970 as a float, whatever the column counts in.
    Unlike fastai's, it leaves `df` as it is: keep what it returns.

    Args:
        df: the frame.
        field_name: column of dates, or of what `make_date` reads.
        prefix: begins the new names; by default the name of the column without a `date` or `Date`
            at its end, so that `saledate` gives `saleYear`.
        drop: leave the column itself out.
        time: add `Hour`, `Minute` and `Second` too.

    Returns:
        The frame with the parts. Where the date is missing, numbers are missing, and flags are
        false; numbers are integers in a column without gaps, else floats.

    Raises:
        ValueError: if the column is missing or cannot be read, or a new name is taken.

    Example:
        >>> df = add_datepart(pd.DataFrame({"saledate": ["2019-12-04", None]}), "saledate")
        >>> df[["saleYear", "saleWeek", "saleIs_month_end", "saleElapsed"]]
           saleYear  saleWeek  saleIs_month_end   saleElapsed
        0    2019.0      49.0             False  1.575418e+09
        1       NaN       NaN             False           NaN
    """
    require_columns(df, [field_name])
    if prefix is None:
        prefix = re.sub("[Dd]ate$", "", field_name)
    parts = _parts(_as_dates(df[field_name]), time=time)
    kept = df.drop(columns=field_name) if drop else df
    return with_columns(kept, {prefix + name: values for name, values in parts.items()})


def _parts(dates: pd.Series[Any], *, time: bool) -> dict[str, pd.Series[Any]]:
    parts = {name: _number(dates, called) for name, called in _NUMBERS.items()}
    parts |= {name: getattr(dates.dt, name.lower()) for name in _FLAGS}
    if time:
        parts |= {name: _number(dates, called) for name, called in _TIMES.items()}
    epoch = pd.Timestamp("1970-01-01", tz="UTC" if dates.dt.tz else None)
    # A quotient of spans: what the column counts in (pandas 3 has microseconds) cancels out.
    parts["Elapsed"] = (dates - epoch) / pd.Timedelta(seconds=1)
    return parts


def _number(dates: pd.Series[Any], called: str) -> pd.Series[Any]:
    values = dates.dt.isocalendar().week if called == "week" else getattr(dates.dt, called)
    return pd.Series(values).astype(np.dtype("float64" if dates.hasnans else "int32"))


def add_elapsed_times(
    df: pd.DataFrame,
    field_names: str | Sequence[str],
    date_field: str,
    base_field: str,
    *,
    no_event: float = 0,
) -> pd.DataFrame:
    """A frame with the days between each row and the events before and after it.

    For each field, in the rows with the same `base_field` and in order of their dates:
    `After<field>` is the days since the last event, `Before<field>` those until the next, as a
    negative number; both are 0 on the day of an event. `<field>_bw` is the sum of the field over
    seven rows that end with this one, `<field>_fw` over seven that begin with it: a week, where
    each day has its row.

    `Before` and `_fw` look ahead. They suit events that are known beforehand, such as holidays, and
    would betray a target. Unlike fastai's, the function leaves `df` as it is.

    Args:
        df: the frame, in any order of rows.
        field_names: column of events, or several: truth values, or numbers of which any but 0 is an
            event. A missing value is none.
        date_field: column of dates, or of what `make_date` reads; it holds dates afterwards.
        base_field: column that says which rows belong together, such as a shop.
        no_event: days where there is no event before or after. The default, 0, is that of fastai
            and also stands for the day itself; NaN tells them apart.

    Raises:
        ValueError: if a column is missing, is text instead of events, or a new name is taken; if a
            date or a value of `base_field` is missing.

    Example:
        >>> df = pd.DataFrame({"date": ["2019-12-04", "2019-11-29"], "sale": [False, True]})
        >>> add_elapsed_times(df.assign(shop=1), "sale", "date", "shop").drop(columns="shop")
                date   sale  Aftersale  Beforesale  sale_bw  sale_fw
        0 2019-12-04  False          5           0      1.0      0.0
        1 2019-11-29   True          0           0      1.0      1.0
    """
    fields = listify(field_names)
    require_columns(df, [*fields, date_field, base_field])
    df = make_date(df, date_field)
    refuse_missing(df, [date_field, base_field])
    rows = _in_order(df[date_field], df.groupby(base_field, sort=False, observed=True).ngroup())
    columns: dict[str, pd.Series[Any]] = {}
    for name in fields:
        events = rows.assign(event=_as_events(df[name]))
        for way, ahead in (("After", False), ("Before", True)):
            columns[way + name] = _days_from_event(events, ahead=ahead, no_event=no_event)
        for way, ahead in (("_bw", False), ("_fw", True)):
            columns[name + way] = _sums_of_week(events, ahead=ahead)
    return with_columns(df, {name: column.sort_index() for name, column in columns.items()})


def _in_order(dates: pd.Series[Any], base: pd.Series[Any]) -> pd.DataFrame:
    """The day and base of each row, base by base and in order of time; the index is positions.

    A day is that of the clock on the wall, so that none has 23 hours.
    """
    rows = pd.DataFrame({"day": dates.dt.tz_localize(None).array, "base": base.array})
    rows = rows.sort_values(["base", "day"], kind="stable")
    return rows.assign(day=rows["day"].dt.normalize())


def _as_events(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers by position of the row: what a week's sum adds up."""
    if types.is_object_dtype(column):
        column = column.convert_dtypes()  # truth values of which some are missing
    if not types.is_numeric_dtype(column):
        raise ValueError(
            f"column {column.name!r} has type {column.dtype}, of which nobody knows what is an "
            f"event; make truth values of it first, such as df[{column.name!r}] != '0'"
        )
    return column.astype("float64").fillna(0).reset_index(drop=True)


def _days_from_event(events: pd.DataFrame, *, ahead: bool, no_event: float) -> pd.Series[Any]:
    day, base = events["day"], events["base"]
    at = day.where(events["event"] != 0).groupby(base)
    nearest = at.bfill() if ahead else at.ffill()
    # Of several rows of one day, the event may stand in another than the first.
    nearest = nearest.groupby([base, day]).transform("min" if ahead else "max")
    days = (day - nearest).dt.days.fillna(no_event)
    return days.astype("int64") if float(no_event).is_integer() else days


def _sums_of_week(events: pd.DataFrame, *, ahead: bool) -> pd.Series[Any]:
    by_base = events["event"].groupby(events["base"])
    steps = range(0, -_WEEK, -1) if ahead else range(_WEEK)
    return pd.concat([by_base.shift(step, fill_value=0) for step in steps], axis=1).sum(axis=1)
