"""`Module`, the `module` decorator, `get_model`."""

import copy
import pickle

import pytest
import torch
from torch import nn

from layerwise.core.nn import Module, get_model, module


class Affine(Module):
    def __init__(self, n, scale=2.0):
        self.layer = nn.Linear(n, 1)
        self.scale = scale

    def forward(self, x):
        return self.layer(x) * self.scale


class LateSuper(Module):
    def __init__(self):
        self.layer = nn.Linear(2, 2)
        super().__init__()


@module("factor", shift=0)
def Scale(self, x):
    return x * self.factor + self.shift


def test_a_subclass_registers_layers_without_calling_super():
    assert [name for name, _ in Affine(3).named_parameters()] == ["layer.weight", "layer.bias"]


def test_calling_super_after_setting_layers_loses_nothing():
    assert len(list(LateSuper().parameters())) == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_modules_survive_copies(copied):
    model, x = Affine(3, scale=5.0), torch.rand(2, 3)
    torch.testing.assert_close(copied(model)(x), model(x))


def test_torch_layers_can_be_mixed_in():
    class Mixed(Module, nn.Conv2d):
        def __init__(self):
            nn.Conv2d.__init__(self, 3, 4, 1)

    assert Mixed()(torch.rand(1, 3, 2, 2)).shape == (1, 4, 2, 2)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="scales"):
        Affine(3, scales=1)  # type: ignore[call-arg]


def test_a_module_made_of_a_function_keeps_its_settings_through_pickle():
    assert pickle.loads(pickle.dumps(Scale(3, shift=1)))(2) == 7


def test_a_module_made_of_a_function_names_the_nearest_setting():
    with pytest.raises(TypeError, match="Did you mean 'shift'"):
        Scale(3, shfit=1)
    with pytest.raises(TypeError, match="factor"):
        Scale()


def test_get_model_unwraps_nested_wrappers_and_nothing_else():
    model = nn.Sequential(nn.Linear(1, 1))
    model.module = nn.ReLU()
    assert get_model(model) is model
    assert get_model(nn.DataParallel(nn.DataParallel(model))) is model
