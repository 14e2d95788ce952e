"""`series_learner`: a model for the series of some loaders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerwise.core.errors import names_nearest
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import Adam
from layerwise.core.transforms.category import get_c
from torch import nn

from layerwise_timeseries.models.inception_time import InceptionTime
from layerwise_timeseries.models.rocket import Rocket

__all__ = ["series_learner"]


@names_nearest
def series_learner(
    dls: Any,
    arch: Callable[..., nn.Module] = InceptionTime,
    n_out: int | None = None,
    config: dict[str, Any] | None = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., Any] = Adam,
    lr: float | slice = 1e-3,
    cbs: Any = None,
    metrics: Any = None,
    path: Any = None,
    wd: float | None = None,
) -> Learner:
    """A learner for series, whose channels and length are read from a batch.

    Args:
        dls: `SeriesDataLoaders`, or others of series.
        arch: `InceptionTime`, `Rocket`, or a function of channels and outputs that makes a model.
        n_out: outputs; counted on the targets when None.
        config: more settings of the model: `{"depth": 3}`.
        loss_func: see `Learner`, as is all that follows; that of the targets when None.
        opt_func: makes the optimizer.
        lr: default learning rate.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        wd: weight decay.

    Raises:
        ValueError: if the targets do not say how many outputs there are.
    """
    n_out = n_out if n_out is not None else get_c(dls)
    if not n_out:
        raise ValueError("the targets do not say how many outputs there are; pass n_out=")
    _, channels, steps = dls.one_batch()[0].shape
    settings = {"seq_len": steps, **(config or {})} if arch is Rocket else config or {}
    return Learner(
        dls, arch(channels, n_out, **settings), loss_func=loss_func, opt_func=opt_func, lr=lr,
        cbs=cbs, metrics=metrics, path=path, wd=wd,
    )  # fmt: skip
