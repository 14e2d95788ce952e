"""Rows to predict: frames, mappings, series, pairs; the same codes whatever the form."""

import numpy as np
import pandas as pd
import pytest

from layerwise.collab.ids import BadRowError, Ids
from layerwise.collab.new_rows import new_rows
from layerwise.collab.types import UserItem
from layerwise.core.errors import DataError

BOTH = Ids("user", [7, 9]), Ids("film", ["Alien", "Brazil"])
DF = pd.DataFrame({"extra": [0, 0], "film": ["Brazil", "Cube"], "user": [7, 8], "rating": [4, 2]})


@pytest.mark.parametrize(
    "rows",
    [
        DF,
        [DF.iloc[0], DF.iloc[1]],
        DF.to_dict("records"),
        [(7, "Brazil"), [8, "Cube"]],
        [UserItem(7, "Brazil"), UserItem(8, "Cube")],
    ],
)
def test_all_forms_of_rows_have_the_same_codes(rows):
    pairs, values = new_rows(rows, ["user", "film"], BOTH)
    assert pairs.tolist() == [[1, 2], [0, 0]]
    assert pairs.dtype == np.int32
    assert values is None


@pytest.mark.parametrize("rows", [DF, DF.to_dict("records"), [(7, "Brazil", 4), (8, "Cube", 2)]])
def test_ratings_come_along_where_they_are_asked_for(rows):
    _, values = new_rows(rows, ["user", "film", "rating"], BOTH)
    assert values.tolist() == [4.0, 2.0]


def test_one_row_as_a_frame_is_a_row():
    assert new_rows([DF.iloc[[0]]], ["user", "film"], BOTH)[0].tolist() == [[1, 2]]
    with pytest.raises(DataError, match="a frame of 2 rows where one row was expected"):
        new_rows([DF], ["user", "film"], BOTH)


def test_columns_that_are_numbers_are_found_by_their_names():
    both = Ids("0", [7]), Ids("1", ["Alien"])
    assert new_rows(pd.DataFrame([[7, "Alien"]]), ["0", "1"], both)[0].tolist() == [[1, 1]]


def test_a_missing_column_is_named_with_the_nearest():
    told = "column 'film' is missing; there are: user, films. Rename 'films' to 'film'"
    with pytest.raises(DataError, match=told):
        new_rows(pd.DataFrame({"user": [1], "films": ["a"]}), ["user", "film"], BOTH)
    with pytest.raises(BadRowError, match=told):
        new_rows([{"user": 1, "films": "a"}], ["user", "film"], BOTH)
    with pytest.raises(BadRowError, match=r"'film' is missing; there are: user, users$"):
        new_rows([{"user": 1, "users": "a"}], ["user", "film"], BOTH)


def test_columns_of_one_name_are_refused():
    df = pd.DataFrame([[7, "Alien", "Brazil"]], columns=["user", "film", "film"])
    with pytest.raises(DataError, match="several columns named 'film'"):
        new_rows(df, ["user", "film"], BOTH)


@pytest.mark.parametrize("row", ["Alien", 7, (7,), (7, "Alien", 3), None])
def test_what_is_no_row_is_refused_by_its_place(row):
    with pytest.raises(BadRowError, match="is no row") as error:
        new_rows([(7, "Alien"), row], ["user", "film"], BOTH)
    assert error.value.row == 1
