"""What makes an equal object is found on it, or the error says what to keep."""

import copy
import pickle

import pytest
import torch
from torch import nn

from layerwise.core.errors import ConfigError
from layerwise.core.nn.module import Module
from layerwise.core.settings import RemembersCall, built, recipe_of, record_built, settings_of
from layerwise.core.transforms.transform import Transform


class Shift(Transform):
    def __init__(self, by, *, scale=1.0):
        super().__init__()
        self.by, self._scale = by, scale


class Halved(Module):
    def __init__(self, width, *, deep=False):
        self.layer = nn.Linear(width // 2, 1)


class Own:
    def __init__(self, path):
        self.lines = path

    def settings(self):
        return {"path": self.lines}


def test_attributes_named_like_parameters_are_the_settings():
    assert settings_of(Shift(3, scale=2.0)) == {"by": 3, "scale": 2.0}


def test_settings_are_those_of_now_not_of_then():
    shift = Shift(3)
    shift.by = 4
    assert settings_of(shift)["by"] == 4


def test_a_module_of_ours_remembers_what_its_attributes_do_not_tell():
    assert settings_of(Halved(8)) == {"width": 8, "deep": False}


def test_what_is_remembered_survives_copies_and_pickles():
    for twin in (copy.deepcopy(Halved(8)), pickle.loads(pickle.dumps(Halved(8)))):
        assert settings_of(twin)["width"] == 8


def test_what_is_remembered_is_no_weight_and_no_child():
    inner = nn.Linear(1, 1)

    class Outer(Module):
        def __init__(self, part):
            self.part = part

    outer = Outer(inner)
    assert list(outer.state_dict()) == ["part.weight", "part.bias"]
    assert [name for name, _ in outer.named_children()] == ["part"]


def test_a_method_settings_has_the_word():
    assert settings_of(Own("a")) == {"path": "a"}


def test_a_parameter_without_an_attribute_is_named():
    class Forgets:
        def __init__(self, kept, lost):
            self.kept = kept

    with pytest.raises(ConfigError, match=r"Forgets keeps no attribute for its parameter lost"):
        settings_of(Forgets(1, 2))


def test_starred_parameters_are_kept_too():
    class Many(RemembersCall):
        def __init__(self, *sizes, **options): ...

    assert settings_of(Many(1, 2, deep=True)) == {"sizes": (1, 2), "deep": True}


@built
def net(width, *, bias=True, **options):
    return nn.Sequential(nn.Linear(width, 1, bias=bias))


def test_a_built_model_knows_its_call_with_defaults():
    recipe = recipe_of(net(3, extra=1))
    assert recipe.function is net
    assert recipe.settings == {"width": 3, "bias": True, "extra": 1}


def test_a_recipe_survives_a_deep_copy_and_changes_no_weight_names():
    model = copy.deepcopy(net(3))
    assert recipe_of(model).settings["width"] == 3
    assert list(model.state_dict()) == ["0.weight", "0.bias"]


def test_a_recipe_can_say_what_differs_for_the_structure_alone():
    model = nn.Linear(1, 1)
    record_built(model, net, {"width": 1, "weights": "DEFAULT"}, {"weights": None})
    assert recipe_of(model).structure == {"weights": None}


def test_layers_of_torch_tell_bias_as_it_was_given():
    assert settings_of(nn.Linear(2, 3, bias=False))["bias"] is False
    assert settings_of(nn.Conv2d(2, 3, 1))["bias"] is True
    assert "device" not in settings_of(nn.Linear(2, 3))
    assert settings_of(nn.LSTM(3, 4, num_layers=2, bidirectional=True))["num_layers"] == 2
    assert torch.nn.LSTM(**settings_of(nn.LSTM(3, 4, bidirectional=True))).bidirectional
