"""Ids as codes: every kind of id, unknown ones, wrong ones."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.collab.ids import BadRowError, Ids

KINDS = {
    "numbers": st.integers(-(2**60), 2**60),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "text": st.text(max_size=8).filter(lambda text: text != "#na#"),
    "dates": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)),
    "pairs": st.tuples(st.integers(0, 9), st.integers(0, 9)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_those_of_a_dictionary(kind):
    @settings(deadline=None)
    @given(st.lists(KINDS[kind], min_size=1, max_size=20), st.lists(KINDS[kind], max_size=20))
    def check(known, asked):
        ids = Ids.learnt(pd.Series(known, name="id"))
        expected = {one: code for code, one in enumerate(sorted(set(known)), 1)}
        everyone = pd.Series([*known, *asked])
        codes = [expected.get(one, 0) for one in (*known, *asked)]
        assert ids.codes(everyone).tolist() == codes
        assert [ids.code(one) for one in (*known, *asked)] == codes

    check()


def test_classes_begin_with_the_unknown_and_are_sorted():
    ids = Ids.learnt(pd.Series(["b", "a", "b"], name="film"))
    assert list(ids.classes) == ["#na#", "a", "b"]
    assert ids.classes.o2i["b"] == 2
    assert len(ids) == 3


def test_categories_of_pandas_keep_their_order_and_only_those_that_occur():
    column = pd.Series(["low", "high"], name="film").astype(
        pd.CategoricalDtype(["low", "middle", "high"], ordered=True)
    )
    ids = Ids.learnt(column)
    assert list(ids.classes) == ["#na#", "low", "high"]
    asked = pd.Series(["high", "none", None], dtype="category")
    assert ids.codes(asked).tolist() == [2, 0, 0]


def test_missing_ids_have_no_class():
    ids = Ids("user", [3, 4])
    assert ids.codes(pd.Series([4.0, np.nan])).tolist() == [2, 0]
    assert ids.codes(pd.Series([4, None], dtype="Int64")).tolist() == [2, 0]
    assert [ids.code(None), ids.code(float("nan")), ids.code(np.int64(4))] == [0, 0, 2]


def test_a_date_of_numpy_is_found():
    ids = Ids("day", [pd.Timestamp("2020-01-01")])
    assert ids.code(np.datetime64("2020-01-01")) == 1


@pytest.mark.parametrize(
    ("known", "asked", "row", "told"),
    [
        (["a", "b"], [7, 8], 0, "holds numbers (7), but the ids known from training are text"),
        ([1, 2], [1, "2"], 1, "holds text ('2'), but the ids known from training are numbers"),
        ([1, 2], ["1"], 0, "with pd.to_numeric"),
        (["1"], [1], 0, "with .astype(str)"),
    ],
)
def test_ids_of_another_kind_are_refused_for_none_would_be_found(known, asked, row, told):
    with pytest.raises(BadRowError) as error:
        Ids("user", known).codes(pd.Series(asked))
    assert told in str(error.value)
    assert error.value.row == row


@pytest.mark.parametrize(
    ("known", "asked", "told"),
    [
        ([7, 12], "12", "'12' is no id of column 'user', where ids are numbers such as 7."),
        ([7, 12], "12", "Did you mean 12?"),
        ([7, 1234], " 1235", "Did you mean 1234?"),
        (["7", "12"], 12, "12 is no id of column 'user', where ids are text such as '7'."),
        (["7", "12"], np.int64(12), "Did you mean '12'?"),
        (["ann"], 12, "Give one of these"),
    ],
)
def test_one_id_of_another_kind_is_told_with_the_nearest(known, asked, told):
    with pytest.raises(BadRowError) as error:
        Ids("user", known).code(asked)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("values", "row", "told"),
    [
        ([1, None, 3], 1, "no id there (a missing value)"),
        ([1.0, 2.0, np.inf], 2, "an infinite number"),
        ([1, 2, "3"], 2, "holds text ('3'), and numbers such as 1 before"),
        ([[1], [2]], 0, "holds [1], which cannot be an id"),
    ],
)
def test_a_column_that_is_not_of_ids_names_the_first_wrong_row(values, row, told):
    with pytest.raises(BadRowError) as error:
        Ids.learnt(pd.Series(values, name="user"))
    assert told in str(error.value)
    assert "'user'" in str(error.value)
    assert error.value.row == row


def test_one_id_that_is_a_list_is_refused():
    with pytest.raises(BadRowError, match="is no id of column 'user'"):
        Ids("user", [1]).code([1, 2])


def test_ids_know_which_of_them_training_has():
    ids = Ids("user", ["a", "b"])
    assert ids.trained.tolist() == [False, True, True]
    some = ids.trained_on(np.array([True, False, True]))
    assert some.trained.tolist() == [False, False, True]
    assert ids.trained.tolist() == [False, True, True]
