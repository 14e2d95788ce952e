"""Every name of a record is found, and what users and exports ask for is in a record."""

import importlib
import inspect
import typing

import pytest
import torch

from layerwise.core.registry import describe_name, find, plugins, registered_name

# What an export has to find again, by the class that each of its kind derives from.
BASES = {
    "callback": "layerwise.core.train.callback:Callback",
    "loss": "layerwise.core.nn.losses:BaseLoss",
    "metric": "layerwise.core.metrics.metric:Metric",
    "transform": "layerwise.core.transforms.transform:Transform",
    "type": "layerwise.core.tensors:TensorBase",
}
# They make a part of a model, or a model of what they are given.
PARTS = {
    "add_head", "create_body", "create_head", "cut_model", "load_pretrained", "network_of",
    "torchvision_model", "without_branches", "without_classifier", "without_heads",
}  # fmt: skip


@pytest.fixture(scope="session")
def record_of():
    """A function from the name of a package to its record."""
    return lambda package: importlib.import_module(f"layerwise.{package}.plugin").plugin


@pytest.fixture(scope="session")
def public(reference):
    """A function from a package to (module, name, object) of each public name."""

    def collect(package):
        for module, names in reference.public_modules(package).items():
            loaded = importlib.import_module(module)
            yield from ((module, name, getattr(loaded, name)) for name in names)

    return collect


def check_all_are_in_a_record(kind, candidates):
    missing = sorted(
        f"{module}.{name}"
        for module, name, value in candidates
        if registered_name(kind, value) is None
    )
    assert not missing, f"in no record as a {kind}: {missing}"


def test_every_package_is_installed_with_its_record(package, record_of):
    assert plugins()[package].startswith(f"layerwise-{package} ")
    assert record_of(package).name == package


def test_every_name_of_a_record_is_found_and_is_what_its_kind_says(package, record_of):
    for kind, entries in record_of(package).entries.items():
        for name, entry in entries.items():
            value = find(kind, f"{package}/{name}")
            assert callable(value), f"{kind} {package}/{name} is a {type(value).__name__}"
            assert entry.summary, f"{kind} {package}/{name} says nothing about itself"
            assert entry.target in describe_name(kind, f"{package}/{name}")


def test_a_record_imports_nothing_but_the_registry(package, root):
    text = (root / f"packages/{package}/src/layerwise/{package}/plugin.py").read_text()
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert len(imports) == 1
    assert imports[0].startswith("from layerwise.core.registry import ")


@pytest.mark.parametrize("kind", BASES)
def test_what_an_export_must_find_again_is_in_a_record(package, public, kind):
    module, _, name = BASES[kind].partition(":")
    base = getattr(importlib.import_module(module), name)
    ours = [
        (module, name, value)
        for module, name, value in public(package)
        if isinstance(value, type) and issubclass(value, base) and not inspect.isabstract(value)
        if ".testing." not in module
        # What says that others derive from it is not made itself.
        and not (value.__doc__ or "").startswith("Base of")
    ]
    check_all_are_in_a_record(kind, ours)


def test_every_block_is_in_a_record(package, public):
    blocks = [each for each in public(package) if each[0].endswith(".blocks")]
    named = [each for each in blocks if each[1].endswith("Block")]
    check_all_are_in_a_record("block", named)


def test_every_learner_is_in_a_record(package, public):
    learners = [each for each in public(package) if each[1].endswith("_learner")]
    named = [each for each in learners if each[0].endswith(".learner") and package != "core"]
    check_all_are_in_a_record("learner", named)


def test_every_model_that_a_function_builds_is_in_a_record(package, public):
    models = [
        (module, name, value)
        for module, name, value in public(package)
        if ".models." in module and inspect.isfunction(value) and returns_module(value)
        if name not in PARTS
    ]
    check_all_are_in_a_record("model", models)


def returns_module(function):
    returned = typing.get_type_hints(function).get("return")
    return isinstance(returned, type) and issubclass(returned, torch.nn.Module)
