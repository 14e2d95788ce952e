"""Tables read strictly: one error for each fault, with file, column and line."""

import numpy as np
import pandas as pd
import pytest

from layerwise.collab.ids import BadRowError
from layerwise.collab.tables import chosen_columns, line_of, rating_values, read_ratings
from layerwise.core.errors import DataError


@pytest.fixture
def csv(tmp_path):
    """A function that writes a file of ratings."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "ratings.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_file_is_read_by_its_own_names_or_given_ones(csv):
    assert read_ratings(csv("user,film\n1,Alien\n")).to_dict("list") == {
        "user": [1], "film": ["Alien"],
    }  # fmt: skip
    found = read_ratings(csv("1\tAlien\n2\tBrazil\n"), delimiter="\t", names=["user", "film"])
    assert found.to_dict("list") == {"user": [1, 2], "film": ["Alien", "Brazil"]}


@pytest.mark.parametrize(
    ("text", "settings", "told"),
    [
        ("", {}, "is empty"),
        ("user,film\n1,a\n2,b,c\n", {}, "line 3: 3 fields"),
        ("user,film\n1,a\n2\n", {}, "line 3: 1 field"),
        ("user,user\n1,2\n", {}, "several columns are called 'user'"),
        ("1,2,3\n1,2\n", {"names": ["a", "b", "c"]}, "line 2: 2 fields for 3 names"),
        ("1::2::3\n", {"names": ["a", "b", "c"]}, "line 1: 1 fields for 3 names"),
    ],
)
def test_a_bad_file_is_named_with_the_line(csv, text, settings, told):
    path = csv(text)
    with pytest.raises(DataError) as error:
        read_ratings(path, **settings)
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_another_encoding_is_told(csv):
    path = csv("user,film\n1,Léon\n", encoding="latin-1")
    with pytest.raises(DataError, match=r"line 2: the bytes .* are not utf-8"):
        read_ratings(path)
    assert read_ratings(path, encoding="latin-1").film[0] == "Léon"


def test_lines_are_counted_with_blank_ones_and_breaks_in_quotes(csv):
    path = csv('user,film\n1,"Alien\nAliens"\n\n2,Brazil\n')
    assert read_ratings(path).film.tolist() == ["Alien\nAliens", "Brazil"]
    assert [line_of(path, row, ",", True, "utf-8") for row in (0, 1)] == [3, 5]


def test_columns_are_the_first_three_unless_named():
    df = pd.DataFrame({"user": [1], "film": [2], "rating": [3], "title": ["a"]})
    assert chosen_columns(df, [None, None, None]) == ["user", "film", "rating"]
    assert chosen_columns(df, ["title", "user", None]) == ["title", "user", "rating"]


@pytest.mark.parametrize(
    ("df", "names", "told"),
    [
        (pd.DataFrame({"user": [], "film": []}), [None, None], "has no rows"),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "b"]), [None] * 3, "several columns named"),
        (pd.DataFrame({"user": [1], "film": [1]}), [None] * 3, "has 2 columns (user, film)"),
        (pd.DataFrame({"user": [1], "film": [1]}), [None, "fim"], "Did you mean 'film'?"),
        (pd.DataFrame({"user": [1], "film": [1]}), ["film", None], "each is a column of its own"),
    ],
)
def test_a_frame_that_does_not_fit_is_told_why(df, names, told):
    with pytest.raises(DataError) as error:
        chosen_columns(df, names, "ratings.csv")
    assert told in str(error.value)
    assert "ratings.csv" in str(error.value)


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError, match="not as list"):
        chosen_columns([1, 2], [None])


@pytest.mark.parametrize(
    "values", [[1, 2], [1.5, 2.0], [True, False], pd.array([1, 2], dtype="Int64")]
)
def test_ratings_are_numbers_of_any_type(values):
    found = rating_values(pd.Series(values, name="rating"))
    assert found.dtype == np.float32
    assert found.tolist() == [float(one) for one in values]


@pytest.mark.parametrize(
    ("values", "row", "told"),
    [
        ([1.0, np.nan], 1, "no rating there"),
        (pd.array([1, None], dtype="Int64"), 1, "no rating there"),
        ([1.0, 2.0, -np.inf], 2, "holds -inf"),
        (["4", "5", "good"], 2, "holds 'good'"),
        (["4", "5"], 0, "holds '4'"),
        ([4, "5"], 1, "holds '5'"),
        (pd.to_datetime(["2020-01-01"]), 0, "holds Timestamp"),
    ],
)
def test_the_first_rating_that_is_no_finite_number_is_named(values, row, told):
    with pytest.raises(BadRowError) as error:
        rating_values(pd.Series(values, name="rating"))
    assert told in str(error.value)
    assert "'rating'" in str(error.value)
    assert error.value.row == row
