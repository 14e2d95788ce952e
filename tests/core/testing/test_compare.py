"""Comparisons see what differs, and say where."""

from collections import namedtuple

import numpy as np
import pytest
import torch

from layerwise.core.display.titled import TitledFloat
from layerwise.core.items import L
from layerwise.core.tensors import TensorCategory, TensorImage
from layerwise.core.testing import assert_close, assert_equal, raises_with

Pair = namedtuple("Pair", "x y")

BATCH = {"image": (TensorImage(torch.ones(2, 3)), [1, "a"]), "label": torch.tensor([1, 2])}
EQUAL = [
    (BATCH, {"image": (TensorImage(torch.ones(2, 3)), [1, "a"]), "label": torch.tensor([1, 2])}),
    (Pair(1, np.arange(3)), Pair(1, np.arange(3))),
    (float("nan"), float("nan")),
    (L([1, None]), L([1, None])),
    ({1, 2}, {2, 1}),
    ("text", "text"),
    (TitledFloat(0.5), TitledFloat(0.5)),
    ((), ()),
]
DIFFERENT = [
    (torch.ones(2), torch.ones(2).double(), "dtype"),
    (torch.ones(2), torch.ones(3), "shape"),
    (TensorImage([1.0]), torch.tensor([1.0]), "TensorImage came, Tensor was expected"),
    ([TensorCategory([1])], [TensorImage([1])], r"at \[0\]: TensorCategory came"),
    ({"a": 1}, {"b": 1}, r"keys are \['a'\], expected \['b'\]"),
    ({"a": [1, 2]}, {"a": [1, 3]}, r"at \['a'\]\[1\]: 2 is not 3"),
    ([1], [1, 2], r"\[1\] is not \[1, 2\]"),
    ((1,), [1], "tuple came, list was expected"),
    (Pair(1, 2), (1, 2), "Pair came"),
    ("a", "b", "'a' is not 'b'"),
    (1.0, 1.5, "1.0"),
    (None, 0, "NoneType came"),
]


@pytest.mark.parametrize(("actual", "expected"), EQUAL)
@pytest.mark.parametrize("compare", [assert_equal, assert_close])
def test_what_is_the_same_passes(compare, actual, expected):
    compare(actual, expected)


@pytest.mark.parametrize(("actual", "expected", "told"), DIFFERENT)
@pytest.mark.parametrize("compare", [assert_equal, assert_close])
def test_what_differs_is_named_with_its_place(compare, actual, expected, told):
    with pytest.raises(AssertionError, match=told):
        compare(actual, expected)


def test_types_can_be_left_out():
    assert_equal([TensorImage([1.0])], (torch.tensor([1.0]),), check_type=False)


def test_rounding_is_close_and_not_equal():
    with pytest.raises(AssertionError):
        assert_equal([0.1 + 0.2], [0.3])
    assert_close([0.1 + 0.2], [0.3])
    with pytest.raises(AssertionError, match=r"at \[0\]"):
        assert_close([0.31], [0.3])
    assert_close([0.31], [0.3], atol=0.02)


def test_raises_with_wants_every_part_of_the_message():
    with raises_with(ValueError, "one", "two"):
        raise ValueError("one, two, three")
    with (
        pytest.raises(AssertionError, match="lacks \\['four'\\]: one"),
        raises_with(ValueError, "one", "four"),
    ):
        raise ValueError("one, two")


def test_raises_with_wants_an_error_of_that_kind():
    with pytest.raises(AssertionError, match="no KeyError was raised"), raises_with(KeyError):
        pass
    with pytest.raises(TypeError, match="other"), raises_with(KeyError):
        raise TypeError("other")
