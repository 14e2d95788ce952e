"""What ready-made loaders make of the columns of a frame, and check before they make anything."""

import pytest

from layerwise.core.data.block import CategoryBlock, MultiCategoryBlock, RegressionBlock
from layerwise.core.data.factories import block_of_columns, block_of_label
from layerwise.core.errors import DataError


@pytest.mark.parametrize("column", ["label", 1])
def test_rows_without_a_label_are_named(column):
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame({"x": range(9), "label": ["a", None, "b", float("nan"), *["c"] * 5]})
    with pytest.raises(DataError, match=r"2 of 9 rows have no label.*'label'.*position 1, 3;"):
        block_of_columns(df, column, None)
    assert block_of_columns(df.dropna(), column, None) is CategoryBlock


def test_of_many_the_first_are_named():
    pl = pytest.importorskip("polars")
    with pytest.raises(DataError, match=r"8 of 8 .* position 0, 1, 2, 3, 4, \.\.\.;"):
        block_of_columns(pl.DataFrame({"label": [None] * 8}), "label", None)


def test_a_column_that_is_not_there_is_for_the_reader_to_tell():
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame({"x": [1]})
    assert block_of_columns(df, "label", None) is block_of_columns(df, 4, None) is CategoryBlock


def test_several_labels_may_be_none():
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame({"a": [1, 0], "b": [0, 1], "tags": ["x y", None]})
    assert block_of_columns(df, ["a", "b"], None) is MultiCategoryBlock
    assert block_of_columns(df, "tags", " ") is MultiCategoryBlock


@pytest.mark.parametrize(
    ("label", "block"),
    [("cat", CategoryBlock), (3, CategoryBlock), (0.5, RegressionBlock),
     (["cat", "dog"], MultiCategoryBlock), ({"cat"}, MultiCategoryBlock)],
)  # fmt: skip
def test_a_label_says_its_block(label, block):
    assert block_of_label(label) is block
