"""Values have the code of their category, in a table as alone."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.transforms.category import CategoryMap
from layerwise.tabular.codes import codes_of, labels_of

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(-2, 2), st.sampled_from("abc"),
    st.sampled_from([Decimal("1.5"), Decimal(1), datetime.date(2020, 1, 1), b"a", float("nan")]),
)  # fmt: skip


def objects(values):
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


@given(
    known=st.lists(VALUES.filter(lambda v: v is not None), max_size=6),
    values=st.lists(VALUES, max_size=6),
)
def test_a_value_alone_has_the_code_that_it_has_in_a_long_table(known, values):
    vocab = CategoryMap(known, add_na=True)
    short = codes_of(objects(values), vocab)
    assert codes_of(objects(values * 40), vocab).tolist() == short.tolist() * 40
    for value, code in zip(values, short, strict=True):
        is_known = not pd.isna(value) and value in vocab.o2i
        assert code == (vocab.o2i[value] if is_known else -1)


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize(
    "values",
    [
        pd.array(["b", None, "z"], dtype="str"),
        pd.array(["b", None, "z"], dtype="string"),
        pd.array(["b", None, "z"], dtype="string[pyarrow]"),
        pd.Categorical(["b", None, "z"], categories=["z", "b", "unused"]),
        pd.Categorical(["b", None, "z"], categories=["z", "b"], ordered=True),
        np.array(["b", None, "z"], dtype=object),
    ],
    ids=lambda values: str(getattr(values, "dtype", "")),
)
def test_texts_of_every_type_have_the_same_codes(values, count):
    column = pd.concat([pd.Series(values)] * count).array
    assert codes_of(column, CategoryMap(["a", "b"])).tolist() == [1, -1, -1] * count


@pytest.mark.parametrize("count", [1, 40])
def test_truth_values_are_found_as_zeros_and_ones(count):
    # A file of training may say True and False, one of today 1 and 0.
    vocab = CategoryMap([False, True])
    assert codes_of(np.array([1, 0, 2] * count), vocab).tolist() == [1, 0, -1] * count
    nullable = pd.array([True, None] * count, dtype="boolean")
    assert codes_of(nullable, CategoryMap([0, 1])).tolist() == [1, -1] * count


def test_numbers_with_gaps_are_found_as_whole_ones():
    column = np.array([1.0, np.nan, 2.0] * 20)
    assert codes_of(column, CategoryMap([1, 2])).tolist() == [0, -1, 1] * 20


@pytest.mark.parametrize("count", [1, 40])
def test_labels_undo_codes(count):
    vocab = CategoryMap(["a", 3, 2.5])
    codes = np.arange(len(vocab)).repeat(count)
    assert codes_of(labels_of(codes, vocab), vocab).tolist() == codes.tolist()
