"""Objects become names and settings; what has no name is refused with the way to give it one."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.data.readers import parent_label
from layerwise.core.described import to_description
from layerwise.core.errors import ConfigError
from layerwise.core.items import L
from layerwise.core.named import TORCH_NAMES
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.nn.norm import NormType
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS
from layerwise.core.transforms.category import Categorize, CategoryMap
from layerwise.core.transforms.numeric import Normalize
from layerwise.core.transforms.transform import Transform

EVERYTHING = KINDS | {"torch"}


def there_and_back(value):
    arrays: dict[str, torch.Tensor] = {}
    text = json.dumps(to_description(value, arrays, "this"), allow_nan=False)
    return from_description(json.loads(text), arrays, EVERYTHING)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers(), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_plain_values_come_back_as_they_were(value):
    assert there_and_back(value) == value


@pytest.mark.parametrize(
    "value",
    [
        slice(1, None, 2), {1, 2}, NormType.Batch, parent_label, nn.ReLU, re.compile("a+", re.I),
        float("inf"), {"$type": 3}, {(1, 2): "pair"},
    ],
    ids=["slice", "set", "enum", "function", "class", "pattern", "inf", "dict", "tuple keys"],
)  # fmt: skip
def test_other_values_come_back_too(value):
    assert there_and_back(value) == value


def test_numbers_of_numpy_and_nan_come_back():
    assert there_and_back([np.int64(3), np.float32(0.5), np.bool_(True)]) == [3, 0.5, True]
    assert there_and_back(float("nan")) != there_and_back(float("nan"))


def test_tensors_and_arrays_keep_values_and_types():
    value = {"t": torch.tensor([1, 2], dtype=torch.int16), "a": np.array([[0.5]], np.float32)}
    back = there_and_back(value)
    assert torch.equal(back["t"], value["t"])
    assert back["t"].dtype == torch.int16
    assert back["a"].dtype == np.float32
    np.testing.assert_array_equal(back["a"], value["a"])


def test_sequences_of_ours_become_lists():
    assert there_and_back([L([1, 2]), CategoryMap(["b", "a"])]) == [[1, 2], ["a", "b"]]


def test_a_partial_function_comes_back():
    back = there_and_back(partial(nn.functional.leaky_relu, negative_slope=0.5))
    assert back(torch.tensor(-1.0)).item() == -0.5


def test_what_a_transform_has_learnt_comes_back():
    norm = there_and_back(Normalize.from_stats([0.5, 0.25], [0.1, 0.2]))
    assert norm.mean.flatten().tolist() == [0.5, 0.25]
    to_class = Categorize(add_na=True)
    to_class.setup(["b", "a", "b"])
    again = there_and_back(to_class)
    assert list(again.vocab) == ["#na#", "a", "b"]
    assert again("zebra") == to_class("zebra")


NEEDS = {
    "Unflatten": (1, (2, 1)), "LSTM": (3, 4), "GRU": (3, 4), "RNN": (3, 4), "Sequential": (),
    "ConstantPad1d": (1, 0.5), "ConstantPad2d": (1, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH_NAMES["nn"].split())
def test_every_layer_of_torch_is_made_again(name):
    layer_class = getattr(nn, name)
    for args in (NEEDS.get(name), (), (2,), (2, 2), (2, 2, 2)):
        try:
            layer = layer_class(*args) if args is not None else None
        except TypeError:
            continue
        if layer is not None:
            break
    again = there_and_back(layer)
    assert repr(again) == repr(layer)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (layer, again)]
    assert shapes[0] == shapes[1]


def test_a_row_of_layers_keeps_names_and_weights_fit():
    model = nn.Sequential()
    model.add_module("body", nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, bias=False), nn.ReLU(True)))
    model.add_module("head", LinBnDrop(4, 2, p=0.5))
    again = there_and_back(model)
    again.load_state_dict(model.state_dict())
    assert [n for n, _ in again.named_modules()] == [n for n, _ in model.named_modules()]
    assert repr(again) == repr(model)


def local_reader(x):
    return x


class Local(Transform):
    pass


def refusal(value, where="item_tfms[1]"):
    with pytest.raises(ConfigError) as caught:
        to_description(value, {}, where)
    return str(caught.value)


def test_needs20_a_lambda_is_refused_where_it_stands():
    told = refusal(Transform(lambda x: x))
    assert told.startswith("item_tfms[1], enc is the function ")
    assert "<lambda> (test_described.py, line" in told
    assert "a lambda has no name" in told


def test_needs20_a_function_without_a_name_is_refused_with_the_line_to_write():
    told = refusal(local_reader)
    assert 'register("function", "mine/local_reader", local_reader)' in told


def test_needs20_a_class_without_a_name_is_refused_with_its_kind():
    assert 'register("transform", "mine/Local", Local)' in refusal(Local())
    assert 'register("model", "mine/TransformerEncoderLayer"' in refusal(
        nn.Sequential(nn.Linear(1, 1), nn.TransformerEncoderLayer(4, 1)), "the model"
    )


def test_needs22_paths_are_refused_but_labels_that_look_like_them_are_not(tmp_path):
    assert "is the path" in refusal(Path("a/b"))
    assert "a path of this computer" in refusal([str(tmp_path / "x" / "y")])
    for label in ("/m/01g317", "a/b", "/", "n/a", "C:\\x"):
        assert there_and_back(label) == label
