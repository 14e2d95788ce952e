"""Descriptions make objects by names and settings; damaged or hostile ones make nothing."""

from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.errors import ConfigError
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS, register

EVERYTHING = KINDS | {"torch"}
called: list[object] = []


def effect(*args, **kwargs):
    called.append((args, kwargs))


class Spread:
    """Made by another way than its constructor."""

    def __init__(self):
        raise AssertionError("from_settings makes it")

    @classmethod
    def from_settings(cls, low, high):
        made = object.__new__(cls)
        made.low, made.high = low, high
        return made


@pytest.fixture(scope="module", autouse=True)
def names():
    register("function", "test-rebuilt/effect", effect)
    register("model", "test-rebuilt/net", lambda pretrained=False, **_: nn.Linear(1, 1))
    register("transform", "test-rebuilt/Spread", Spread)


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ({"$type": "os.system"}, "no name that may stand here"),
        ({"$type": "function:test-rebuilt/effect", "x": 1}, "is a function, which is named"),
        ({"$type": "type:core/str"}, "no name that may stand here"),
        ({"$type": "torch:nn.functional.relu"}, "is a function"),
        ({"$type": "torch:nn.Linear", "in_feature": 1}, "Did you mean 'in_features'"),
        ({"$type": "torch:nn.Linear", "in_features": 1}, "cannot be made"),
        ({"$type": "torch:nn.Linear", "in_features": "x", "out_features": 1}, "cannot be made"),
        ({"$type": "model:test-rebuilt/net", "pretrained": True}, "has its weights with it"),
        ({"$type": {"$type": "torch:nn.ReLU"}}, "no name"),
        ({"$exec": "x"}, "no mark"),
        ({"$tensor": "missing"}, "damaged"),
        ({"$enum": "type:core/str", "member": "upper"}, "no enumeration"),
        ({"$enum": "type:core/NormType", "member": "__class__"}, "damaged"),
        ({"$float": "1"}, "damaged"),
        ({"$tuple": 3}, "damaged"),
        ({"$items": [[1]]}, "damaged"),
        ({"$items": [[[1], 2]]}, "damaged"),
        ({"$layers": [["a.b", {"$type": "torch:nn.ReLU"}]]}, "damaged"),
        ({"$layers": [["a", 3]]}, "damaged"),
        ({"$pattern": "(", "flags": 0}, "damaged"),
        ({"$partial": {"$name": "torch:relu"}, "args": []}, "damaged"),
        ({"$slice": [1, 2, 3, 4, 5]}, "damaged"),
    ],
    ids=str,
)
def test_what_is_damaged_or_hostile_is_refused_and_nothing_called(plain, told):
    with pytest.raises(ConfigError, match=told):
        from_description(plain, {}, EVERYTHING)
    assert called == []


texts = st.sampled_from(
    ["$type", "$name", "$partial", "args", "keywords", "$layers", "$tuple", "torch:nn.Linear", "x",
     "in_features", "function:test-rebuilt/effect", "transform:core/Categorize", "vocab", "$items",
     "type:core/dict", "$enum", "member", "model:vision/xresnet18", "reader:core/get_files"]
)  # fmt: skip
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(junk)
def test_no_description_leaves_with_another_error_and_none_calls_a_function(plain):
    with suppress(ConfigError):
        from_description(plain, {"x": torch.ones(1)}, EVERYTHING)
    assert called == []


def test_a_class_can_have_its_own_way():
    made = from_description(
        {"$type": "transform:test-rebuilt/Spread", "low": 1, "high": 2}, {}, EVERYTHING
    )
    assert (made.low, made.high) == (1, 2)


def test_a_description_of_ones_own_may_ask_for_trained_weights():
    plain = {"$type": "model:test-rebuilt/net", "pretrained": True}
    assert isinstance(from_description(plain, {}, EVERYTHING, may_fetch=True), nn.Linear)
