"""`layerwise train collab`: what users think of items, from a table of ratings."""

from __future__ import annotations

from pathlib import Path

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.core.errors import ConfigError
from layerwise.core.learner import Learner
from layerwise.core.metrics.regression import rmse

__all__ = ["collab_training"]


def collab_training(
    data: Path,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    implicit: bool = False,
    factors: int = 50,
    delimiter: str = ",",
    valid_pct: float = 0.2,
    bs: int = 64,
    seed: int = 42,
) -> Learner:
    """Train a model that rates or ranks items for users.

    Args:
        data: a file of separated values with a row for each rating.
        user: column of users; the first when None.
        item: column of items; the second when None.
        rating: column of ratings; the third when None.
        implicit: a row says that the user took the item; the model ranks, and reads no ratings.
        factors: numbers for each user and item.
        delimiter: what parts the columns.
        valid_pct: the share of rows that validates.
        bs: rows in a batch.
        seed: of the share that validates.
    """
    if implicit and rating is not None:
        raise ConfigError(f"--implicit reads no ratings; leave out --rating {rating}")
    dls = CollabDataLoaders.from_csv(
        data,
        valid_pct,
        user,
        item,
        rating,
        seed,
        delimiter=delimiter,
        negatives="batch" if implicit else None,
        bs=bs,
    )
    return collab_learner(dls, factors, metrics=None if implicit else rmse, lr=5e-3)
