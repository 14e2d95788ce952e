"""Lags and windows agree with looking at every row, and nothing later than allowed is seen."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.items import L
from layerwise.tabular.series import TimeSplitter, add_lags, add_rolling

STATS = ["max", "mean", "median", "min", "std", "sum"]


@st.composite
def tables(draw):
    """Rows of up to three series at irregular times, in any order, with an index that repeats."""
    cells = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 99))
    rows = draw(st.lists(cells, min_size=1, max_size=30, unique=True))
    # Values with an exact sum, so that the order of adding does not matter.
    number = st.one_of(st.none(), st.integers(-1000, 1000).map(lambda n: n / 4))
    values = draw(st.lists(number, min_size=len(rows), max_size=len(rows)))
    index = draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    return pd.DataFrame(
        {
            "shop": [shop for shop, _ in rows],
            "day": [pd.Timestamp("2020-01-01") + pd.Timedelta(days=day) for _, day in rows],
            "sales": np.array(values, dtype="float64"),
        },
        index=index,
    )


def earlier(df, place, by):
    """The values of the rows of the same series that are earlier than row `place`, in order."""
    rows = df.reset_index(drop=True)
    own = rows["day"] < rows["day"][place]
    if by:
        own &= rows["shop"] == rows["shop"][place]
    return rows[own].sort_values("day")["sales"].tolist()


def one_series(df):
    return df.drop_duplicates("day")


@settings(deadline=None)
@given(tables(), st.lists(st.integers(1, 6), min_size=1, unique=True), st.booleans())
def test_lags_are_those_of_looking_at_every_row(df, lags, grouped):
    by, df = ("shop", df) if grouped else (None, one_series(df))
    out = add_lags(df, "sales", lags, time="day", by=by)
    assert out.index.equals(df.index)
    for lag in lags:
        before = [earlier(df, place, by) for place in range(len(df))]
        expected = [values[-lag] if len(values) >= lag else np.nan for values in before]
        np.testing.assert_array_equal(out[f"sales_lag{lag}"], expected)


SLOW: dict[str, Callable[[list[float]], Any]] = {
    "max": max, "min": min, "sum": sum, "mean": np.mean, "median": np.median,
    "std": lambda values: np.std(values, ddof=1) if len(values) > 1 else np.nan,
}  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(tables(), st.integers(2, 5), st.integers(1, 4), st.booleans())
def test_windows_are_those_of_looking_at_every_row(df, window, horizon, grouped):
    by, df = ("shop", df) if grouped else (None, one_series(df))
    out = add_rolling(df, "sales", window, time="day", by=by, horizon=horizon, stats=STATS)
    assert out.index.equals(df.index)
    for place in range(len(df)):
        # The row itself and `horizon - 1` before it are unknown; then the window, without gaps.
        known = earlier(df, place, by)
        known = known[: max(0, len(known) - horizon + 1)][-window:]
        values = [value for value in known if not np.isnan(value)]
        for stat in STATS:
            expected = SLOW[stat](values) if values else np.nan
            got = out[f"sales_{stat}{window}"].iloc[place]
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-6)


@settings(deadline=None)
@given(tables(), st.integers(1, 4), st.integers(0, 99), st.floats(-1e6, 1e6))
def test_what_happens_later_changes_nothing_that_was_allowed_to_see_only_earlier(
    df, horizon, split, other
):
    start = pd.Timestamp("2020-01-01") + pd.Timedelta(days=split)
    is_late = (df["day"] >= start).to_numpy()
    changed = df.assign(sales=np.where(is_late, other, df["sales"]))

    def features(table):
        asked = {"time": "day", "by": "shop", "horizon": horizon}
        table = add_lags(table, "sales", [horizon, horizon + 2], **asked)
        return add_rolling(table, "sales", [2, 7], stats=STATS, **asked).iloc[:, 3:]

    before, after = features(df), features(changed)
    # Steps from the first changed row of the series: up to `horizon - 1` no value of it is known.
    late = df.reset_index(drop=True)[is_late].sort_values("day")
    blind = late.groupby("shop").head(horizon).index
    may_not_change = ~is_late
    may_not_change[blind] = True
    pd.testing.assert_frame_equal(before[may_not_change], after[may_not_change], check_exact=True)


def test_the_horizon_is_the_first_row_that_sees_a_change():
    df = pd.DataFrame({"t": range(8), "y": np.zeros(8)})
    changed = df.assign(y=[0, 0, 0, 0, 100, 0, 0, 0])
    asked = {"time": "t", "horizon": 3}
    for make in (
        lambda table: add_lags(table, "y", 3, **asked)["y_lag3"],
        lambda table: add_rolling(table, "y", 2, stats="max", **asked)["y_max2"],
    ):
        seen = np.flatnonzero((make(changed) != make(df)) & make(df).notna())
        assert seen[0] == 4 + 3


def test_rows_may_stand_in_any_order():
    df = pd.DataFrame({"t": [2, 0, 1, 3], "y": [20, 0, 10, 30]}, index=list("wxyz"))
    out = add_rolling(add_lags(df, "y", 1, time="t"), "y", 2, time="t", stats="sum")
    np.testing.assert_array_equal(out["y_lag1"], [10, np.nan, 0, 20])
    np.testing.assert_array_equal(out["y_sum2"], [10, np.nan, 0, 30])
    assert out.index.tolist() == list("wxyz")
    assert list(df.columns) == ["t", "y"]


def test_values_of_any_kind_have_lags():
    df = pd.DataFrame(
        {
            "t": [1, 2],
            "text": ["a", "b"],
            "kind": pd.Categorical(["a", "b"]),
            "when": pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "flag": [True, False],
            "maybe": pd.array([1, 2], dtype="Int64"),
        }
    )
    names = ["text", "kind", "when", "flag", "maybe"]
    out = add_lags(df, names, 1, time="t")
    assert out[[f"{name}_lag1" for name in names]].isna().iloc[0].all()
    for name in names:
        assert out[f"{name}_lag1"][1] == df[name][0]
    assert str(out["flag_lag1"].dtype) == "float64"
    assert str(out["maybe_lag1"].dtype) == "Int64"
    assert out["kind_lag1"].dtype == df["kind"].dtype


def test_statistics_of_truth_values_and_of_integers_that_may_be_missing():
    df = pd.DataFrame({"t": [1, 2, 3], "flag": [True, False, True]})
    df["maybe"] = pd.array([1, None, 3], dtype="Int64")
    out = add_rolling(df, ["flag", "maybe"], 2, time="t", stats="mean")
    np.testing.assert_array_equal(out["flag_mean2"], [np.nan, 1.0, 0.5])
    np.testing.assert_array_equal(out["maybe_mean2"], [np.nan, 1.0, 1.0])


def test_several_columns_tell_series_apart():
    df = pd.DataFrame({"a": [1, 1, 2, 2] * 2, "b": [1, 2] * 4, "t": [0] * 4 + [1] * 4})
    out = add_lags(df.assign(y=range(8)), "y", 1, time="t", by=["a", "b"])
    assert out["y_lag1"].tolist()[4:] == [0, 1, 2, 3]


def test_a_lag_within_the_horizon_is_refused_with_the_reason():
    df = pd.DataFrame({"t": [1], "y": [1.0]})
    with pytest.raises(
        ValueError, match=r"\[1, 2\] are less than horizon=3: .* that of 1 row before"
    ):
        add_lags(df, "y", [1, 2, 3], time="t", horizon=3)


@pytest.mark.parametrize("lags", [0, -1, 1.5, True, [1, 0], "1"])
def test_lags_and_windows_are_whole_numbers_of_rows(lags):
    df = pd.DataFrame({"t": [1], "y": [1.0]})
    with pytest.raises(ValueError, match="is no number of rows"):
        add_lags(df, "y", lags, time="t")
    with pytest.raises(ValueError, match="is no number of rows"):
        add_rolling(df, "y", lags, time="t")
    with pytest.raises(ValueError, match="horizon: 0 is no number of rows"):
        add_rolling(df, "y", 2, time="t", horizon=0)


def test_rows_to_come_get_their_features_from_the_known_ones():
    df = pd.DataFrame({"t": [1, 2, 3, 4], "y": [1.0, 2.0, np.nan, np.nan]})
    out = add_lags(df, "y", 2, time="t", horizon=2)
    assert out["y_lag2"].tolist()[2:] == [1.0, 2.0]


def test_infinite_values_count_as_missing():
    df = pd.DataFrame({"t": [1, 2, 3], "y": [1.0, np.inf, 3.0]})
    assert add_rolling(df, "y", 2, time="t", stats="mean")["y_mean2"].tolist()[1:] == [1.0, 1.0]


def test_unknown_statistics_name_the_nearest():
    df = pd.DataFrame({"t": [1], "y": [1.0]})
    with pytest.raises(ValueError, match=r"called 'meen'\. Did you mean 'mean'"):
        add_rolling(df, "y", 2, time="t", stats="meen")
    with pytest.raises(ValueError, match="1 row has no standard deviation"):
        add_rolling(df, "y", [1, 7], time="t")


def test_two_rows_of_one_time_have_no_order():
    df = pd.DataFrame({"shop": ["a", "b", "b"], "t": [1, 1, 1], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="index 1 and 2 both have 'shop' b, 't' 1"):
        add_lags(df, "y", 1, time="t", by="shop")
    with pytest.raises(ValueError, match="name in by= what tells the series apart"):
        add_lags(df, "y", 1, time="t")


def test_what_cannot_be_put_in_order_is_refused():
    df = pd.DataFrame({"shop": ["a", None], "day": [1.0, np.nan], "text": ["05-02", "1"], "y": 1})
    for asked, words in [
        ({"time": "day"}, "1 row has no 'day', the first that of index 1"),
        ({"time": "y", "by": "shop"}, "1 row has no 'shop'"),
        ({"time": "text"}, "need not be that of time; make dates of it first with make_date"),
        ({"time": "dey"}, "no column 'dey'. Did you mean 'day'"),
        ({"time": "y", "by": "shops"}, "no column 'shops'. Did you mean 'shop'"),
    ]:
        with pytest.raises(ValueError, match=words):
            add_lags(df, "y", 1, **asked)
    with pytest.raises(ValueError, match="no column 'z'"):
        add_rolling(df, "z", 2, time="y")
    with pytest.raises(ValueError, match="statistics need numbers"):
        add_rolling(df.head(1), "text", 2, time="y")


def test_a_table_without_rows_gets_empty_columns():
    df = pd.DataFrame({"t": np.array([], "int64"), "y": np.array([], "float64")})
    out = add_rolling(add_lags(df, "y", 1, time="t"), "y", 2, time="t")
    assert list(out.columns) == ["t", "y", "y_lag1", "y_mean2", "y_std2"]
    assert len(out) == 0


@given(st.lists(st.integers(0, 20), min_size=2, max_size=60), st.floats(0.01, 0.99))
def test_training_is_earlier_than_validation_and_no_time_is_parted(times, share):
    df = pd.DataFrame({"t": times})
    try:
        train, valid = TimeSplitter("t", valid_pct=share)(df)
    except ValueError:
        # All rows from the cut on have the first time, so that nothing is left to train on.
        cut = sorted(times)[-max(1, int(share * len(times)))]
        assert cut == min(times)
        return
    assert type(train) is type(valid) is L
    assert sorted(train + valid) == list(range(len(times)))
    assert train == sorted(train)
    assert valid == sorted(valid)
    assert max(times[i] for i in train) < min(times[i] for i in valid)
    assert len(valid) >= int(share * len(times))
    # Without the rows of its first time, validation would be less than was asked for.
    first = min(times[i] for i in valid)
    assert sum(times[i] > first for i in valid) < max(1, int(share * len(times)))


@pytest.mark.parametrize(
    "start", ["2020-01-03", pd.Timestamp(2020, 1, 3), np.datetime64("2020-01-03")]
)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_validation_begins_at_a_date(start, zone):
    days = pd.date_range("2020-01-01", periods=4, tz=zone)[::-1]
    assert TimeSplitter("d", valid_from=start)(pd.DataFrame({"d": days})) == ([2, 3], [0, 1])


def test_a_number_of_a_time_and_a_date_are_not_compared():
    days = pd.DataFrame({"d": pd.date_range("2011-12-30", periods=4), "year": [1, 2, 3, 4]})
    for column, start in [("d", 2012), ("d", "soon"), ("year", "2012-01-01")]:
        with pytest.raises(ValueError, match=f"cannot be compared with column '{column}'"):
            TimeSplitter(column, valid_from=start)(days)
    with pytest.raises(ValueError, match="cannot be compared") as error:
        TimeSplitter("d", valid_from="2012-01-01T00:00Z")(days)
    assert "zone" in str(error.value.__cause__)
    assert TimeSplitter("year", valid_from=3)(days) == ([0, 1], [2, 3])


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, True])
def test_a_share_without_a_part_is_refused(share):
    with pytest.raises(ValueError, match="leaves a part empty"):
        TimeSplitter("t", valid_pct=share)


def test_two_cuts_are_refused():
    with pytest.raises(ValueError, match="say two cuts"):
        TimeSplitter("t", valid_pct=0.1, valid_from=3)


@pytest.mark.parametrize(("start", "part"), [(0, "training"), (9, "validation")])
def test_an_empty_part_is_refused_with_what_there_is(start, part):
    told = rf"leaves {part} empty: 't' goes from 1 to 4 \(rows: 4, different times: 3\)"
    with pytest.raises(ValueError, match=told):
        TimeSplitter("t", valid_from=start)(pd.DataFrame({"t": [1, 2, 4, 4]}))


def test_a_table_without_rows_cannot_be_split():
    with pytest.raises(ValueError, match="got no items to split"):
        TimeSplitter("t")(pd.DataFrame({"t": np.array([], "int64")}))


def read(mirror, archive, member):
    with tarfile.open(mirror / archive) as opened:
        return pd.read_csv(io.BytesIO(opened.extractfile(member).read()))


def test_walmart_splits_by_weeks_and_its_lags_are_those_of_a_pivot(mirror):
    df = read(mirror, "walmart_sales.tgz", "walmart_sales/Walmart_Store_sales.csv")
    df["Date"] = pd.to_datetime(df["Date"], format="%d-%m-%Y")
    df = df.sample(frac=1, random_state=0)
    train, valid = TimeSplitter("Date")(df)
    assert df["Date"].iloc[train].max() < df["Date"].iloc[valid].min()
    # 143 weeks of 45 stores: a fifth of the rows is 28.6 weeks, and the 29th is not parted.
    assert len(valid) == 29 * 45

    out = add_lags(df, "Weekly_Sales", [1, 52], time="Date", by="Store")
    table = df.pivot(index="Date", columns="Store", values="Weekly_Sales")
    for lag in (1, 52):
        expected = [
            table.shift(lag).at[date, store]
            for date, store in zip(df["Date"].head(200), df["Store"].head(200), strict=True)
        ]
        np.testing.assert_array_equal(out[f"Weekly_Sales_lag{lag}"].head(200), expected)

    out = add_rolling(df, "Weekly_Sales", 4, time="Date", by="Store", horizon=2)
    expected = table.shift(2).rolling(4, min_periods=1).std().stack()
    got = out.set_index(["Date", "Store"])["Weekly_Sales_std4"].dropna()
    pd.testing.assert_series_equal(
        got.sort_index(), expected.dropna().sort_index(), check_names=False
    )


def test_bike_sharing_is_one_series_of_hours(mirror):
    df = read(mirror, "bike_sharing.tgz", "bike_sharing/hour.csv")
    with pytest.raises(ValueError, match="index 0 and 1 both have 'day' 2011-01-01"):
        add_lags(df.assign(day=pd.to_datetime(df["dteday"])), "cnt", 1, time="day")
    df["when"] = pd.to_datetime(df["dteday"]) + pd.to_timedelta(df["hr"], unit="h")
    out = add_rolling(add_lags(df, "cnt", 24, time="when"), "cnt", 24, time="when", stats="mean")
    np.testing.assert_array_equal(out["cnt_lag24"], df["cnt"].shift(24))
    np.testing.assert_allclose(out["cnt_mean24"][24:], df["cnt"].rolling(24).mean()[23:-1])
    train, valid = TimeSplitter("when", valid_from="2012-07-01")(df)
    assert df["dteday"].iloc[train].max() == "2012-06-30"
    assert df["dteday"].iloc[valid].min() == "2012-07-01"
