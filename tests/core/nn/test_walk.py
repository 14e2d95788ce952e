"""Parameters, children and leaves of models."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from layerwise.core.nn import (
    Module,
    ParameterModule,
    apply_leaf,
    children_and_parameters,
    flatten_model,
    has_children,
    in_channels,
    one_param,
    params,
    requires_grad,
    trainable_params,
)
from layerwise.core.nn.walk import layer_that_raised


class WithOwnParameter(Module):
    def __init__(self):
        self.scale = nn.Parameter(torch.ones(2))
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU())


def frozen(m):
    for p in m.parameters():
        p.requires_grad_(False)
    return m


def test_params_lists_all_and_trainable_params_those_that_train():
    model = nn.Sequential(frozen(nn.Linear(2, 3)), nn.Linear(3, 1, bias=False))
    assert [p.shape for p in params(model)] == [(3, 2), (3,), (1, 3)]
    assert [p.shape for p in trainable_params(model)] == [(1, 3)]


def test_requires_grad_looks_at_the_first_parameter():
    assert requires_grad(nn.Linear(1, 1))
    assert not requires_grad(frozen(nn.Linear(1, 1)))
    assert not requires_grad(nn.ReLU())


def test_one_param_needs_a_parameter():
    layer = nn.Linear(1, 1)
    assert one_param(layer) is layer.weight
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        one_param(nn.ReLU())


def test_lone_parameters_come_after_the_children():
    kinds = [type(m) for m in children_and_parameters(WithOwnParameter())]
    assert kinds == [nn.Sequential, ParameterModule]


def test_flattening_ends_at_layers_and_lone_parameters():
    kinds = [type(m) for m in flatten_model(WithOwnParameter())]
    assert kinds == [nn.Linear, nn.ReLU, ParameterModule]
    assert flatten_model(nn.ReLU())[0].__class__ is nn.ReLU


def test_a_parametrized_layer_is_a_leaf():
    layer = weight_norm(nn.Linear(2, 2))
    assert not has_children(layer)
    assert flatten_model(nn.Sequential(layer)) == [layer]


def test_apply_leaf_visits_parents_before_children():
    seen = []
    apply_leaf(WithOwnParameter(), lambda m: seen.append(type(m).__name__))
    assert seen == ["WithOwnParameter", "Sequential", "Linear", "ReLU"]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv1d(5, 7, 3), 5),
        (nn.Conv2d(6, 4, 3, groups=2), 6),
        (nn.ConvTranspose3d(3, 8, 2), 3),
        (weight_norm(nn.Conv2d(9, 4, 3)), 9),
    ],
)
def test_in_channels_finds_the_first_convolution(layer, expected):
    assert (
        in_channels(nn.Sequential(nn.ReLU(), nn.Sequential(layer), nn.Conv2d(1, 1, 1))) == expected
    )


class Failing(Module):
    def __init__(self):
        self.first, self.second = nn.ReLU(), nn.Tanh()

    def forward(self, x):
        return self.second(self.first(x)).reshape(-7)


def raised_by(call):
    with pytest.raises(RuntimeError) as caught:
        call()
    return caught.value


def test_the_innermost_layer_that_raised_is_found_by_name():
    model = nn.Sequential(nn.ReLU(), Failing())
    error = raised_by(lambda: model(torch.ones(2)))
    assert layer_that_raised(model, error) == "1, Failing"


def test_no_layer_is_named_where_none_was_at_work():
    failing = Failing()
    assert layer_that_raised(failing, raised_by(lambda: failing(torch.ones(2)))) == ""
    assert layer_that_raised(nn.ReLU(), RuntimeError("never raised")) == ""


def test_in_channels_needs_a_convolution():
    with pytest.raises(ValueError, match="no convolution"):
        in_channels(nn.Linear(2, 2))
