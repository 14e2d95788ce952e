import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.errors import BundleError
from layerwise.core.files import plain
from layerwise.core.files.plain import from_json, join, split, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_json_is_what_the_standard_library_reads_and_comes_back(value):
    data = to_json(value)
    assert json.loads(data) == value
    assert from_json(data) == value
    assert repr(from_json(data)) == repr(value)  # True is not 1, 1.0 not 1


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ((1, 2), "a tuple"),
        ({1: 2}, "the key 1; keys are strings"),
        ({"a": [np.float64(1)]}, "a float64"),
        (float("nan"), "the number nan"),
        ([float("-inf")], "the number -inf"),
        (2**64, "more than 64 bits"),
        ("\ud800", "not Unicode"),
        ({"a\udcff": 1}, "not Unicode"),
        (object, "a type"),
    ],
    ids=range(9),
)
def test_what_json_would_change_is_not_written(value, told):
    with pytest.raises(BundleError, match=told):
        to_json(value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"a": 1, "a": 1}', "a key twice"),
        (b"[NaN]", "the number NaN"),
        (b"[-Infinity]", "the number -Infinity"),
        (b"1e999", "the number inf"),
        (b"18446744073709551616", "more than 64 bits"),
        (b"9" * 5000, "cannot be read"),
        (b'"\\ud800"', "not Unicode"),
        (b"\xff", "cannot be read"),
        ("[]".encode("utf-16"), "cannot be read"),
        (b"\xef\xbb\xbf[]", "cannot be read"),
        (b"[1,]", "cannot be read"),
        (b"[" * 33 + b"]" * 33, "more than 32 levels"),
        (b"[" * 100_000, "cannot be read"),
        (b"[" + b"[]," * plain.CONTAINERS + b"0]", "lists and objects"),
        (b"[" + b"0," * plain.VALUES + b"0,0]", "values"),
    ],
    ids=range(15),
)
def test_what_is_not_plain_json_is_refused(data, told):
    with pytest.raises(BundleError, match=told):
        from_json(data)


def test_the_limits_are_reached_and_not_passed():
    value: object = 0
    for _ in range(32):
        value = [value]
    assert from_json(to_json(value)) == value
    with pytest.raises(BundleError, match="32 levels"):
        to_json([value])


def test_what_is_in_a_state_comes_back_in_kind():
    state = {
        "steps": 3, "rate": np.float64(0.1), "count": np.int32(4), 7: (1, [2.0, None]), True: "x",
        "huge": -(1 << 200), "nan": float("nan"), "inf": -float("inf"), (1, "a"): {"$tensor": "b"},
        "losses": [float(i) for i in range(500)], "ids": list(range(500)),
        "flags": [True] * 500, "mixed": [1, 2.0] * 300, "large": [1 << 63] * 100,
        "weights": torch.nn.Parameter(torch.ones(2)), "empty": [], "none": {},
        "random": np.random.RandomState(0).get_state()[1], "back": np.arange(4)[::-1],
    }  # fmt: skip
    found, arrays = split(state)
    assert ".losses" in arrays
    assert ".ids" in arrays
    assert ".flags" not in arrays
    back = join(from_json(to_json(found)), arrays)
    assert list(back) == list(state)
    for key, value in state.items():
        got = back[key]
        if isinstance(value, torch.Tensor):
            assert type(got) is torch.Tensor
            assert torch.equal(got, value.detach())
            assert not got.requires_grad
        elif isinstance(value, np.ndarray):
            assert got.dtype == value.dtype
            assert (got == value).all()
        elif isinstance(value, np.generic):
            assert type(got) in (int, float)
            assert got == value
        else:
            assert repr(got) == repr(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": {"b": {1, 2}}}, "a.b is a set"),
        ({"f": lambda x: x}, "f is a function"),
        ([np.array(["a"])], "0 is an array of <U1"),
        (np.array([object()]), "this is an array of object"),
    ],
    ids=["set", "function", "texts", "objects"],
)
def test_what_no_file_without_code_holds_is_named(value, told):
    with pytest.raises(BundleError, match=told):
        split(value)


@pytest.mark.parametrize(
    "found",
    [
        {"$tensor": "b"}, {"$tensor": ["a"]}, {"$tensor": "a", "more": 1}, {"$numbers": "a"},
        {"$tuple": "ab"}, {"$tuple": 3}, {"$items": {"a": 1}}, {"$items": [[[], 1]]},
        {"$items": [["a", 1], ["a", 2]]}, {"$float": "1"}, {"$int": "zz"}, {"$int": 3},
        {"$eval": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_marks_that_do_not_fit_are_refused(found):
    with pytest.raises(BundleError, match="damaged"):
        join([found], {"a": torch.ones(2, 2)})
