"""No keyword disappears: a public callable names each, or `keywords.toml` says who reads it."""

import importlib
import inspect
import tomllib
from functools import cached_property

import pytest


@pytest.fixture(scope="session")
def reasons(root):
    """{callable: who refuses what it does not know}."""
    stated = tomllib.loads((root / "tests" / "contract" / "keywords.toml").read_text())
    return {name: who for who, names in stated["refused_by"].items() for name in names}


def callables_of(module):
    """The public callables of a module, with the public methods that its classes define."""
    loaded = importlib.import_module(module)
    for name in loaded.__all__:
        value = getattr(loaded, name)
        if not callable(value) or not getattr(value, "__module__", "").startswith("layerwise."):
            continue
        yield f"{module}.{name}", value
        if isinstance(value, type) and not issubclass(value, type):
            for attribute, method in vars(value).items():
                if isinstance(method, cached_property):
                    continue
                if inspect.isroutine(method) and (attribute[0] != "_" or attribute == "__call__"):
                    yield f"{module}.{name}.{attribute}", getattr(value, attribute)


def swallows_keywords(value):
    if isinstance(value, type):
        # What a class takes is what its own constructor names; torch and Python check theirs.
        if getattr(value, "_is_protocol", False):
            return False  # its __init__ is Python's
        makers = (vars(value).get("__init__"), vars(value).get("__new__"))
        return any(swallows_keywords(maker) for maker in makers if inspect.isroutine(maker))
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:
        return False  # written in C, by somebody else
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def test_a_callable_names_its_keywords_or_says_who_reads_them(module, reasons):
    found = [name for name, value in callables_of(module) if swallows_keywords(value)]
    unexplained = [name for name in found if name not in reasons]
    assert not unexplained, (
        f"name the keywords, or say who reads them in keywords.toml: {unexplained}"
    )


def test_every_reason_is_still_needed(reasons):
    modules = sorted(
        {name for name in reasons if importable(name)} | {home(each) for each in reasons}
    )
    needed = {
        name
        for module in modules
        for name, value in callables_of(module)
        if swallows_keywords(value)
    }
    assert sorted(set(reasons) - needed) == []


def home(name):
    """The module part of a dotted name."""
    while not importable(name):
        name = name.rpartition(".")[0]
    return name


def importable(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
