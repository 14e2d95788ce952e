"""The training script for DICOM files, as its users call it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[3] / "examples" / "vision" / "dicom.py"


def run(*arguments, folder):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


def test_it_trains_on_the_slices_that_are_here(tmp_path):
    done = run("--small", "--out", tmp_path, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert (tmp_path / "models" / "vision-xresnet18.safetensors").is_file()


@pytest.mark.slow
def test_it_trains_on_folders_and_splits_by_patient(make_dataset, tmp_path):
    rng = np.random.default_rng(0)
    for label, level in (("bone", 800), ("water", 0)):
        (tmp_path / label).mkdir()
        for i in range(12):
            pixels = rng.normal(level, 50, (32, 32)).astype(np.int16)
            made = make_dataset(pixels, PatientID=str(i // 3))
            made.save_as(tmp_path / label / f"{i}.dcm", enforce_file_format=True)
    done = run(
        ".", "--window", "brain_bone", "--from-scratch", "--arch", "vision/xresnet18",
        "--epochs", 1, "--size", 32, "--bs", 4, "--valid-pct", 0.25, folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "vision-xresnet18.safetensors").is_file()


@pytest.mark.slow
def test_one_patient_is_too_few_and_help_is_there(head, tmp_path):
    assert "--window" in run("--help", folder=tmp_path).stdout
    done = run(head[0].parent, folder=tmp_path)
    assert done.returncode == 1
    assert "all files are of one patient" in done.stderr
    assert run(folder=tmp_path).returncode == 2
