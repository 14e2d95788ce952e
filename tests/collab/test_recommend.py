"""What is recommended, and which items are alike, by hand; from files too."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.collab.ratings import UnseenWarning
from layerwise.collab.recommend import recommend, similar
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.restore import load_learner

FILMS = ["Alien", "Brazil", "Cube", "Dune", "Eden"]


@pytest.fixture
def learn(tmp_path):
    """A learner whose user ann has seen Alien, and has no bias but for the items' 1 to 5."""
    df = pd.DataFrame(
        {
            "user": ["ann", "bob", "bob", "bob", "bob"],
            "film": ["Alien", "Brazil", "Cube", "Dune", "Eden"],
            "rating": [3.0, 3.0, 3.0, 3.0, 3.0],
        }
    )
    dls = CollabDataLoaders.from_df(df, valid_pct=0, bs=5, item_vocab=[*FILMS, "Fargo"])
    learn = collab_learner(dls, 2, path=tmp_path)
    model: Any = learn.model
    with torch.no_grad():
        for table in (model.u_weight, model.i_weight, model.u_bias):
            table.weight.zero_()
        model.i_bias.weight.copy_(torch.tensor([9.0, 1, 2, 3, 4, 5, 9])[:, None])
        model.i_weight.weight[1:6] = torch.tensor(
            [[1.0, 0.0], [2.0, 0.1], [0.0, 3.0], [-1.0, 0.0], [1.0, 1.0]]
        )
    return learn


def test_the_best_come_first_without_what_was_seen_or_never_rated(learn):
    found = learn.recommend("ann", n=3)
    assert list(found.columns) == ["film", "score"]
    assert found.film.tolist() == ["Eden", "Dune", "Cube"]
    assert found.score.tolist() == [8.0, 7.0, 6.0]  # the mean rating and the bias
    assert learn.recommend("bob").film.tolist() == ["Alien"]
    assert learn.recommend("ann", exclude_seen=False).film.tolist() == FILMS[::-1]


def test_what_was_seen_may_be_said(learn):
    assert learn.recommend("ann", seen=["Eden", "Cube"]).film.tolist() == [
        "Dune",
        "Brazil",
        "Alien",
    ]
    with pytest.raises(DataError, match=r"'Edn' is no film .* Did you mean 'Eden'"):
        learn.recommend("ann", seen=["Edn"])


def test_an_unknown_user_gets_what_the_mean_would_like(learn):
    with pytest.warns(UnseenWarning, match="training has not seen user 'zoe'"):
        found = learn.recommend("zoe", n=2)
    assert found.film.tolist() == ["Eden", "Dune"]


def test_alike_are_items_whose_factors_point_the_same_way(learn):
    found = learn.similar("Alien", n=3)
    assert list(found.columns) == ["film", "similarity"]
    assert found.film.tolist() == ["Brazil", "Eden", "Cube"]
    expected = [2 / np.hypot(2, 0.1), 1 / np.sqrt(2), 0.0]
    np.testing.assert_allclose(found.similarity, expected, atol=1e-6)
    with pytest.raises(DataError, match=r"'Alen' is no film .* Did you mean 'Alien'"):
        learn.similar("Alen")


def test_ids_of_another_kind_are_told_with_the_one_that_is_meant():
    df = pd.DataFrame({"user": ["7", "12"], "film": [301, 402], "rating": [3.0, 4.0]})
    learn = collab_learner(CollabDataLoaders.from_df(df, valid_pct=0, bs=2), 2)
    with pytest.raises(DataError, match=r"^12 is no id .* where ids are text .* mean '12'\?"):
        learn.recommend(12)
    with pytest.raises(DataError, match=r"^'402' is no id .* where ids are numbers .* mean 402\?"):
        learn.similar("402")
    with pytest.raises(DataError, match=r"^403 is no film .* Did you mean 402\?"):
        learn.similar(403)
    with pytest.raises(DataError, match=r"^row 1 of those to predict: '301' .* mean 301\?"):
        learn.predict([("7", 301), ("7", "301")])
    with pytest.raises(DataError, match=r"^row 0 of those to predict: .* Rename 'flim' to 'film'"):
        learn.predict({"user": "7", "flim": 301})


def test_a_number_of_items_is_asked_for(learn):
    for ask in (lambda: learn.recommend("ann", 0), lambda: learn.similar("Alien", 0)):
        with pytest.raises(ValueError, match="how many items"):
            ask()


def test_a_learner_from_a_file_recommends_too(learn, tmp_path):
    loaded = load_learner(learn.export("films.lw"))
    assert recommend(loaded, "ann", exclude_seen=False).film.tolist() == FILMS[::-1]
    assert recommend(loaded, "ann", seen=["Eden"]).film.tolist() == FILMS[-2::-1]
    assert similar(loaded, "Alien", n=1).film.tolist() == ["Brazil"]
    with pytest.raises(ValueError, match=r"pass seen=\[items\], or exclude_seen=False"):
        recommend(loaded, "ann")
    with pytest.warns(UnseenWarning):
        recommend(loaded, "zoe", exclude_seen=False)
    assert loaded.predict({"user": "ann", "film": "Eden"})[0] == pytest.approx(8.0)
    model: Any = loaded.model
    assert model.name_rows(loaded.dls.classes).bias(["Dune"]).tolist() == [4.0]


class OwnModel(nn.Module):
    """A model of the user's: the score of an item is its code."""

    def forward(self, x):
        return x[:, 1].float() + 0 * x[:, 0]


def test_a_model_of_the_users_own_recommends_but_has_no_known_factors(learn):
    own = Learner(learn.dls, OwnModel())
    assert recommend(own, "ann", n=2).film.tolist() == ["Eden", "Dune"]
    with pytest.raises(TypeError, match="factors of a OwnModel are not known"):
        similar(own, "Alien")


def test_the_model_stays_in_its_mode(learn):
    for mode in (True, False):
        learn.model.train(mode)
        learn.recommend("ann")
        assert learn.model.training is mode


def test_other_data_are_refused():
    loader = DataLoader([(torch.ones(1), torch.ones(1))], bs=1)
    other = Learner(DataLoaders(loader, loader), nn.Linear(1, 1), nn.MSELoss())
    with pytest.raises(TypeError, match="recommendations need ratings"):
        recommend(other, 1)
