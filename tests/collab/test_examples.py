"""The program in examples/collab, run as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from layerwise.core.restore import load_learner

SCRIPT = Path(__file__).parents[2] / "examples" / "collab" / "train_recommender.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def number_after(words, text):
    """The first number behind `words`."""
    return float(text.split(words, 1)[1].split()[0].rstrip(","))


@pytest.fixture
def tastes(tmp_path):
    """A file in which people like either the films or the books, and rate what they like 5."""
    rng = np.random.default_rng(0)
    rows = [
        {"stars": 5 if what.startswith(likes) else 1, "what": what, "who": f"{likes} fan {i}"}
        for likes in ("film", "book")
        for i in range(20)
        for what in [f"film {k}" for k in range(10)] + [f"book {k}" for k in range(10)]
        if rng.random() < 0.7
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "tastes.csv", index=False)
    return tmp_path / "tastes.csv"


NAMES = ("--user", "who", "--item", "what")


def test_it_says_what_it_takes_and_what_is_missing():
    told = run("--help")
    assert told.returncode == 0, told.stderr
    assert "--small" in told.stdout
    refused = run()
    assert refused.returncode == 2
    assert "or pass --small" in refused.stderr


def test_taste_is_learnt_and_the_export_recommends(tastes, tmp_path):
    done = run(
        tastes, *NAMES, "--rating", "stars", "--epochs", 15, "--lr", 0.05, "--bs", 32,
        "--factors", 4, "--recommend", "film fan 3", "--export", tmp_path / "tastes.lw",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 users in who, 20 items in what" in done.stdout
    assert number_after("model: rmse", done.stdout) < 0.5
    # A mean of ones and fives is two off.
    assert number_after("mean of the item: rmse", done.stdout) == pytest.approx(2, abs=0.15)
    table = pd.read_csv(tastes)
    has_rated = set(table["what"][table["who"] == "film fan 3"])
    listed = re.findall(r"(?:film|book) \d", done.stdout.split("for who film fan 3:", 1)[1])
    assert set(listed) == set(table["what"]) - has_rated
    assert listed[0].startswith("film")
    best = load_learner(tmp_path / "tastes.lw").predict({"who": "book fan 1", "what": "book 2"})[0]
    assert best == pytest.approx(5, abs=0.8)


def test_what_is_taken_is_ranked_better_than_by_popularity(tastes):
    liked = pd.read_csv(tastes).query("stars == 5")
    liked.to_csv(tastes, index=False)
    done = run(
        tastes, *NAMES, "--implicit", "--epochs", 20, "--lr", 0.02, "--bs", 32, "--factors", 4,
        "--valid-pct", 0.3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    model, popular = (
        number_after(f"{name}: precision@10", done.stdout) for name in ("model", "popular items")
    )
    assert model > 1.3 * popular


def test_a_user_that_is_not_there_is_told_before_training(tastes):
    refused = run(tastes, *NAMES, "--rating", "stars", "--recommend", "film fan 33")
    assert refused.returncode == 1
    assert "no row that trains has who 'film fan 33'. Did you mean 'film fan" in refused.stderr
    assert "train_loss" not in refused.stdout


def test_ratings_are_not_read_where_they_play_no_part(tastes):
    refused = run(tastes, *NAMES, "--implicit", "--rating", "stars")
    assert refused.returncode == 2
    assert "leave out --rating" in refused.stderr


@pytest.mark.slow
def test_films_are_learnt_better_than_their_means():
    done = run("--small")
    model, means = (
        number_after(f"{name}: rmse", done.stdout) for name in ("model", "mean of the item")
    )
    assert model < 0.95 * means, done.stderr
    assert "for userId 18:" in done.stdout
