"""`evaluate_ranking`: how well a learner ranks all items for the users of the validation set.

Shapes: B users of a batch, I items (`#na#` among them).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.collab.metrics import (
    CoverageAtK,
    HitRateAtK,
    MAPAtK,
    NDCGAtK,
    PrecisionAtK,
    RecallAtK,
)
from layerwise.collab.ratings import Ratings
from layerwise.collab.recommend import ratings_of, scores_of_items
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.metrics.metric import Metric, mk_metric

__all__ = ["evaluate_ranking"]


@names_nearest
def evaluate_ranking(
    learn: Any,
    k: int = 10,
    relevant_from: float | None = None,
    metrics: Sequence[Metric] | None = None,
    bs: int = 256,
) -> dict[str, Any]:
    """The metrics of the ranking of all items, for each user with rows that validate.

    Relevant are the items of a user's rows that validate; those of rows that train are left out of
    the ranking, and so are items and users that training has not seen. All items are ranked, and
    not a sample of them, which can turn the order of models around (Krichene and Rendle, 2020).

    Args:
        learn: a learner with its data.
        k: how many of the first places count.
        relevant_from: the lowest rating of what is relevant; all that was rated when None.
        metrics: others than precision, recall, NDCG, MAP, hit rate and coverage.
        bs: users whose scores are computed at once.

    Returns:
        The value of each metric by its name; None where no user has anything relevant.

    Raises:
        DataError: if there are no rows that validate.
    """
    train = ratings_of(learn)
    valid: Ratings = learn.dls.valid.dataset
    if not len(train) or not len(valid):
        raise DataError(
            f"{len(train)} rows train and {len(valid)} validate; a ranking is evaluated by rows "
            "of both. Make the loaders with valid_pct, or a splitter"
        )
    kinds = (PrecisionAtK, RecallAtK, NDCGAtK, MAPAtK, HitRateAtK, CoverageAtK)
    found = [kind(k) for kind in kinds] if metrics is None else [mk_metric(m) for m in metrics]
    for users, relevance in _rows(train, valid, relevant_from, bs):
        scores = scores_of_items(learn, users)
        for metric in found:
            metric.update(scores, relevance)
    return {metric.name: metric.value for metric in found}


def _rows(
    train: Ratings, valid: Ratings, relevant_from: float | None, bs: int
) -> Iterator[tuple[NDArray[Any], Tensor]]:
    """(B,) users, and (B, I) relevance of all items for them; -1 for those not to be ranked."""
    known, wanted = _pairs(train), _pairs(valid, relevant_from)
    wanted = wanted[train.users.trained[wanted[:, 0]] & train.items.trained[wanted[:, 1]]]
    known, wanted = (pairs[pairs[:, 0].argsort(kind="stable")] for pairs in (known, wanted))
    left_out = torch.from_numpy(~train.items.trained)
    users = np.unique(wanted[:, 0])
    for part in np.split(users, range(bs, len(users), bs)):
        relevance = torch.zeros(len(part), len(train.items))
        for pairs, value in ((wanted, 1.0), (known, -1.0)):
            first, last = np.searchsorted(pairs[:, 0], [part[0], part[-1] + 1])
            rows = pairs[first:last]
            rows = rows[np.isin(rows[:, 0], part)]
            at = np.searchsorted(part, rows[:, 0])
            relevance[torch.from_numpy(at), torch.from_numpy(rows[:, 1].astype(np.int64))] = value
        relevance[:, left_out] = -1.0
        yield part, relevance


def _pairs(ratings: Ratings, at_least: float | None = None) -> NDArray[Any]:
    """(N, 2) codes of the rows of a split; of those with such a rating alone, where one is said."""
    rows = slice(None) if ratings.rows is None else ratings.rows
    pairs = np.asarray(ratings.pairs[rows])
    if at_least is None or ratings.values is None:
        return pairs
    return pairs[np.asarray(ratings.values[rows]) >= at_least]
