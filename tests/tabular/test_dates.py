"""Dates agree with the calendar of Python, and days between events with counting by hand."""

import datetime as dt
import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.tabular.dates import add_datepart, add_elapsed_times, make_date

NAMES = [
    "Year", "Month", "Week", "Day", "Dayofweek", "Dayofyear", "Is_month_end", "Is_month_start",
    "Is_quarter_end", "Is_quarter_start", "Is_year_end", "Is_year_start", "Elapsed",
]  # fmt: skip


def by_the_calendar(when):
    """The parts of a moment, from Python's own calendar."""
    next_day = when + dt.timedelta(days=1)
    month_end, month_start = next_day.month != when.month, when.day == 1
    return [
        when.year, when.month, when.isocalendar().week, when.day, when.weekday(),
        when.timetuple().tm_yday, month_end, month_start,
        month_end and when.month % 3 == 0, month_start and when.month % 3 == 1,
        next_day.year != when.year, when.timetuple().tm_yday == 1,
        when.replace(tzinfo=dt.UTC).timestamp(),
    ]  # fmt: skip


moments = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1)).map(
    lambda when: when.replace(microsecond=0)
)


@settings(deadline=None)
@given(st.lists(moments, min_size=1, max_size=8), st.sampled_from(["s", "ms", "us", "ns"]))
def test_parts_are_those_of_the_calendar_in_every_resolution(whens, unit):
    df = pd.DataFrame({"date": pd.Series(whens, dtype=f"datetime64[{unit}]")})
    out = add_datepart(df, "date")
    assert list(out.columns) == NAMES
    expected = pd.DataFrame([by_the_calendar(when) for when in whens], columns=NAMES)
    pd.testing.assert_frame_equal(out, expected, check_dtype=False)
    assert str(out["Year"].dtype) == "int32"
    assert str(out["Elapsed"].dtype) == "float64"


def test_the_example_of_the_documentation():
    df = pd.DataFrame({"date": ["2019-12-04", None, "2019-11-15", "2019-10-24"]})
    out = add_datepart(df, "date")
    assert out["Year"].tolist()[0] == 2019.0
    assert out[NAMES[:6]].iloc[0].tolist() == [
        2019, 12, 49, 4, 2, 338,
    ]  # fmt: skip
    assert out["Elapsed"].tolist()[2:] == [1573776000.0, 1571875200.0]
    missing = out.loc[1]
    assert missing[[*NAMES[:6], "Elapsed"]].isna().all()
    assert not missing[NAMES[6:12]].any()
    assert all(str(out[name].dtype) == "bool" for name in NAMES[6:12])


@pytest.mark.parametrize(
    ("field", "prefix", "name"),
    [
        ("saledate", None, "saleYear"),
        ("SaleDate", None, "SaleYear"),
        ("Date", None, "Year"),
        ("dated", None, "datedYear"),
        ("dateday", None, "datedayYear"),
        ("saledate", "on_", "on_Year"),
        ("saledate", "", "Year"),
    ],
)
def test_names_begin_with_the_column_or_the_prefix(field, prefix, name):
    out = add_datepart(pd.DataFrame({field: ["2020-01-01"]}), field, prefix)
    assert out.columns[0] == name


def test_drop_and_time():
    df = pd.DataFrame({"x": [1], "date": ["2020-01-01 13:14:15"]}, index=["row"])
    out = add_datepart(df, "date", drop=False, time=True)
    assert list(out.columns) == ["x", "date", *NAMES[:-1], "Hour", "Minute", "Second", "Elapsed"]
    assert out[["Hour", "Minute", "Second"]].iloc[0].tolist() == [13, 14, 15]
    assert "date" not in add_datepart(df, "date")


def test_parts_of_a_zone_are_local_and_elapsed_is_not():
    zoned = pd.DatetimeIndex(["2020-06-30 23:00"], tz="America/New_York")
    out = add_datepart(pd.DataFrame({"date": zoned}), "date", time=True)
    assert out[["Month", "Day", "Hour"]].iloc[0].tolist() == [6, 30, 23]
    assert out["Elapsed"][0] == dt.datetime(2020, 7, 1, 3, tzinfo=dt.UTC).timestamp()


def test_fractions_of_a_second_are_kept():
    out = add_datepart(pd.DataFrame({"date": ["1970-01-01 00:00:00.25"]}), "date")
    assert out["Elapsed"].tolist() == [0.25]


