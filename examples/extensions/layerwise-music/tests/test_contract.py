"""The contract of extensions, and what a package from outside may use."""

import doctest
import pkgutil
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from layerwise.core.testing.checks import Example, plugin_checks

import layerwise_music
from layerwise_music.score import Score

SCORES = [Score([(12 * i, 12, 60 + i) for i in range(8)], bars=[0, 48])] * 8
EXAMPLES = {
    "block": {"MusicBlock": Example((SCORES,))},
    "transform": {
        "MusicTokenizer": Example((SCORES[0],)),
        "OpenScore": Example((SCORES[0],)),
    },
}
CASES = dict(plugin_checks("music", EXAMPLES))
MODULES = sorted(info.name for info in pkgutil.iter_modules(layerwise_music.__path__))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_contract_holds(case: Callable[[], None]) -> None:
    case()


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = import_module(f"layerwise_music.{name}")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(module, optionflags=options).failed == 0


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("all", "show")])
def test_public_names_are_listed_in_order_and_documented(name: str) -> None:
    module = import_module(f"layerwise_music.{name}")
    assert list(module.__all__) == sorted(module.__all__)
    for public in module.__all__:
        found = getattr(module, public)
        if callable(found) and getattr(found, "__module__", "") == module.__name__:
            assert found.__doc__, public


def test_the_star_brings_music_text_and_core() -> None:
    names = vars(import_module("layerwise_music.all"))
    assert {"MusicDataLoaders", "AWD_LSTM", "Learner", "Score"} <= names.keys()


def test_the_first_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf8")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert blocks
    exec(compile(blocks[0], "README.md", "exec"), {})
