"""From files to predictions: loaders, training, showing, exports, the command line, the README."""

import re
from pathlib import Path

import pytest
import torch
from layerwise.core.cli import main
from layerwise.core.data.block import RegressionBlock
from layerwise.core.metrics.classification import accuracy
from layerwise.core.restore import load_learner

from layerwise_timeseries.augment import NoiseSeries
from layerwise_timeseries.data import SeriesDataLoaders
from layerwise_timeseries.learner import series_learner
from layerwise_timeseries.models import Rocket

README = Path(__file__).parents[1] / "README.md"
SMALL = {"filters": 4, "depth": 3}


def waves(count):
    """Slow and fast waves of two channels, of unequal length."""
    made = []
    for i in range(count):
        steps = torch.arange(30 + i % 7) / 40
        speed = 6 * (1 + i % 2)
        made.append(torch.stack([(speed * steps + i).sin(), steps * 50]))
    return made, ["slow", "fast"] * (count // 2)


@pytest.fixture
def dls(tmp_path):
    x, y = waves(60)
    return SeriesDataLoaders.from_arrays(
        x, y, seed=0, batch_tfms=[NoiseSeries()], bs=16, path=tmp_path
    )


def test_batches_are_filled_up_and_on_one_scale(dls):
    x, y = dls.one_batch()
    assert x.shape == (16, 2, 36)
    assert x.isnan().any()
    assert abs(float(x.as_plain().nanmean())) < 0.5
    assert y.dtype == torch.int64


def test_series_are_learnt_and_an_export_says_the_same(dls):
    learn = series_learner(dls, config=SMALL, metrics=accuracy)
    with learn.no_logging():
        learn.fit_one_cycle(10, 5e-3)
    assert learn.validate()[1] > 0.9
    learn.export("waves.lw")
    loaded = load_learner(learn.path / "waves.lw")
    for series in waves(4)[0]:
        here, there = learn.predict(series), loaded.predict(series)
        assert here[0] == there[0]
        torch.testing.assert_close(here[2], there[2])
    several = loaded.predict(waves(4)[0])
    torch.testing.assert_close(several[1][2], loaded.predict(waves(4)[0][1])[2], atol=1e-4, rtol=0)


def test_rocket_learns_and_is_exported_with_its_kernels(dls):
    learn = series_learner(dls, Rocket, config={"kernels": 200}, metrics=accuracy)
    with learn.no_logging():
        learn.fit_one_cycle(8, 1e-2)
    assert learn.validate()[1] > 0.9
    learn.export("rocket.lw")
    series = waves(2)[0][1]
    loaded = load_learner(learn.path / "rocket.lw")
    torch.testing.assert_close(loaded.predict(series)[2], learn.predict(series)[2])


def test_numbers_can_be_targets(tmp_path):
    x, _ = waves(20)
    dls = SeriesDataLoaders.from_arrays(x, [0.5] * 20, y_block=RegressionBlock, bs=8)
    learn = series_learner(dls, config=SMALL)
    with learn.no_logging():
        learn.fit(1)
    assert isinstance(learn.predict(x[0])[0], float)


def test_batches_results_and_losses_are_drawn(dls):
    axes = dls.show_batch(max_n=4)
    assert [len(ax.lines) for ax in axes] == [2] * 4
    assert {ax.get_title() for ax in axes} <= {"slow", "fast"}
    learn = series_learner(dls, config=SMALL)
    assert all("\n" in ax.get_title() for ax in learn.show_results(max_n=2))
    assert dls.show_batch(max_n=1)[0].lines[0].get_xdata().size <= 36


def test_series_and_targets_go_together():
    with pytest.raises(ValueError, match="2 series and 1 targets"):
        SeriesDataLoaders.from_arrays([[1.0], [2.0]], ["a"])
    with pytest.raises(ValueError, match="go together"):
        SeriesDataLoaders.from_arrays([[1.0]], ["a"], x_valid=[[1.0]])
    with pytest.raises(TypeError, match="shuffle"):
        SeriesDataLoaders.from_arrays([[1.0], [2.0]] * 4, ["a", "b"] * 4, shufle=True)


def test_the_command_learns_from_files_of_the_archive(ucr, tmp_path):
    folder = ucr / "ItalyPowerDemand"
    files = [str(folder / f"ItalyPowerDemand_{part}.ts") for part in ("TRAIN", "TEST")]
    words = ["--data", files[0], "--valid", files[1], "--out", str(tmp_path / "s.lw")]
    assert main(["train", "timeseries", *words, "--epochs", "1", "--model", "rocket"]) == 0
    assert list(load_learner(tmp_path / "s.lw").dls.vocab) == ["1", "2"]


def test_real_series_of_unequal_length_are_learnt(ucr):
    folder = ucr / "JapaneseVowels"
    files = (folder / f"JapaneseVowels_{part}.ts" for part in ("TRAIN", "TEST"))
    dls = SeriesDataLoaders.from_ts(*files, bs=32)
    learn = series_learner(dls, config={"filters": 8, "depth": 3}, metrics=accuracy)
    with learn.no_logging():
        learn.fit_one_cycle(8, 5e-3)
    assert learn.validate()[1] > 0.9


def test_the_first_example_of_the_readme_runs(monkeypatch):
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code[1], str(README), "exec"), {})
