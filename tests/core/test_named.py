"""References to names of the registry and of torch, and nothing else."""

import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.data.readers import parent_label
from layerwise.core.errors import ConfigError
from layerwise.core.named import TORCH_NAMES, object_of, reference_to
from layerwise.core.registry import KINDS
from layerwise.core.transforms.category import Categorize

EVERYTHING = KINDS | {"torch"}


def test_a_reference_finds_its_object_again():
    for value in (Categorize, parent_label, nn.Linear, torch.nn.functional.mse_loss, torch.relu):
        assert object_of(reference_to(value), EVERYTHING) is value


def test_every_name_of_torch_is_there_and_unique():
    names = [
        f"torch:{m}.{n}".replace(":.", ":") for m, ns in TORCH_NAMES.items() for n in ns.split()
    ]
    assert len(set(names)) == len(names)
    assert all(callable(object_of(name, EVERYTHING)) for name in names)


def test_lambdas_local_functions_and_others_objects_have_none():
    def local(): ...

    assert [reference_to(x) for x in (lambda: 0, local, os.system, eval, torch.load, 3)] == [
        None
    ] * 6


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "function:os/system", "torch:load", "torch:nn.Module", "torch:nn..Linear",
        "builtins:eval", "transform:core/Categorize.__init__", "type:core/../str", "", ":", 7, None,
        {"$name": "x"}, "torch:nn.Linear ", "dataset:core/nothing",
    ],
    ids=str,
)  # fmt: skip
def test_other_texts_are_refused(name):
    with pytest.raises(ConfigError):
        object_of(name, EVERYTHING)


@given(st.text(max_size=40))
def test_no_text_leaves_with_another_error(text):
    try:
        object_of(text, EVERYTHING)
    except ConfigError:
        return
    pytest.fail(f"{text!r} was found")


def test_a_kind_that_is_not_meant_to_stand_there_is_refused():
    with pytest.raises(ConfigError, match="begin with transform:"):
        object_of("type:core/str", frozenset({"transform"}))


def test_a_missing_package_and_a_program_of_ones_own_are_both_named():
    with pytest.raises(ConfigError, match=r"register\('function', 'mine/label_of', ...\)"):
        object_of("function:mine/label_of", EVERYTHING)


def test_the_nearest_name_is_named():
    with pytest.raises(ConfigError, match="Categorize"):
        object_of("transform:core/Categorise", EVERYTHING)