@pytest.mark.parametrize("function", [add_datepart, make_date])
def test_the_frame_that_was_given_stays_as_it_is(function):
    df = pd.DataFrame({"date": ["2020-01-01"], "x": [1.0]})
    before = df.copy(deep=True)
    out = function(df, "date")
    out.loc[0, "x"] = 7.0
    pd.testing.assert_frame_equal(df, before)
    assert list(make_date(df, "date").columns) == ["date", "x"]


@pytest.mark.parametrize(
    "column",
    [
        ["2020-02-03", None],
        pd.Categorical(["2020-02-03", None]),
        [dt.date(2020, 2, 3), None],
        pd.PeriodIndex(["2020-02-03", None], freq="D"),
        pd.to_datetime(["2020-02-03", None]),
    ],
)
def test_dates_come_in_many_kinds(column):
    dates = make_date(pd.DataFrame({"date": column}), "date")["date"]
    assert dates[0] == pd.Timestamp(2020, 2, 3)
    assert dates.isna().tolist() == [False, True]


def test_a_column_without_any_date_is_missing_all_over():
    out = add_datepart(pd.DataFrame({"date": [np.nan, np.nan]}), "date")
    assert out["Year"].isna().all()


@pytest.mark.parametrize("numbers", [[20190101], [2019.5, np.nan], [True]])
def test_numbers_are_not_taken_for_nanoseconds(numbers):
    with pytest.raises(ValueError, match=r"column 'date' holds numbers.*unit='s'"):
        make_date(pd.DataFrame({"date": numbers}), "date")


def test_text_that_is_no_date_says_how_to_read_it():
    df = pd.DataFrame({"Date": ["05-02-2010", "19-02-2010"]})
    with pytest.raises(
        ValueError, match=r"first value is '05-02-2010'.*format='%d-%m-%Y'"
    ) as error:
        add_datepart(df, "Date")
    assert "19-02-2010" in str(error.value.__cause__)


def test_a_taken_name_and_an_unknown_column_are_refused():
    df = pd.DataFrame({"Date": ["2020-01-01"], "Year": [2020]})
    with pytest.raises(ValueError, match="columns 'Year' already"):
        add_datepart(df, "Date")
    with pytest.raises(ValueError, match=r"no column 'date'\. Did you mean 'Date'"):
        add_datepart(df, "date")


EVENTS = pd.DataFrame(
    {
        "date": ["2019-12-04", "2019-11-29", "2019-11-15", "2019-10-24"],
        "event": [False, True, False, True],
        "base": [1, 1, 2, 2],
    }
)


def test_elapsed_times_of_the_example_of_the_documentation():
    out = add_elapsed_times(EVENTS, ["event"], "date", "base")
    assert list(out.columns) == [
        "date", "event", "base", "Afterevent", "Beforeevent", "event_bw", "event_fw",
    ]  # fmt: skip
    assert out["Afterevent"].tolist() == [5, 0, 22, 0]
    assert out["Beforeevent"].tolist() == [0, 0, 0, 0]
    assert out["event_bw"].tolist() == [1, 1, 1, 1]
    assert out["event_fw"].tolist() == [0, 1, 0, 1]
    assert str(out["Afterevent"].dtype) == "int64"
    assert out["date"][0] == pd.Timestamp(2019, 12, 4)
    assert EVENTS["date"][0] == "2019-12-04"


def test_before_counts_down_to_the_next_event():
    df = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=4), "event": [0, 0, 0, 1]})
    out = add_elapsed_times(df.assign(shop="a"), "event", "date", "shop")
    assert out["Beforeevent"].tolist() == [-3, -2, -1, 0]


def test_no_event_can_be_told_from_the_day_itself():
    out = add_elapsed_times(EVENTS, "event", "date", "base", no_event=float("nan"))
    np.testing.assert_array_equal(out["Beforeevent"], [np.nan, 0, np.nan, 0])
    out = add_elapsed_times(EVENTS, "event", "date", "base", no_event=-1)
    assert out["Beforeevent"].tolist() == [-1, 0, -1, 0]


def row_by_row(df, field):
    """What `add_elapsed_times` is to return, by looking at all rows for each row."""
    found = []
    for day, shop in zip(df["date"], df["shop"], strict=True):
        own = df[df["shop"] == shop].sort_values("date")
        events = own["date"][own[field] > 0]
        last, coming = events[events <= day].max(), events[events >= day].min()
        found.append(
            (
                0 if last is pd.NaT else (day - last).days,
                0 if coming is pd.NaT else (day - coming).days,
                own[field][own["date"] <= day].tail(7).sum(),
                own[field][own["date"] >= day].head(7).sum(),
            )
        )
    return pd.DataFrame(
        found, columns=[f"After{field}", f"Before{field}", f"{field}_bw", f"{field}_fw"]
    )


