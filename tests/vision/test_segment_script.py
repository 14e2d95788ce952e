"""examples/vision/segment.py on a folder laid out like CamVid."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "vision" / "segment.py"


def run(*arguments, cwd=None):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_it_says_what_it_takes():
    done = run("--help")
    assert done.returncode == 0, done.stderr
    assert "laid out like CamVid" in done.stdout
    assert run().returncode == 2


@pytest.mark.slow
def test_it_trains_on_a_folder_and_writes_a_learner(tmp_path):
    runpy.run_path(str(SCRIPT))["draw_scenes"](tmp_path / "scenes", 10)
    done = run(
        tmp_path / "scenes", "--arch", "squeezenet1_1", "--from-scratch", "--epochs", 1,
        "--size", 32, 40, "--bs", 4, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "foreground_acc" in done.stdout
    assert (tmp_path / "out" / "segmenter.lw").is_file()
    assert (tmp_path / "out" / "models" / "segmenter.safetensors").is_file()
