"""What holds for every test, doctest and example: seeds, threads, no window, no leftovers."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

# Before anything draws: a test opens no window.
os.environ["MPLBACKEND"] = "agg"

# A machine that others use is slow at times, and no test is about how fast it is.
settings.register_profile("layerwise", deadline=None)
settings.load_profile("layerwise")

collect_ignore = ["docs/conf.py", "docs/public_names.py"]

_DATA = Path(__file__).parent / "examples" / "data"
_before: dict[str, str | None] = {}
_home = TemporaryDirectory(prefix="layerwise-pages-")


def _offer_data(_namespace: dict[str, object]) -> None:
    """Let a page find the data sets that we ship where its reader would download them."""
    for name, value in {"LAYERWISE_MIRROR": str(_DATA), "LAYERWISE_HOME": _home.name}.items():
        _before[name] = os.environ.get(name)
        os.environ[name] = value


def _take_back(_namespace: dict[str, object]) -> None:
    for name, value in _before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


# Plain `python` blocks of these pages are run; `{code-cell}` pages run when the docs are built,
# and the fragments in docs/explain show good and bad habits side by side.
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/extend/*.md"],
    setup=_offer_data,
    teardown=_take_back,
).pytest()


def pytest_configure() -> None:
    """Keep to one thread: two workers share two cores, and sums come out the same everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Start every test from the same random numbers."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_figure_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a matplotlib figure open: they pile up in memory."""
    import sys

    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")  # of a page, whose examples are no tests of pytest's own
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        left = pyplot.get_fignums()
        pyplot.close("all")
        if left and request.node.path.suffix == ".py":  # a page shows what it draws
            pytest.fail(f"{len(left)} matplotlib figures are left open; close them in the test")