@st.composite
def shops(draw):
    cells = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 60))
    rows = draw(st.lists(cells, min_size=1, max_size=40, unique=True))
    events = draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    days = [pd.Timestamp(2020, 1, 1) + pd.Timedelta(days=day) for _, day in rows]
    index = draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    shop = [shop for shop, _ in rows]
    return pd.DataFrame({"date": days, "shop": shop, "promo": events}, index=index)


@settings(deadline=None, max_examples=60)
@given(shops())
def test_elapsed_times_are_those_of_looking_at_every_row(df):
    out = add_elapsed_times(df, "promo", "date", "shop")
    assert out.index.equals(df.index)
    expected = row_by_row(df.reset_index(drop=True), "promo")
    got = out[expected.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(got, expected, check_dtype=False)


def test_an_event_counts_for_all_rows_of_its_day():
    df = pd.DataFrame({"date": ["2020-01-01 09:00", "2020-01-01 18:00"], "event": [False, True]})
    out = add_elapsed_times(df.assign(shop=1), "event", "date", "shop", no_event=-9)
    assert out["Afterevent"].tolist() == out["Beforeevent"].tolist() == [0, 0]


def test_days_have_24_hours_also_when_clocks_change():
    days = pd.date_range("2020-03-07", periods=3, tz="America/New_York")
    df = pd.DataFrame({"date": days, "event": [True, False, False], "shop": 1})
    assert add_elapsed_times(df, "event", "date", "shop")["Afterevent"].tolist() == [0, 1, 2]


def test_missing_events_are_none():
    df = EVENTS.assign(event=pd.Series([None, True, None, True], dtype=object))
    out = add_elapsed_times(df, "event", "date", "base")
    assert out["Afterevent"].tolist() == [5, 0, 22, 0]
    assert out["event_bw"].tolist() == [1, 1, 1, 1]


def test_text_is_no_event():
    with pytest.raises(ValueError, match="make truth values of it first"):
        add_elapsed_times(EVENTS.assign(event=["0", "a", "0", "b"]), "event", "date", "base")


def test_rows_without_date_or_base_are_refused():
    with pytest.raises(ValueError, match="1 row has no 'date'"):
        add_elapsed_times(
            EVENTS.assign(date=EVENTS["date"].where(EVENTS.index > 0)), "event", "date", "base"
        )
    with pytest.raises(ValueError, match="4 rows have no 'base'"):
        add_elapsed_times(EVENTS.assign(base=None), "event", "date", "base")


@pytest.fixture
def walmart(mirror) -> pd.DataFrame:
    with tarfile.open(mirror / "walmart_sales.tgz") as archive:
        member = archive.extractfile("walmart_sales/Walmart_Store_sales.csv")
        return pd.read_csv(io.BytesIO(member.read()))


def test_dates_of_walmart_are_read_as_they_are_written(walmart):
    with pytest.raises(ValueError, match="could not be read as dates"):
        add_datepart(walmart, "Date")
    dated = walmart.assign(Date=pd.to_datetime(walmart["Date"], format="%d-%m-%Y"))
    out = add_datepart(dated, "Date")
    day, month, year = np.array([text.split("-") for text in walmart["Date"]], dtype=int).T
    for name, expected in (("Day", day), ("Month", month), ("Year", year)):
        np.testing.assert_array_equal(out[name], expected)
    assert (out["Dayofweek"] == 4).all(), "weeks end on Fridays"


def test_holidays_of_walmart_are_counted_from(walmart):
    dated = walmart.assign(Date=pd.to_datetime(walmart["Date"], format="%d-%m-%Y"))
    shuffled = dated.sample(frac=1, random_state=1)
    out = add_elapsed_times(shuffled, "Holiday_Flag", "Date", "Store")
    store = out[out["Store"] == 7].sort_values("Date").set_index("Date")
    # Super Bowl 2010-02-12 and Labor Day 2010-09-10 are the holidays around 2010-03-05.
    row = store.loc["2010-03-05"]
    assert row["AfterHoliday_Flag"] == 21
    assert row["BeforeHoliday_Flag"] == -(dt.date(2010, 9, 10) - dt.date(2010, 3, 5)).days
    assert (store["AfterHoliday_Flag"][store["Holiday_Flag"] == 1] == 0).all()
