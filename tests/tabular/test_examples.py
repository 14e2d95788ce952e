"""The programs in examples/tabular, run as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from layerwise.core.restore import load_learner
from layerwise.tabular.dates import add_datepart

SCRIPTS = Path(__file__).parents[2] / "examples" / "tabular"


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, SCRIPTS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
    )


def number_after(words, text):
    """The first number behind `words`."""
    return float(text.split(words, 1)[1].split()[0].rstrip(","))


@pytest.mark.parametrize("script", ["train_table.py", "forecast.py"])
def test_it_says_what_it_takes_and_what_is_missing(script):
    told = run(script, "--help")
    assert told.returncode == 0, told.stderr
    assert "--small" in told.stdout
    refused = run(script)
    assert refused.returncode == 2
    assert "or pass --small" in refused.stderr


@pytest.fixture
def fruit(tmp_path):
    """A table whose `ripe` follows from the colour, and `price` from weight and colour."""
    rng = np.random.default_rng(0)
    weight, is_red = rng.normal(100, 20, 600), rng.random(600) < 0.5
    table = pd.DataFrame(
        {
            "colour": np.where(is_red, "red", "green"),
            "weight": np.where(rng.random(600) < 0.1, np.nan, weight),
            "picked": pd.date_range("2024-05-01", periods=600, freq="D"),
            "ripe": np.where(is_red, "yes", "no"),
            "price": weight + 50 * is_red,
        }
    )
    table.to_csv(tmp_path / "fruit.csv", index=False)
    return tmp_path / "fruit.csv"


def test_classes_are_learnt_and_the_export_answers_for_a_row(fruit, tmp_path):
    done = run(
        "train_table.py", fruit, "--target", "ripe", "--dates", "picked", "--skip", "price",
        "--epochs", 4, "--bs", 32, "--lr", 0.01, "--export", tmp_path / "ripe.lw",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert number_after("mlp: accuracy", done.stdout) > 0.95
    assert number_after("trees: accuracy", done.stdout) == 1
    learn = load_learner(tmp_path / "ripe.lw")
    rows = add_datepart(pd.read_csv(fruit), "picked").drop(columns=["ripe", "price"]).head(20)
    labels = [learn.dls.vocab[index] for _, index, _ in learn.predict(rows)]
    assert labels == ["yes" if colour == "red" else "no" for colour in rows["colour"]]


def test_numbers_are_learnt_on_their_own_scale(fruit):
    done = run(
        "train_table.py", fruit, "--target", "price", "--skip", "ripe", "picked", "--epochs", 20,
        "--bs", 32,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "numbers: weight" in done.stdout
    assert number_after("mean absolute error", done.stdout) < 12  # without weight and colour: 27
    assert number_after("variance explained", done.stdout) > 0.6


@pytest.fixture
def shops(tmp_path):
    """Two shops with a week each, of which one grows; the last week is to come."""
    days = pd.date_range("2023-01-01", periods=400, freq="D")
    rng = np.random.default_rng(0)
    week = np.array([1, 2, 3, 4, 5, 9, 7])
    shops = []
    for name, growth in (("north", 0.0), ("south", 0.004)):
        sold = (
            20 * week[days.day_of_week] * np.exp(growth * np.arange(400) + rng.normal(0, 0.02, 400))
        )
        sold[-7:] = np.nan
        shops.append(pd.DataFrame({"day": days, "shop": name, "sold": sold}))
    table = pd.concat(shops).drop(index=[100, 101])  # some days are in no row
    table.to_csv(tmp_path / "shops.csv", index=False)
    return tmp_path / "shops.csv"


def test_days_to_come_are_forecast(shops, tmp_path):
    out = tmp_path / "forecasts.csv"
    done = run(
        "forecast.py", shops, "--time", "day", "--target", "sold", "--by", "shop", "--every", "D",
        "--horizon", 7, "--season", 7, "--log", "--epochs", 12, "--bs", 32,
        "--out", out, "--plot", tmp_path / "forecasts.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    off, base = (number_after(f"{name}: off by", done.stdout) for name in ("forecast", "baseline"))
    assert off < 0.8 * base
    found = pd.read_csv(out, parse_dates=["day"])
    coming = found[found["sold"].isna() & (found["day"] > "2024-01-28")]
    assert len(coming) == 14
    # A week is 31 times 20, at the rate that the shop has by then.
    by_shop = coming.groupby("shop")["forecast"].sum()
    np.testing.assert_allclose(by_shop["north"], 620, rtol=0.06)
    np.testing.assert_allclose(by_shop["south"], 620 * np.exp(0.004 * 396), rtol=0.06)
    assert (tmp_path / "forecasts.png").stat().st_size > 1000


def test_a_lag_that_is_not_known_yet_is_refused(shops):
    refused = run(
        "forecast.py", shops, "--time", "day", "--target", "sold", "--horizon", 14, "--season", 7
    )
    assert refused.returncode == 2
    assert "[7] of --season and --lags are not known --horizon 14 ahead" in refused.stderr


@pytest.mark.slow
def test_the_census_is_learnt_and_the_bikes_are_forecast(tmp_path):
    census = run("train_table.py", "--small", "--export", tmp_path / "salary.lw")
    assert number_after("mlp: accuracy", census.stdout) > 0.84, census.stderr  # 0.76 are the others
    bikes = run("forecast.py", "--small")
    off, base = (number_after(f"{name}: off by", bikes.stdout) for name in ("forecast", "baseline"))
    assert off < 0.8 * base
