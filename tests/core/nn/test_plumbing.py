"""Modules that reshape, call and join."""

import copy
import pickle
from collections import OrderedDict

import pytest
import torch
from torch import nn

from layerwise.core.nn import (
    Cat,
    Debugger,
    Flatten,
    Identity,
    Lambda,
    MergeLayer,
    PartialLambda,
    ProdLayer,
    ResizeBatch,
    SequentialEx,
    ToTensorBase,
    View,
    sequential,
)
from layerwise.core.tensors import TensorBase, TensorImage

X = torch.arange(24.0).view(2, 3, 4)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Flatten(), (2, 12)),
        (Flatten(full=True), (24,)),
        (View(4, -1), (4, 6)),
        (ResizeBatch(2, 6), (2, 2, 6)),
        (ResizeBatch(-1), (2, 12)),
    ],
)
def test_reshaping_keeps_the_numbers_in_order(layer, shape):
    out = layer(X)
    assert out.shape == shape
    assert torch.equal(out.flatten(), X.flatten())


def test_flatten_keeps_a_batch_of_numbers_a_batch():
    assert Flatten()(torch.zeros(5)).shape == (5, 1)


def test_functions_become_modules():
    assert Identity()(X) is X
    torch.testing.assert_close(Lambda(torch.neg)(X), -X)
    torch.testing.assert_close(PartialLambda(torch.mul, other=3)(X), 3 * X)
    assert "neg" in repr(Lambda(torch.neg))
    assert "other" in repr(PartialLambda(torch.mul, other=3))


def test_sequential_wraps_functions_and_takes_an_ordered_dict():
    torch.testing.assert_close(sequential(torch.neg, nn.ReLU())(X - 5), (5 - X).clamp_min(0))
    named = sequential(OrderedDict(first=nn.ReLU()))
    assert list(dict(named.named_children())) == ["first"]


def test_the_input_of_a_row_is_added_joined_or_multiplied():
    torch.testing.assert_close(SequentialEx(Lambda(torch.square), MergeLayer())(X), X**2 + X)
    torch.testing.assert_close(SequentialEx(Lambda(torch.square), ProdLayer())(X), X**3)
    dense = SequentialEx(Lambda(torch.square), MergeLayer(dense=True))(X)
    torch.testing.assert_close(dense, torch.cat([X**2, X], dim=1))


def test_a_row_of_layers_can_grow_and_leaves_nothing_on_tensors():
    row = SequentialEx(nn.ReLU())
    row.append(MergeLayer())
    row.insert(0, nn.Tanh())
    row.extend([nn.ReLU()])
    assert [type(row[i]).__name__ for i in range(len(row))] == [
        "Tanh",
        "ReLU",
        "MergeLayer",
        "ReLU",
    ]
    x = X.clone()
    row(x)
    assert not hasattr(x, "orig")


def test_cat_joins_along_its_axis():
    torch.testing.assert_close(
        Cat([nn.ReLU(), Lambda(torch.neg)], dim=2)(X), torch.cat([X, -X], dim=2)
    )


def test_to_tensor_base_gives_a_type():
    assert type(ToTensorBase()(X)) is TensorBase
    assert type(ToTensorBase(TensorImage)(X)) is TensorImage


def test_the_debugger_is_called_where_data_passes(monkeypatch):
    calls = []
    monkeypatch.setattr("builtins.breakpoint", lambda: calls.append(1))
    assert Debugger()(X) is X
    assert calls == [1]


@pytest.mark.parametrize(
    "layer",
    [SequentialEx(nn.ReLU(), MergeLayer()), Cat([nn.ReLU()]), Lambda(torch.neg), View(2, -1)],
)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_plumbing_survives_copies(layer, copied):
    torch.testing.assert_close(copied(layer)(X), layer(X))
