"""`layerwise train timeseries`: what the package adds to the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from layerwise.core.metrics.classification import accuracy

from layerwise_timeseries.data import SeriesDataLoaders
from layerwise_timeseries.learner import series_learner
from layerwise_timeseries.models.inception_time import InceptionTime
from layerwise_timeseries.models.rocket import Rocket

__all__ = ["train"]


def train(
    data: Path,
    valid: Path | None = None,
    model: Literal["inception-time", "rocket"] = "inception-time",
    out: Path = Path("series.lw"),
    epochs: int = 30,
    lr: float = 1e-3,
    bs: int = 16,
) -> None:
    """Learn the classes of series, and write the model to a file.

    Args:
        data: a .ts file of the UCR and UEA archives.
        valid: another one to validate on; a fifth of the first when it is left out.
        model: what learns.
        out: the file of the model, for `load_learner`.
        epochs: how many times each series is seen.
        lr: learning rate.
        bs: series in a batch.
    """
    arch = Rocket if model == "rocket" else InceptionTime
    dls = SeriesDataLoaders.from_ts(data, valid, bs=bs)
    learn = series_learner(dls, arch, metrics=accuracy)
    learn.fit_one_cycle(epochs, lr)
    learn.export(out.resolve())
