"""Readers on rows of every kind, with the values written out."""

import multiprocessing
import pickle
import re
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from layerwise.core.data.readers import (
    AttrGetter,
    ColReader,
    ItemGetter,
    RegexLabeller,
    parent_label,
    using_attr,
)
from layerwise.core.errors import DataError
from layerwise.core.items import L

FRAME = pd.DataFrame({"name": ["a", "b"], "tags": ["x y", None], "size": [1.5, 2.5]})
Row = namedtuple("Row", "name tags size")

ROWS = {
    "series": FRAME.iloc[0],
    "named tuple of pandas": next(FRAME.itertuples(index=False)),
    "named tuple": Row("a", "x y", 1.5),
    "dict": {"name": "a", "tags": "x y", "size": 1.5},
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_columns_are_read_from_rows_of_every_kind(row):
    assert ColReader("name")(row) == "a"
    assert ColReader("size")(row) == 1.5
    assert ColReader("name", pref="train/", suff=".png")(row) == "train/a.png"
    assert ColReader("tags", label_delim=" ")(row) == ["x", "y"]
    several = ColReader(["name", "size"])(row)
    assert type(several) is L
    assert several == ["a", 1.5]


def test_columns_are_read_by_position():
    assert ColReader(0)(FRAME.iloc[1]) == "b"
    assert ColReader(2)(Row("a", "x", 3)) == 3
    assert ColReader(1)(["u", "v"]) == "v"
    assert ColReader(1)(np.array([5, 6])) == 6
    assert ColReader([0, -1])(FRAME.iloc[1]) == ["b", 2.5]


def test_a_number_that_is_a_column_name_is_taken_as_the_name():
    row = pd.DataFrame([["u", "v"]], columns=[1, 0]).iloc[0]
    assert ColReader(0)(row) == "v"


def test_a_folder_as_prefix_gets_its_separator():
    assert ColReader("name", pref=Path("top/train"))(ROWS["dict"]) == str(Path("top/train/a"))


@pytest.mark.parametrize("empty", [None, float("nan"), "", pd.NA, np.float64("nan")])
def test_an_empty_cell_has_no_labels(empty):
    assert ColReader("tags", label_delim=" ")({"tags": empty}) == []


def test_an_empty_cell_makes_no_file_name():
    with pytest.raises(DataError, match=r"column 'name' is empty in the row \{'name': nan\}"):
        ColReader("name", suff=".png")({"name": float("nan")})


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_missing_column_is_named_with_the_nearest(row):
    with pytest.raises(DataError, match=r"no column 'nmae'.*Did you mean 'name'\?.*name, tags"):
        ColReader("nmae")(row)
    with pytest.raises(DataError, match="no column 7"):
        ColReader(7)(row)


def test_no_column_at_all_is_refused():
    with pytest.raises(ValueError, match="got no column"):
        ColReader([])
    with pytest.raises(TypeError, match="prefix"):
        ColReader("name", prefix="x")  # type: ignore[call-arg]  # the misspelling is what is tested


@pytest.mark.parametrize("name", ["../secret", "a/../../secret", "/etc/passwd"])
def test_a_name_that_leaves_the_folder_is_refused_unless_allowed(name):
    for pref in ("train/", Path("train")):
        with pytest.raises(DataError, match=r"leaves the folder 'train/'.*allow_outside"):
            ColReader("name", pref=pref)({"name": name})
    assert ColReader("name", pref="t/", allow_outside=True)({"name": name}) == "t/" + name
    assert ColReader("name", pref="t/")({"name": "a/../b"}) == "t/a/../b"
    assert ColReader("name")({"name": name}) == name


def test_items_and_attributes_are_got():
    assert ItemGetter(1)("ab") == "b"
    assert ItemGetter("a")({"a": 3}) == 3
    assert AttrGetter("name")(Path("a/b.png")) == "b.png"
    assert AttrGetter("label", None)(Path("a")) is None
    assert AttrGetter("label", default=3)(Path("a")) == 3


def test_a_missing_part_is_named_with_its_item():
    with pytest.raises(DataError, match=r"ItemGetter\(2\): the item \(1, 2\)"):
        ItemGetter(2)((1, 2))
    with pytest.raises(DataError, match="ItemGetter"):
        ItemGetter(0)(3)
    with pytest.raises(DataError, match=r"'stme'.*Path\('b.png'\).*Did you mean 'stem'"):
        AttrGetter("stme")(Path("b.png"))


def test_labels_are_read_from_names():
    path = Path("images/great_pyrenees_173.jpg")
    assert RegexLabeller(r"([^/]+)_\d+.jpg$")(path) == "great_pyrenees"
    assert RegexLabeller(r"(.*?)_\d+")("pug_2.jpg") == "pug"
    assert RegexLabeller(r"(.+)_\d+", match=True)("pug_2.jpg") == "pug"
    assert RegexLabeller(re.compile(r"/(\w+)_"))(path) == "great_pyrenees"
    assert RegexLabeller(r"^(images)/")(path) == "images"


def test_a_pattern_that_does_not_fit_is_named_with_the_file():
    with pytest.raises(DataError, match=r"'\(z\+\)' was not found in 'images/1.jpg'"):
        RegexLabeller("(z+)")(Path("images/1.jpg"))
    with pytest.raises(DataError, match=r"was not found at the start of 'pug.jpg'"):
        RegexLabeller("(ug)", match=True)("pug.jpg")
    with pytest.raises(DataError, match="was not found"):
        RegexLabeller("(z)?pug")("pug.jpg")


def test_a_pattern_without_group_is_refused_when_made():
    with pytest.raises(ValueError, match="has no group; put brackets"):
        RegexLabeller(r"\d+")
    with pytest.raises(ValueError, match="is no regular expression"):
        RegexLabeller("(")


def test_the_folder_of_a_file_is_its_label():
    assert parent_label("train/cat/1.png") == "cat"
    assert parent_label(Path("/data/dog/1.png")) == "dog"
    with pytest.raises(DataError, match=r"'1\.png' names no folder"):
        parent_label("1.png")


READERS = [
    (ItemGetter(1), "ab", "b"),
    (AttrGetter("stem"), Path("a/b.png"), "b"),
    (AttrGetter("label", None), Path("b.png"), None),
    (ColReader("name", pref=Path("p"), suff=".png"), {"name": "a"}, str(Path("p/a.png"))),
    (ColReader("tags", label_delim=" "), {"tags": "x y"}, ["x", "y"]),
    (RegexLabeller(re.compile(r"(.+)_\d")), "pug_1", "pug"),
    (parent_label, "cat/1.png", "cat"),
]


def call(reader, item):
    return reader(item)


def test_all_readers_pickle_for_a_spawned_process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for reader, item, expected in READERS:
            assert pickle.loads(pickle.dumps(reader))(item) == expected
            # map sends the reader itself as the function
            assert pool.map(reader, [item]) == [expected]


def test_an_attribute_is_read_instead_of_the_item(tmp_path):
    label = using_attr(RegexLabeller(r"(.+)_\d+.jpg$"), "name")
    assert label(tmp_path / "great_pyrenees_17.jpg") == "great_pyrenees"
    with pytest.raises(AttributeError, match="name"):
        label("pug_2.jpg")
