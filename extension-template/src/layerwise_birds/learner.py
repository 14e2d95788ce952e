"""`song_learner`: a model for the songs of some loaders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import Adam
from layerwise.core.transforms.category import get_c

from layerwise_birds.models import song_model

__all__ = ["song_learner"]


def song_learner(
    dls: Any,
    width: int = 16,
    lr: float = 1e-2,
    metrics: Any = None,
    opt_func: Callable[..., Any] = Adam,
) -> Learner:
    """A learner that tells birds by their songs.

    Args:
        dls: loaders of songs and their singers.
        width: channels of the model.
        lr: default learning rate; high, since the model is small.
        metrics: see `Learner`, as is `opt_func`.
        opt_func: makes the optimizer.
    """
    return Learner(dls, song_model(get_c(dls), width), opt_func=opt_func, lr=lr, metrics=metrics)
