"""What ready-made loaders check of a frame before they make anything."""

import pytest

from layerwise.core.data.factories import require_labels
from layerwise.core.errors import DataError


@pytest.mark.parametrize("column", ["label", 1])
def test_rows_without_a_label_are_named(column):
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame({"x": range(9), "label": ["a", None, "b", float("nan"), *["c"] * 5]})
    with pytest.raises(DataError, match=r"2 of 9 rows have no label.*'label'.*position 1, 3;"):
        require_labels(df, column)
    require_labels(df.dropna(), column)


def test_of_many_the_first_are_named():
    pl = pytest.importorskip("polars")
    with pytest.raises(DataError, match=r"8 of 8 .* position 0, 1, 2, 3, 4, \.\.\.;"):
        require_labels(pl.DataFrame({"label": [None] * 8}), "label")


def test_a_column_that_is_not_there_is_for_the_reader_to_tell():
    pd = pytest.importorskip("pandas")
    require_labels(pd.DataFrame({"x": [1]}), "label")
    require_labels(pd.DataFrame({"x": [1]}), 4)
