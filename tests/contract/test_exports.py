"""Stars bring our names and nothing else; every module says which names are its own."""

import ast
import builtins
import functools
import importlib
import pathlib
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict

import numpy
import pytest
import torch

PASSED_ON = {
    "F": torch.nn.functional,
    "Path": pathlib.Path,
    "Tensor": torch.Tensor,
    "nn": torch.nn,
    "np": numpy,
    "partial": functools.partial,
    "torch": torch,
}
IMPORTED_AT_FIRST_USE = {"pd": "pandas", "plt": "matplotlib.pyplot"}
PRELUDE = "layerwise.core.prelude"
# A record is found by its entry point, tests import what they test with, estimators need an extra.
NOT_IN_A_STAR = ("cli", "estimator", "plugin", "serve", "testing", "training")
# Read as `engine.fit`: alone, such a name says too little.
READ_WITH_ITS_MODULE = {"layerwise.core.train.engine"}
TAKEN = {*dir(builtins), *sys.stdlib_module_names, "torch", "nn", "np", "pd", "plt"}


@pytest.fixture(scope="session")
def names_of_star(reference):
    """A function from a package to {name: [modules of its star that define the name]}."""

    def collect(package):
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys(["core", package]):
            for module, names in reference.public_modules(name).items():
                if module.split(".")[2] in NOT_IN_A_STAR or module in READ_WITH_ITS_MODULE:
                    continue
                for each in names:
                    found.setdefault(each, []).append(module)
        return found

    return collect


@pytest.fixture(scope="session")
def shared_inside(root):
    """{module: names of it that another module of ours imports}: helpers need not be public."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in root.glob("packages/*/src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found[node.module] |= {alias.name for alias in node.names}
    return found


def defined_names(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_a_module_lists_its_own_public_names(module, reference, source_of, shared_inside):
    listed = reference.public_modules(module.split(".")[1])[module]
    assert len(listed) == len(set(listed))
    if module == PRELUDE:
        return
    tree = ast.parse(source_of(module).read_text())
    defined = set(defined_names(tree))
    foreign = sorted(set(listed) - defined)
    assert not foreign, f"listed in __all__ and not defined here: {foreign}"
    functions = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    own = {name for name in functions if not name.startswith("_")} - set(listed)
    forgotten = sorted(own - shared_inside[module])
    assert not forgotten, f"put them in __all__, or begin them with _: {forgotten}"


def test_the_objects_of_a_module_are_defined_in_it(module):
    if module == PRELUDE:
        return
    loaded = importlib.import_module(module)
    for name in loaded.__all__:
        value = getattr(loaded, name)
        if isinstance(value, type) or callable(value):
            home = getattr(value, "__module__", module)
            is_ours = home == module or not hasattr(value, "__qualname__")
            # An alias such as `Scalar = float` is ours by name only.
            assert is_ours or value.__qualname__ != name, f"{module}.{name} is from {home}"


def test_a_star_brings_exactly_the_public_names(star, names_of_star):
    loaded = importlib.import_module(f"layerwise.{star}.all")
    brought = {name for name in vars(loaded) if not name.startswith("_")}
    expected = set(names_of_star(star))
    assert not brought - expected, f"in no __all__: {sorted(brought - expected)}"
    assert not expected - brought, f"missing in the star module: {sorted(expected - brought)}"


def test_no_name_of_a_star_is_defined_twice(package, names_of_star):
    twice = {name: where for name, where in names_of_star(package).items() if len(where) > 1}
    assert twice == {}


def test_no_name_of_a_star_shadows_what_python_programmers_use(package, names_of_star):
    names = {name for name, where in names_of_star(package).items() if where != [PRELUDE]}
    assert sorted(names & TAKEN) == []
    assert sorted(names & {*PASSED_ON, *IMPORTED_AT_FIRST_USE}) == []


def test_the_prelude_passes_on_nine_names_and_they_are_the_very_objects():
    prelude = importlib.import_module(PRELUDE)
    assert sorted(prelude.__all__) == sorted([*PASSED_ON, *IMPORTED_AT_FIRST_USE])
    for name, value in PASSED_ON.items():
        assert getattr(prelude, name) is value
    assert prelude.pd.DataFrame is importlib.import_module("pandas").DataFrame
    assert prelude.plt.subplots is importlib.import_module("matplotlib.pyplot").subplots


def test_what_is_imported_at_first_use_is_not_imported_before():
    asked = (
        "import sys; from layerwise.core.prelude import *; early = {'pandas', 'matplotlib'} & {*sys"
        ".modules}; pd.Series, plt.rcParams; print(sorted(early), 'pandas' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["[]", "True"]


def test_a_module_for_first_use_that_is_missing_says_so_and_can_still_be_looked_at(monkeypatch):
    prelude = importlib.import_module(PRELUDE)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pandas"):
        _ = prelude.pd.DataFrame
    assert not hasattr(prelude.pd, "__wrapped__")


def test_no_module_passes_through_a_star_but_those_of_the_prelude(star):
    loaded = importlib.import_module(f"layerwise.{star}.all")
    modules = {name for name, value in vars(loaded).items() if isinstance(value, type(sys))}
    assert modules <= {*PASSED_ON, *IMPORTED_AT_FIRST_USE}


def test_star_modules_are_only_stars(star, root):
    text = (root / f"packages/{star}/src/layerwise/{star}/all.py").read_text()
    _docstring, *statements = ast.parse(text).body
    for node in statements:
        assert isinstance(node, ast.ImportFrom)
        assert [alias.name for alias in node.names] == ["*"]


def test_the_number_of_names_changes_only_where_it_is_seen(root, reference, packages):
    """A change of `names.toml` shows in review; write the new number there if it is meant."""
    stated = tomllib.loads((root / "tests" / "contract" / "names.toml").read_text())["names"]
    counted: Counter[str] = Counter()
    for package in packages:
        for module, names in reference.public_modules(package).items():
            if module.split(".")[2] not in NOT_IN_A_STAR and module not in READ_WITH_ITS_MODULE:
                counted[package] += len(names)
    assert {package: counted[package] for package in packages} == stated
