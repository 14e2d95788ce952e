"""Columns that are missing, double or taken are named; new ones keep the index."""

import pandas as pd
import pytest

from layerwise.tabular.columns import refuse_missing, require_columns, with_columns


def test_a_missing_column_is_told_with_the_nearest():
    df = pd.DataFrame({"weekly_sales": [1], "store": [2]})
    with pytest.raises(ValueError, match=r"no column 'weekly_sale'.*mean 'weekly_sales'.*store"):
        require_columns(df, ["store", "weekly_sale"])


def test_a_name_of_several_columns_is_refused():
    df = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ValueError, match="2 columns of the frame are called 'a'"):
        require_columns(df, ["a"])


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError, match="a DataFrame of pandas is needed, not dict"):
        require_columns({"a": [1]}, ["a"])


def test_many_columns_are_cut_short():
    df = pd.DataFrame({f"c{i}": [0] for i in range(30)})
    with pytest.raises(ValueError, match=r"c19, \.\.\.$"):
        require_columns(df, ["zzzzzz"])


def test_missing_values_are_counted_and_the_first_is_placed():
    df = pd.DataFrame({"day": [1, None, None]}, index=["x", "y", "z"])
    with pytest.raises(ValueError, match="2 rows have no 'day', the first that of index 'y'"):
        refuse_missing(df, ["day"])
    refuse_missing(df.iloc[:1], ["day"])


def test_new_columns_keep_an_index_that_repeats_itself():
    df = pd.DataFrame({"a": [1, 2]}, index=[5, 5])
    out = with_columns(df, {"b": pd.Series([3, 4], index=[9, 8])})
    assert out.index.tolist() == [5, 5]
    assert out["b"].tolist() == [3, 4]
    assert list(df.columns) == ["a"]


def test_a_taken_name_is_not_overwritten():
    with pytest.raises(ValueError, match="columns 'a' already"):
        with_columns(pd.DataFrame({"a": [1]}), {"a": [2]})


def test_hundreds_of_columns_are_added_without_a_warning():
    df = pd.DataFrame({"a": [1, 2]})
    out = with_columns(df, {f"b{i}": pd.Series([i, i]) for i in range(300)})
    assert out.shape == (2, 301)
