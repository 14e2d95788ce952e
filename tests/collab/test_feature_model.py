"""Factors with features: the sum by hand, and items that nobody has rated."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.feature_model import FeatureDotBias
from layerwise.collab.learner import collab_learner
from layerwise.collab.recommend import similar
from layerwise.core.metrics.regression import rmse
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner


def test_a_score_is_that_of_the_sums():
    set_seed(0)
    model: Any = FeatureDotBias(3, 4, 5, n_item_features=2, mean=3.5)
    features = torch.rand(5, 2)
    model.know(items=features)
    user, item = 2, 4
    own = torch.cat([model.i_weight.weight[item], model.i_bias.weight[item]])
    whole = own + features[item] @ model.i_feature_weight
    expected = 3.5 + whole[:3] @ model.u_weight.weight[user] + whole[3]
    expected = expected + model.u_bias.weight[user, 0]
    assert model(torch.tensor([[user, item]])).item() == pytest.approx(expected.item())
    everything = model((torch.arange(4), torch.arange(5)))
    assert everything[user, item].item() == pytest.approx(expected.item())
    candidates = model(torch.tensor([[user, 1, item]]))
    torch.testing.assert_close(candidates[0], everything[user, [1, item]])


def test_features_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"features of users of shape \(4, 3\)"):
        FeatureDotBias(3, 4, 5, n_user_features=2).know(torch.zeros(4, 3))


@pytest.fixture
def by_kind():
    """Ratings that follow from the kind of a film alone, and films of which some are not rated."""
    rng = np.random.default_rng(0)
    films = pd.DataFrame({"film": range(30), "kind": list("abc") * 10})
    worth = {"a": 1.5, "b": 3.0, "c": 4.5}
    rows = [(u, f, worth[films.kind[f]] + rng.normal(0, 0.1)) for u in range(30) for f in range(30)]
    return films, pd.DataFrame(rows, columns=["user", "film", "rating"])


def made(by_kind, tmp_path, **settings):
    films, ratings = by_kind
    is_new = ratings.film >= 24
    dls = CollabDataLoaders.from_df(
        ratings, bs=32, item_vocab=films.film,
        splitter=lambda df: ((~is_new).to_numpy().nonzero()[0], is_new.to_numpy().nonzero()[0]),
    )  # fmt: skip
    set_seed(1)
    learn = collab_learner(dls, 4, metrics=rmse, path=tmp_path, **settings)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(6, 2e-2)
    return learn


def test_items_without_ratings_differ_by_their_features(by_kind, tmp_path):
    without = made(by_kind, tmp_path).recorder.values[-1][-1]
    learn = made(by_kind, tmp_path, item_features=by_kind[0])
    assert without > 1  # the spread of the three kinds
    assert learn.recorder.values[-1][-1] < 0.6
    alike = similar(learn, 0, n=7).film
    assert set(alike) <= set(range(0, 24, 3))


def test_features_are_in_the_file(by_kind, tmp_path):
    learn = made(by_kind, tmp_path, item_features=by_kind[0])
    loaded = load_learner(learn.export())
    rows = by_kind[1].iloc[[0, 1, 2]]
    ours, theirs = (one.get_preds(dl=one.dls.test_dl(rows))[0] for one in (learn, loaded))
    torch.testing.assert_close(theirs, ours)


def test_a_network_has_no_features(dls):
    with pytest.raises(ValueError, match="item_features= is a setting of factors"):
        collab_learner(dls, use_nn=True, item_features=pd.DataFrame())
