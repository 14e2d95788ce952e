"""The ranking of all items, against a slow one by pandas."""

import numpy as np
import pandas as pd
import pytest

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.collab.metrics import HitRateAtK
from layerwise.collab.ranking import evaluate_ranking
from layerwise.core.errors import DataError
from layerwise.core.random import set_seed


def slow_ranking(learn, k, relevant_from=None):
    """Precision, recall and hit rate, user by user and item by item."""
    train, valid = (_pairs(data) for data in (learn.dls.train_ds, learn.dls.valid_ds))
    if relevant_from is not None:
        valid = valid[valid.rating >= relevant_from]
    known = set(train.item)
    values = []
    for user, rows in valid[valid.user.isin(train.user) & valid.item.isin(known)].groupby("user"):
        ranked = sorted(known - set(train.item[train.user == user]))
        relevant = set(rows.item) & set(ranked)
        if not relevant:
            continue
        scores = {item: learn.predict((user, item))[0] for item in ranked}
        first = sorted(ranked, key=lambda item: -scores[item])[:k]
        hits = len(relevant.intersection(first))
        values.append((hits / k, hits / len(relevant), float(hits > 0)))
    return np.mean(values, axis=0)


def _pairs(data):
    names = data.classes
    users, items = (list(c) for c in names.values())
    pairs, values = data.pairs[data.rows], data.values[data.rows]
    return pd.DataFrame(
        {"user": [users[u] for u, _ in pairs], "item": [items[i] for _, i in pairs],
         "rating": values}
    )  # fmt: skip


@pytest.fixture
def learn(ratings):
    set_seed(0)
    learn = collab_learner(CollabDataLoaders.from_df(ratings.iloc[:150], seed=1, bs=16), 4)
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    return learn


@pytest.mark.parametrize("relevant_from", [None, 3.5])
@pytest.mark.parametrize("bs", [3, 256])
def test_it_is_what_a_slow_ranking_gives(learn, relevant_from, bs):
    found = evaluate_ranking(learn, k=4, relevant_from=relevant_from, bs=bs)
    names = ["precision@4", "recall@4", "hit_rate@4"]
    np.testing.assert_allclose([found[n] for n in names], slow_ranking(learn, 4, relevant_from))
    assert set(found) == {*names, "ndcg@4", "map@4", "coverage@4"}


def test_other_metrics_may_be_asked_for(learn):
    assert list(evaluate_ranking(learn, metrics=[HitRateAtK(3)])) == ["hit_rate@3"]


def test_rows_of_both_splits_are_needed(ratings):
    dls = CollabDataLoaders.from_df(ratings, valid_pct=0)
    with pytest.raises(DataError, match="and 0 validate"):
        evaluate_ranking(collab_learner(dls, 2))
