"""The training scripts `detect.py` and `multi_label.py`, run as a reader would."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "examples" / "vision"


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, SCRIPTS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
    )


def numbers_of(line):
    return [float(word) for word in line.split() if word.replace(".", "").isdigit()]


@pytest.mark.parametrize("script", ["detect.py", "multi_label.py"])
def test_it_says_what_it_takes_and_what_is_missing(script):
    told = run(script, "--help")
    assert told.returncode == 0
    assert "--small" in told.stdout
    refused = run(script)
    assert refused.returncode == 2
    assert "or pass --small" in refused.stderr


def scenes_of(script, folder, **settings):
    """What the script draws."""
    spec = importlib.util.spec_from_file_location("drawn", SCRIPTS / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.draw_scenes(folder / "scenes", **settings)


def test_a_folder_with_annotations_is_learnt_from(tmp_path):
    path = scenes_of("detect.py", tmp_path, count=24)
    told = json.loads((path / "train.json").read_text())
    assert len(told["images"]) == 24
    done = run(
        "detect.py", path, "--from-scratch", "--arch", "vision/xresnet18", "--epochs", 1,
        "--size", 32, 48, "--bs", 4, "--width", 16, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "found.png").stat().st_size > 1000
    assert (tmp_path / "out" / "detector.lw").exists()
    assert "AP50" in done.stdout


def test_a_table_of_labels_is_learnt_from(tmp_path):
    path = scenes_of("multi_label.py", tmp_path, count=60)
    assert ",," in (path / "train.csv").read_text()  # a picture without labels
    done = run(
        "multi_label.py", path, "--from-scratch", "--arch", "vision/xresnet18", "--epochs", 1,
        "--size", 32, "--bs", 4, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "best threshold" in done.stdout
    assert (tmp_path / "out" / "labels.lw").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "column", "least"), [("detect.py", 4, 0.5), ("multi_label.py", 4, 0.8)]
)
def test_small_data_are_learnt(script, column, least, tmp_path):
    done = run(script, "--small", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert numbers_of(rows[-1])[column] > least
