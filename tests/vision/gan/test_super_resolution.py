"""The script for super-resolution: its parts, and a run through all stages."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[3] / "examples" / "vision" / "super_resolution.py"


@pytest.fixture(scope="session")
def script():
    """The names in the script."""
    return runpy.run_path(str(SCRIPT))


def test_the_script_says_what_it_does(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["super_resolution.py", "--help"])
    with pytest.raises(SystemExit, match="0"):
        script["read_arguments"]()
    assert "--gan-epochs" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["super_resolution.py"])
    with pytest.raises(SystemExit):
        script["read_arguments"]()
    assert "name a folder of photographs, or pass --small" in capsys.readouterr().err


def test_bad_pictures_are_of_the_same_size_and_always_the_same(script, tmp_path):
    sources = script["draw_pictures"](tmp_path / "drawn", count=3)
    source = sorted(sources.iterdir())[0]
    made = []
    for name in "ab":
        real, low = tmp_path / f"real{name}.jpg", tmp_path / f"low{name}.jpg"
        script["crappify"](source, real, low, size=48, low_size=16)
        made.append((real.read_bytes(), low.read_bytes()))
    assert made[0] == made[1]
    with Image.open(real) as one, Image.open(low) as other:
        assert one.size == other.size == (48, 48)
        difference = np.asarray(one, float) - np.asarray(other, float)
    assert 2 < np.abs(difference).mean() < 60


@pytest.mark.slow
def test_all_stages_leave_pictures_and_a_generator(tmp_path):
    command = [sys.executable, str(SCRIPT), "--small", "--out", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for stage in ("1. ", "2. ", "3. ", "4. "):
        assert f"\n{stage}" in f"\n{done.stdout}"
    assert (tmp_path / "generator.lw").is_file()
    with Image.open(tmp_path / "stages.png") as stages:
        assert stages.size == (2 * 48, 5 * 48)  # bad, three stages, real
