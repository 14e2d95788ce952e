"""The contract of a package: cases by name, and what they say where something is missing."""

import textwrap
from importlib.metadata import EntryPoints, distributions

import pytest
import torch

from layerwise.core import registry
from layerwise.core.errors import RegistryError
from layerwise.core.testing import ContractError, Example, plugin_checks, raises_with

RECORD = """
    from layerwise.core.registry import Entry, Plugin

    plugin = Plugin(name="birds", api={api}, entries={{
        "model": {{"small": Entry("lw_birds_things:small", "few weights")}},
        "transform": {{"shift": Entry("lw_birds_things:Shift", "adds a number")}},
        "callback": {{"count": Entry("lw_birds_things:Count", "counts batches")}},
        "metric": {{"near": Entry("lw_birds_things:near", "how many are near")}},
        "loss": {{"flat": Entry("lw_birds_things:Flat", "squares")}},
        "optimizer": {{"descent": Entry("lw_birds_things:descent", "steepest")}},
        "block": {{"bird": Entry("lw_birds_things:BirdBlock", "names of birds")}},
        "reader": {{"names": Entry("lw_birds_things:names", "lines of a file")}},
        "command": {{"count": Entry("lw_birds_things:tell", "says how many")}},
    }})
"""
THINGS = """
    import torch
    from torch import nn
    from layerwise.core.data.block import CategoryBlock
    from layerwise.core.nn.losses import MSELossFlat
    from layerwise.core.optim.algorithms import SGD
    from layerwise.core.train.callback import Callback
    from layerwise.core.transforms.transform import Transform

    def small(): return nn.Linear(3, 2)

    class Shift(Transform):
        def __init__(self, by):
            super().__init__()
            self.by = by
        def encodes(self, x: int): return x + self.by
        def decodes(self, x: int): return x - self.by

    class Count(Callback):
        def before_fit(self): self.count = 0
        def after_batch(self): self.count += 1

    def near(pred, targ): return ((pred - targ).abs() < 1).float().mean()

    class Flat(MSELossFlat): ...

    def descent(params, lr): return SGD(params, lr=lr)

    def BirdBlock(): return CategoryBlock()

    def names(path): return path.read_text().splitlines()

    def tell(count: int = 1) -> None:
        "Print a number."
        print(count)
"""
X, Y = torch.arange(6.0), torch.arange(6.0) * 0.7
EXAMPLES = {
    "model": {"small": Example((torch.ones(4, 3),))},
    "transform": {
        "shift": Example((3,), make=lambda: registry.find("transform", "birds/shift")(2))
    },
    "metric": {"near": Example((X, Y))},
    "loss": {"flat": Example((X, Y))},
    "block": {"bird": Example((["wren", "kite", "wren", "owl", "kite", "wren"],))},
}
PREFIX = "birds"


@pytest.fixture
def birds(tmp_path, monkeypatch):
    """A function that installs the package `birds`; the registry sees no other."""

    def only_here(*, group):
        found = [p for each in distributions(path=[str(tmp_path)]) for p in each.entry_points]
        return EntryPoints(found).select(group=group)

    def install(record=RECORD, things=THINGS, api=1):
        info = tmp_path / "layerwise_birds-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: layerwise-birds\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            "[layerwise.plugins]\nbirds = lw_birds_record:plugin\n"
        )
        (tmp_path / "lw_birds_record.py").write_text(textwrap.dedent(record).format(api=api))
        (tmp_path / "lw_birds_things.py").write_text(textwrap.dedent(things))

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "entry_points", only_here)
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_records", {})
    monkeypatch.setattr(registry, "_published", None)
    yield install
    import sys

    for name in ("lw_birds_record", "lw_birds_things"):
        sys.modules.pop(name, None)


def test_a_package_that_keeps_the_contract_passes_every_case(birds):
    birds()
    cases = dict(plugin_checks(PREFIX, EXAMPLES))
    assert (
        len(cases) == 1 + 1 + 9 + 8
    )  # the record, its module, each name, and all but the reader tried
    for case in cases.values():
        case()


def test_cases_are_named_after_what_they_check(birds):
    birds()
    names = [name for name, _ in plugin_checks(PREFIX, EXAMPLES)]
    assert names[0] == "birds: the record is found and imports"
    assert "model birds/small: trains, moves and saves" in names
    assert "reader birds/names: is found" in names
    assert len(set(names)) == len(names)


def run(name, examples):
    dict(plugin_checks(PREFIX, examples))[name]()


def test_an_entry_that_needs_an_example_says_which(birds):
    birds()
    with raises_with(ContractError, "examples={'model': {'small': Example(...)}}", "inputs=(xb,)"):
        run("model birds/small: trains, moves and saves", {})
    with raises_with(ContractError, "without pred and targ"):
        run("loss birds/flat: works for any batch size", {"loss": {"flat": Example((X,))}})
    with raises_with(ContractError, "not made without arguments", "make=lambda: ..."):
        given = {"transform": {"shift": Example((3,))}}
        run("transform birds/shift: repeats, decodes, keeps types, pickles", given)


def test_options_reach_the_check(birds):
    birds()
    shift = EXAMPLES["transform"]["shift"]
    given = {"transform": {"shift": Example(shift.inputs, shift.make, {"decoded": 4})}}
    with raises_with(ContractError, "decode does not undo"):
        run("transform birds/shift: repeats, decodes, keeps types, pickles", given)


def test_a_command_without_types_or_words_is_told(birds):
    birds(things=THINGS.replace("count: int = 1", "count=1"))
    with raises_with(ContractError, "tell: annotate count"):
        run("command birds/count: has typed and described arguments", EXAMPLES)


def test_an_entry_can_be_left_untried_with_a_reason(birds):
    birds()
    given = {"model": {"small": Example(skip="needs weights from the network")}}
    names = [name for name, _ in plugin_checks(PREFIX, given)]
    assert "model birds/small: is found" in names
    assert "model birds/small: trains, moves and saves" not in names


def test_an_example_for_a_name_that_is_not_there_is_refused(birds):
    birds()
    with raises_with(ContractError, "an example for model 'smal'", "'birds/small'"):
        run("birds: the record is found and imports", {"model": {"smal": Example()}})


def test_a_broken_entry_fails_in_its_own_case(birds):
    birds(things=THINGS.replace("def small(", "def big("))
    cases = dict(plugin_checks(PREFIX, EXAMPLES))
    cases["loss birds/flat: works for any batch size"]()
    with raises_with(RegistryError, "lw_birds_things:small", "does not import"):
        cases["model birds/small: is found"]()


def test_a_broken_record_is_one_case_that_says_why(birds):
    birds(record="import no_such_module")
    cases = dict(plugin_checks(PREFIX, EXAMPLES))
    assert list(cases) == ["birds: the record is found and imports"]
    with raises_with(ContractError, "layerwise-birds", "no_such_module"):
        cases["birds: the record is found and imports"]()


def test_a_record_for_another_api_is_one_case_that_says_what_to_do(birds):
    birds(api=99)
    with raises_with(ContractError, "API 99", "pip install --upgrade layerwise-core"):
        run("birds: the record is found and imports", {})


def test_a_package_that_is_not_installed_is_told_how(birds):
    with raises_with(RegistryError, "'birds'", "layerwise.plugins"):
        run("birds: the record is found and imports", {})
