"""Learners from files: `load_learner` reads what `Learner.export` wrote."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.devices import default_device
from layerwise.core.learner import Learner
from layerwise.core.train.callback import TrainEvalCallback
from layerwise.core.train.export import read_learner
from layerwise.core.train.recorder import Recorder

__all__ = ["load_learner"]


def load_learner(fname: str | Path, cpu: bool = True, *, sha256: str | None = None) -> Learner:
    """A learner for prediction from a file that `Learner.export` wrote.

    It predicts items, lists of items and loaders of `dls.test_dl`, decodes and shows; it has no
    data of its own, no optimizer's state, and prints nothing. Reading a file runs nothing that is
    in it, which is names, settings and numbers. Packages whose names it holds have to be installed,
    and modules that register names of your own imported.

    Args:
        fname: the file.
        cpu: predict on the CPU; otherwise on the device that is there.
        sha256: of the whole file, as `sha256sum` prints it, got from whom you trust; it proves that
            the file is theirs.

    Raises:
        BundleError: if the file cannot be used, for whatever reason.
    """
    found = read_learner(fname, sha256)
    device = "cpu" if cpu else default_device()
    found.dls.to(device)
    found.model.to(device)
    learn = Learner(
        found.dls,
        found.model,
        found.loss_func,
        cbs=[TrainEvalCallback(), Recorder(), *found.cbs],
        default_cbs=False,
    )
    learn.exported_example = found.example
    return learn
