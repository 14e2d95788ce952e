"""`gather_args`: what a training is made with, as plain values for loggers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from layerwise.core.callback.json_log import json_clean
from layerwise.core.nn.hooks import total_params
from layerwise.core.train.state import TrainState

__all__ = ["gather_args"]


def gather_args(learn: TrainState) -> dict[str, Any]:
    """The settings of a training by name: model, loss, optimizer, data, callbacks; JSON values.

    Args:
        learn: the learner; its attributes are read, and nothing is made.

    Example:
        >>> from layerwise.core.testing.fakes import synth_learner
        >>> args = gather_args(synth_learner(lr=0.01))
        >>> args["loss_func"], args["lr"]
        ('MSELossFlat', 0.01)
    """
    count, is_trained = total_params(learn.model)
    found: dict[str, Any] = {
        "model": type(learn.model).__name__,
        "model_parameters": count,
        "model_trained": bool(is_trained),
        "loss_func": _name(learn.loss_func),
        "lr": _plain(learn.lr),
        "metrics": [metric.name for metric in learn.metrics],
        "device": str(learn.device) if learn.device is not None else "as given",
        "torch": str(torch.__version__),
    }
    for name in ("opt_func", "wd", "wd_bn_bias", "train_bn", "moms"):
        if hasattr(learn, name):
            value = getattr(learn, name)
            found[name] = _name(value) if callable(value) else _plain(value)
    if learn.n_epoch:
        found["n_epoch"] = learn.n_epoch
    train = getattr(learn.dls, "train", None)
    batch_size = getattr(train, "bs", None) or getattr(train, "batch_size", None)
    if batch_size is not None:
        found["batch_size"] = batch_size
    for cb in learn.cbs:
        settings = {
            name: _plain(value)
            for name, value in vars(cb).items()
            if not name.startswith("_") and isinstance(value, bool | int | float | str)
        }
        found[f"callback/{type(cb).__name__}"] = settings or True
    return found


def _name(function: Callable[..., Any]) -> str:
    """The name of a function or of the class of an object, with the keywords of a partial one."""
    if isinstance(function, partial):
        given = ", ".join(f"{key}={value!r}" for key, value in function.keywords.items())
        return f"{_name(function.func)}({given})"
    return getattr(function, "__name__", type(function).__name__)


def _plain(value: Any) -> Any:
    if isinstance(value, slice):
        return {"start": value.start, "stop": value.stop}
    return json_clean(value)
