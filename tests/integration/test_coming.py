"""The programs of the pages for those who come from elsewhere: before and after reach the same."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from layerwise.core.data.archive import extract_archive

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "coming"
DATA = ROOT / "examples" / "data"
PEERS = ["fastai", "lightning", "keras", "torch"]
# Where the peers are: another environment can be named, for want of one with all of them.
PYTHON = Path(os.environ.get("LAYERWISE_PEERS", ROOT / ".venv-bench" / "bin" / "python"))
# A torchvision that does not fit its torch stops the import of a peer that never uses it.
RUN = """
import runpy, sys
from layerwise.core.torchvision_operators import stand_in_for_operators
stand_in_for_operators()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The folder of the pictures that all programs train on."""
    folder = tmp_path_factory.mktemp("peers") / "data" / "mnist_sample"
    return extract_archive(DATA / "mnist_sample.tgz", folder)


def accuracy_in(printed):
    """What a program says at its end."""
    found = re.search(r"^accuracy: (\d\.\d+)$", printed, re.MULTILINE)
    assert found, f"no accuracy was printed:\n{printed[-2000:]}"
    return float(found[1])


@pytest.mark.parametrize("peer", [*PEERS, "loop"])
def test_the_program_after_learns_as_well(peer, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAYERWISE_MIRROR", str(DATA))
    monkeypatch.setenv("LAYERWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["program.py", str(digits)])
    runpy.run_path(str(PAGES / "after" / f"{peer}_program.py"), run_name="__main__")
    assert accuracy_in(capsys.readouterr().out) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_the_program_before_runs_with_its_own_library(peer, digits, tmp_path):
    if not PYTHON.exists():
        pytest.skip("no environment with peers: `make bench` makes it")
    environment = {**os.environ, "FASTAI_HOME": str(digits.parents[1])}
    asked = subprocess.run(
        [PYTHON, "-c", f"import importlib.util as u; assert u.find_spec({peer!r})"],
        env=environment, capture_output=True,
    )  # fmt: skip
    if asked.returncode:
        pytest.skip(f"{peer} is not among the peers in {PYTHON}")
    program = PAGES / "before" / f"{peer}_program.py"
    done = subprocess.run(
        [PYTHON, "-c", RUN, program, digits],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert accuracy_in(done.stdout) > 0.95


def test_readers_of_the_book_change_the_import_line_alone():
    before, after = (
        (PAGES / side / "fastai_program.py").read_text().splitlines()
        for side in ("before", "after")
    )
    assert before[0] == "from fastai.vision.all import *"
    assert after[0] == "from layerwise.vision.all import *"
    assert before[1:] == after[1:]
