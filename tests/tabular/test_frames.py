"""Columns are told apart, and shrink without a change of what they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.tabular.frames import cont_cat_split, df_shrink, df_shrink_dtypes


@pytest.fixture
def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "code": [1, 2, 1, 2],
            "count": [10, 20, 30, 40],
            "price": [0.5, 1.5, 0.5, 1.5],
            "text": ["a", "b", "a", None],
            "flag": [True, False, True, False],
            "kind": pd.Categorical([1, 2, 1, 2]),
            "maybe": pd.array([1, 2, 3, None], dtype="Int64"),
            "half": np.array([1, 2, 3, 4], dtype="float16"),
            "small": np.array([1, 2, 3, 4], dtype="uint8"),
        }
    )


def test_floats_and_integers_of_many_values_are_continuous(mixed):
    cont, cat = cont_cat_split(mixed, max_card=2)
    assert cont == ["count", "price", "maybe", "half", "small"]
    assert cat == ["code", "text", "flag", "kind"]


def test_max_card_counts_what_is_different_and_there(mixed):
    assert "maybe" in cont_cat_split(mixed, max_card=3)[1]
    assert "count" in cont_cat_split(mixed, max_card=3)[0]
    assert cont_cat_split(mixed)[0] == ["price", "half"]


@pytest.mark.parametrize("dep_var", ["price", ["price"], ["price", "code"]])
def test_targets_are_in_neither_list(mixed, dep_var):
    cont, cat = cont_cat_split(mixed, 2, dep_var=dep_var)
    assert not {*cont, *cat} & set([dep_var] if isinstance(dep_var, str) else dep_var)
    assert len(cont) + len(cat) == len(mixed.columns) - len(np.atleast_1d(dep_var))


def test_a_target_that_is_not_there_is_no_silent_leak(mixed):
    with pytest.raises(ValueError, match=r"no column 'Price'\. Did you mean 'price'"):
        cont_cat_split(mixed, dep_var="Price")


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2020-01-01", None]),
        pd.to_datetime(["2020-01-01", None], utc=True),
        pd.to_timedelta(["1D", "2D"]),
        pd.PeriodIndex(["2020-01", "2020-02"], freq="M"),
    ],
)
def test_times_are_left_out_with_a_warning_that_names_add_datepart(times):
    df = pd.DataFrame({"when": times, "x": [1.0, 2.0]})
    with pytest.warns(UserWarning, match=r"\['when'\].*add_datepart"):
        assert cont_cat_split(df) == (["x"], [])


def test_each_column_gets_the_smallest_type():
    df = pd.DataFrame(
        {
            "i8": [-128, 127],
            "i16": [-129, 127],
            "i32": [0, 2**31 - 1],
            "i64": [0, 2**31],
            "f": [-100.5, np.inf],
            "t": ["a", "b"],
            "o": [1, "b"],
            "e": [True, False],
            "d": pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "c": pd.Categorical(["a", "b"]),
        }
    )
    assert df_shrink_dtypes(df) == {
        "i8": "int8", "i16": "int16", "i32": "int32", "f": "float32",
        "t": "category", "o": "category",
    }  # fmt: skip
    assert df_shrink_dtypes(df, skip=["i8", "t"], obj2cat=False, int2uint=True) == {
        "i16": "int16", "i32": "uint32", "i64": "uint32", "f": "float32",
    }  # fmt: skip


def test_types_of_pandas_that_may_be_missing_stay_such():
    df = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "u": pd.array([300, None], dtype="UInt32"),
            "f": pd.array([0.5, None], dtype="Float64"),
            "none": pd.array([None, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
        }
    )
    small = df_shrink(df)
    assert [str(dtype) for dtype in small.dtypes] == [
        "Int8",
        "Int16",
        "Float32",
        "Int64",
        "boolean",
    ]
    assert str(df_shrink(df, int2uint=True)["u"].dtype) == "UInt16"
    pd.testing.assert_frame_equal(small, df, check_dtype=False)


def test_nothing_grows_and_what_is_small_stays():
    df = pd.DataFrame({"u": np.array([200], "uint8"), "h": np.array([1], "float16")})
    assert df_shrink_dtypes(df) == {}
    pd.testing.assert_frame_equal(df_shrink(df), df)


def test_whole_numbers_stay_apart_in_floats():
    # 2**24 + 1 is the first whole number that float32 does not have.
    df = pd.DataFrame({"id": [2.0**24, 2.0**24 + 1], "x": [0.1, 2.0**24 + 1], "big": [1e300, 0.5]})
    assert df_shrink_dtypes(df) == {"x": "float32"}


def test_sparse_columns_are_left_alone():
    df = pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])})
    assert df_shrink_dtypes(df) == {}


def test_a_frame_without_rows_shrinks_to_itself():
    df = pd.DataFrame({"i": np.array([], "int64"), "f": np.array([], "float64")})
    assert len(df_shrink(df)) == 0


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.booleans(),
)
def test_integers_keep_their_values_in_the_least_bytes(values, int2uint):
    df = pd.DataFrame({"x": np.array(values, "int64")})
    small = df_shrink(df, int2uint=int2uint)["x"]
    assert small.tolist() == values
    unsigned = int2uint and min(values) >= 0
    least = next(
        count
        for count in (1, 2, 4, 8)
        if (max(values) < 2 ** (8 * count) if unsigned else max(values) < 2 ** (8 * count - 1))
        and min(values) >= -(2 ** (8 * count - 1))
    )
    assert small.dtype.itemsize == least


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1))
def test_floats_are_rounded_as_numpy_rounds_or_kept(values):
    df = pd.DataFrame({"x": np.array(values, "float64")})
    small = df_shrink(df)["x"]
    with np.errstate(over="ignore"):
        rounded = df["x"].to_numpy().astype(small.dtype)
    np.testing.assert_array_equal(small.to_numpy(), rounded)
    np.testing.assert_array_equal(np.isfinite(small), np.isfinite(df["x"]))


def test_the_frame_that_was_given_stays_as_it_is(mixed):
    before = mixed.copy(deep=True)
    out = df_shrink(mixed)
    out.loc[0, "price"] = 9.0
    pd.testing.assert_frame_equal(mixed, before)


def test_objects_that_cannot_be_categories_name_the_way_out():
    df = pd.DataFrame({"lists": [[1], [2]], "x": [1, 2]})
    with pytest.raises(TypeError) as error:
        df_shrink(df)
    assert "skip=, one of ['lists']" in error.value.__notes__[0]
    assert str(df_shrink(df, skip="lists")["x"].dtype) == "int8"


def test_skip_of_a_column_that_is_not_there_is_refused(mixed):
    with pytest.raises(ValueError, match=r"no column 'texts'\. Did you mean 'text'"):
        df_shrink(mixed, skip="texts")
