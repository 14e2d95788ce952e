"""Any table gives its columns by name, and numbers are numbers or named as what they are not."""

import datetime
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from layerwise.tabular.source import Source, numbers

ROWS = [{"age": 39, "job": "clerk"}, {"age": 50, "job": None}, {"age": 28, "job": "smith"}]


def listed(column):
    """The values, with None for those that are missing."""
    return [
        None if missing else value for value, missing in zip(column, pd.isna(column), strict=True)
    ]


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS, index=["x", "y", "z"]),
        pl.DataFrame(ROWS),
        pa.Table.from_pylist(ROWS),
        pa.RecordBatch.from_pylist(ROWS),
        {"age": [39, 50, 28], "job": ["clerk", None, "smith"]},
        {"age": np.array([39, 50, 28]), "job": pd.Series(["clerk", None, "smith"])},
        ROWS,
        tuple(ROWS),
        [pd.Series(row) for row in ROWS],
    ],
    ids=lambda data: type(data).__module__.partition(".")[0] + " " + type(data).__name__,
)
def test_every_kind_of_table_has_the_same_columns(data):
    source = Source(data)
    assert source.names == ["age", "job"]
    assert len(source) == 3
    assert listed(source.column("age")) == [39, 50, 28]
    assert listed(source.column("job")) == ["clerk", None, "smith"]


@pytest.mark.parametrize("row", [ROWS[0], pd.Series(ROWS[0]), [ROWS[0]], pd.DataFrame(ROWS[:1])])
def test_a_row_is_a_table_of_one(row):
    source = Source(row)
    assert len(source) == 1
    assert listed(source.column("age")) == [39]
    assert listed(source.column("job")) == ["clerk"]


def test_a_row_may_hold_a_list_of_labels():
    source = Source({"age": 39, "tags": ["red", "blue"]})
    assert len(source) == 1
    assert source.column("tags")[0] == ["red", "blue"]


def test_a_row_that_lacks_a_value_has_it_missing():
    source = Source([{"age": 39, "job": "clerk"}, {"job": "smith"}])
    assert listed(source.column("age")) == [39, None]


def test_a_frame_keeps_its_index_and_others_have_none():
    frame = pd.DataFrame(ROWS, index=[7, 7, 9])
    assert list(Source(frame).index) == [7, 7, 9]
    assert Source(pl.DataFrame(ROWS)).index is None


def test_columns_of_numbers_are_not_copied():
    frame = pd.DataFrame({"age": np.arange(5.0)})
    assert np.shares_memory(Source(frame).column("age"), frame["age"].to_numpy())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("adult.csv", "not str .read files first, for example with read_table"),
        (np.zeros((2, 2)), r"not ndarray .give its columns names: pd.DataFrame\(data, columns="),
        (pl.DataFrame(ROWS).lazy(), r"not LazyFrame .call its collect\(\) first"),
        (pl.Series("age", [1]), "not Series"),
        (3, "not int: a frame of pandas or polars, a table of pyarrow, one row"),
        ([1, 2], "a list of rows is needed, each a Series or a dict by column, and .* a int"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(data, said):
    with pytest.raises(TypeError, match=said):
        Source(data)


def test_two_columns_of_one_name_are_refused():
    frame = pd.DataFrame([[1, 2, 3]], columns=["age", "job", "age"])
    with pytest.raises(ValueError, match="the same name: age; rename all but one"):
        Source(frame)
    table = pa.table([pa.array([1]), pa.array([2])], names=["job", "job"])
    with pytest.raises(ValueError, match="the same name: job"):
        Source(table)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"different lengths: \{'age': 2, 'job': 1\}"):
        Source({"age": [1, 2], "job": ["clerk"]})


def test_missing_columns_are_named_with_the_nearest():
    source = Source(ROWS)
    source.require(["job", "age"])
    with pytest.raises(ValueError, match=r"lacks the column 'jobs' \(did you mean 'job'\?\)\. It"):
        source.require(["age", "jobs"])
    with pytest.raises(
        ValueError, match=r"lacks the columns 'q0', .* and 4 more. It has: age, job"
    ):
        source.require([f"q{i}" for i in range(12)])


def test_asking_for_many_columns_of_a_wide_table_is_quick():
    names = [f"x{i}" for i in range(20_000)]
    source = Source(dict.fromkeys(names, 1.0))
    start = time.perf_counter()
    source.require(names)
    assert time.perf_counter() - start < 2  # a list would take 4 seconds and more


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_long_whole_numbers_with_gaps_stay_what_they_are(kind):
    values = [2**60 + 1, None, 3]  # 2**60 + 1 is no float64
    table = pl.DataFrame({"id": values}) if kind == "polars" else pa.table({"id": values})
    assert listed(Source(table).column("id")) == values


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.array([1, 2], dtype=np.int8), [1, 2]),
        (np.array([True, False]), [1, 0]),
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (pd.array([1.5, None], dtype="Float32"), [1.5, None]),
        (pd.array([True, None], dtype="boolean"), [1, None]),
        (pd.array([1, None], dtype="int64[pyarrow]"), [1, None]),
        (pd.Categorical([3, None, 1]), [3, None, 1]),
        (pd.arrays.SparseArray([0.0, 1.0]), [0, 1]),
        (np.array([Decimal("1.5"), 2, None, np.nan, pd.NA, True], dtype=object),
         [1.5, 2, None, None, None, 1]),
        (np.array([None, None], dtype=object), [None, None]),
        (np.array([], dtype=object), []),
    ],
)  # fmt: skip
def test_numbers_of_any_type_are_read(column, expected):
    found = numbers(column, "rooms")
    np.testing.assert_array_equal(found, np.array(expected, dtype=float))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "two", 3], r"column 'rooms' is to hold numbers, and row 1 has 'two' \(str\); clean"),
        ([None, "1"], r"row 1 has '1' \(str\)"),
        ([1, [2]], r"row 1 has \[2\] \(list\)"),
        ([1 + 2j], "row 0 has .*complex"),
        ([datetime.date(2020, 1, 1)], "turn dates into numbers with add_datepart"),
        ([1, -1e31, 1e40], "column 'rooms' has 2 numbers beyond 1e.30, the first in row 1"),
        ([1, np.inf, -np.inf], "column 'rooms' has 2 infinite values, the first in row 1"),
    ],
)
def test_what_is_no_number_is_named(values, said):
    with pytest.raises(ValueError, match=said):
        numbers(Source([{"rooms": value} for value in values]).column("rooms"), "rooms")


@pytest.mark.parametrize("dtype", ["datetime64[us]", "string", "str", "timedelta64[s]"])
def test_columns_of_other_types_are_named(dtype):
    raw = ["2020-01-01"] if "date" in dtype else ["two"] if "str" in dtype else [3]
    column = Source(pd.DataFrame({"rooms": pd.Series(raw).astype(dtype)})).column("rooms")
    with pytest.raises(ValueError, match="column 'rooms' is to hold numbers, and row 0 has"):
        numbers(column, "rooms")


def test_dates_of_polars_are_dates():
    frame = pl.DataFrame({"day": [datetime.date(2020, 1, 1), None]})
    with pytest.raises(ValueError, match="add_datepart"):
        numbers(Source(frame).column("day"), "day")
