"""The program in examples/audio, run as a reader would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from layerwise.core.restore import load_learner

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*arguments):
    return subprocess.run(
        [sys.executable, EXAMPLES / "audio" / "train_sounds.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def number_after(words, text):
    """The first number behind `words`."""
    return float(text.split(words, 1)[1].split()[0])


def test_it_says_what_it_takes_and_what_is_missing(tmp_path):
    told = run("--help")
    assert told.returncode == 0, told.stderr
    assert "--small" in told.stdout
    for arguments, says in [
        ((), "or pass --small"),
        ((tmp_path, "--label", "x"), "--label 'x' has no group"),
        ((tmp_path, "--arch", "CRN"), "Did you mean 'audio/CRNN'"),
    ]:
        refused = run(*arguments)
        assert refused.returncode == 2
        assert says in refused.stderr


def test_folders_are_learnt_drawn_and_the_export_answers(tones, tmp_path):
    out = tmp_path / "out"
    done = run(
        tones / "train", "--sample-rate", 8000, "--hop", 64, "--n-mels", 16, "--augment",
        "--epochs", 10, "--lr", 0.01, "--bs", 4, "--pictures", out, "--export", tmp_path / "t.lw",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "24 clips of 2 classes, 5 validate" in done.stdout
    assert number_after("audio_resnet: accuracy", done.stdout) > 0.7
    assert sorted(f.name for f in out.iterdir()) == ["batch.png", "confusion.png", "results.png"]
    served = load_learner(tmp_path / "t.lw")
    assert served.predict(tones / "valid" / "high" / "high_3.wav")[0] == "high"


def test_groups_validate_whole_and_waveforms_are_read(tones, tmp_path):
    for file in (tones / "train").rglob("*.wav"):
        shutil.copy(file, tmp_path / file.name)
    done = run(
        tmp_path, "--label", "^([a-z]+)_", "--apart", r"_(\d+)\.", "--arch", "M5",
        "--sample-rate", 8000, "--epochs", 1, "--bs", 4,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # A fifth of twelve numbers, each of a low tone and of a high one.
    assert "24 clips of 2 classes, 4 validate" in done.stdout
    assert "the commonest class: accuracy 0.5000" in done.stdout
    refused = run(tmp_path, "--label", r"_(\d\d)\.")
    assert refused.returncode == 1
    assert "finds nothing in" in refused.stderr


@pytest.mark.slow
def test_digits_are_learnt_better_than_by_guessing():
    done = run("--small")
    assert done.returncode == 0, done.stderr
    assert number_after("audio_resnet: accuracy", done.stdout) > 0.7
