"""The learner: it learns, knows its data, and runs what readers of the book write."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.collab.losses import BPRLoss, SampledSoftmaxLoss
from layerwise.collab.models import EmbeddingNN
from layerwise.collab.ranking import evaluate_ranking
from layerwise.collab.unseen import FillUnseen
from layerwise.core.metrics.regression import rmse
from layerwise.core.nn.embedding_sizes import get_emb_sz
from layerwise.core.random import set_seed


@pytest.fixture(autouse=True)
def _seeded():
    set_seed(3)


@pytest.mark.parametrize("settings", [{"y_range": (0.5, 5.5)}, {}, {"use_nn": True}])
def test_training_finds_the_factors(dls, settings):
    learn = collab_learner(dls, 8, metrics=rmse, wd=0.01, **settings)
    spread = dls.valid_ds.gather(torch.arange(len(dls.valid_ds)))[1].std().item()
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(25, 2e-2)
    assert learn.recorder.values[-1][-1] < 0.6 * spread


def test_a_learner_without_a_range_starts_at_the_mean(dls):
    learn = collab_learner(dls)
    mean = dls.train_ds.mean()
    assert learn.get_preds()[0].mean().item() == pytest.approx(mean, abs=0.05)
    assert collab_learner(dls, y_range=(0, 6)).model.mean == 0


def test_the_loss_is_that_of_the_data(ratings):
    for negatives, kind in ((2, BPRLoss), ("batch", SampledSoftmaxLoss)):
        dls = CollabDataLoaders.from_df(ratings, negatives=negatives)
        assert isinstance(collab_learner(dls).loss_func, kind)


def test_the_network_has_the_sizes_of_the_data_or_given_ones(dls):
    model = collab_learner(dls, use_nn=True, layers=[10, 5], config={"ps": 0.1}).model
    assert isinstance(model, EmbeddingNN)
    assert [tuple(e.weight.shape) for e in model.embeds] == get_emb_sz(dls)
    own = collab_learner(dls, use_nn=True, emb_szs=[(41, 3), (31, 4)]).model
    assert [tuple(e.weight.shape) for e in own.embeds] == [(41, 3), (31, 4)]


def test_what_does_not_fit_is_refused(dls):
    with pytest.raises(ValueError, match="layers= is a setting of the network; pass use_nn=True"):
        collab_learner(dls, layers=[10])
    with pytest.raises(TypeError, match=r"'pss'. Did you mean 'ps'"):
        collab_learner(dls, use_nn=True, config={"pss": 0.1})
    with pytest.raises(TypeError, match=r"'n_factor'. Did you mean 'n_factors'"):
        collab_learner(dls, n_factor=3)  # type: ignore[call-arg]  # which is the point
    with pytest.raises(TypeError, match="collab_learner takes CollabDataLoaders"):
        collab_learner([1, 2])


@pytest.mark.parametrize("negatives", [3, "batch"])
def test_implicit_feedback_ranks_what_is_liked_above_chance(negatives):
    rng = np.random.default_rng(0)
    # Users of two groups take films of their half, and now and then another.
    rows = [(u, (u % 2) * 20 + rng.integers(20) if rng.random() < 0.95 else rng.integers(40))
            for u in range(60) for _ in range(16)]  # fmt: skip
    df = pd.DataFrame(rows, columns=["user", "film"]).drop_duplicates()
    dls = CollabDataLoaders.from_df(df, negatives=negatives, seed=1, bs=32)
    learn = collab_learner(dls, 4, wd=0.01)
    before = evaluate_ranking(learn, k=5)["ndcg@5"]
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(10, 2e-2)
    after = evaluate_ranking(learn, k=5)
    assert after["ndcg@5"] > 1.5 * before
    assert after["hit_rate@5"] > 0.5


@pytest.mark.parametrize("row", [
    {"user": 100, "film": "film 03"},
    pd.Series({"film": "film 03", "user": 100, "rating": 3.0}),
    pd.DataFrame({"user": [100], "film": ["film 03"]}),
    (100, "film 03"),
])  # fmt: skip
def test_one_row_is_predicted_in_any_form(dls, row):
    learn = collab_learner(dls, y_range=(0, 5.5))
    rating, decoded, pred = learn.predict(row)
    code = [[dls.classes["user"].o2i[100], dls.classes["film"].o2i["film 03"]]]
    expected = learn.model.eval()(torch.tensor(code)).item()
    assert rating == pytest.approx(expected)
    assert decoded.item() == pred.item() == pytest.approx(expected)
    pair, again, *_ = learn.predict(row, with_input=True)
    assert (pair.user, pair.item, again) == (100, "film 03", rating)


def test_several_rows_are_predicted_as_a_list_or_a_loader(dls, ratings):
    learn = collab_learner(dls)
    rows = ratings.iloc[:5].to_dict("records")
    each = [rating for rating, *_ in learn.predict(rows)]
    preds, _ = learn.get_preds(dl=dls.test_dl(ratings.iloc[:5]))
    np.testing.assert_allclose(each, preds.numpy(), rtol=1e-6)
    labelled, targets = learn.get_preds(dl=dls.test_dl(ratings.iloc[:5], with_labels=True))
    torch.testing.assert_close(labelled, preds)
    np.testing.assert_allclose(targets.numpy(), ratings.rating.iloc[:5], rtol=1e-6)
    assert learn.get_preds(dl=dls.test_dl(ratings.iloc[[0]]))[0].shape == (1,)


def test_show_results_has_the_prediction_beside_the_rating(dls, capsys):
    learn = collab_learner(dls)
    assert learn.show_results(max_n=2) is None  # a notebook would print rows once more
    names, *rows = capsys.readouterr().out.splitlines()
    assert (names.split(), len(rows)) == (["user", "film", "rating", "prediction"], 2)
    *_, outs = learn.show_results(max_n=2, show=False)
    assert len(outs) == 2


@pytest.mark.parametrize("negatives", [None, 2, "batch"])
def test_training_twice_with_a_seed_gives_the_same_bits(ratings, negatives):
    weights = []
    for _ in range(2):
        set_seed(5)
        dls = CollabDataLoaders.from_df(ratings, seed=1, bs=16, negatives=negatives)
        learn = collab_learner(dls, 4)
        with learn.no_bar(), learn.no_logging():
            learn.fit(1)
        weights.append(learn.model.state_dict()["i_weight.weight"].clone())
    assert torch.equal(*weights)


# -- whom training has not seen --------------------------------------------------------------


@pytest.fixture
def sparse():
    """Loaders with a whole vocabulary, of which user 9 and film c have no row in training."""
    df = pd.DataFrame({"user": [1, 2, 1, 2], "film": list("abba"), "rating": [3, 4, 5, 2]})
    return CollabDataLoaders.from_df(
        df, valid_pct=0, bs=2, user_vocab=[1, 2, 9], item_vocab=["a", "b", "c"]
    )


def _model(learn) -> Any:
    return learn.model


@pytest.mark.parametrize("use_nn", [False, True])
def test_after_a_fit_unseen_users_and_items_have_the_mean(sparse, use_nn):
    learn = collab_learner(sparse, 3, use_nn=use_nn)
    with learn.no_bar(), learn.no_logging():
        learn.fit(3, 0.1)
    for is_item in (False, True):
        for table in _model(learn).tables(is_item=is_item):
            mean = table.weight[1:3].mean(0)
            assert torch.equal(table.weight[0], mean)
            assert torch.equal(table.weight[3], mean)
            assert not torch.equal(table.weight[1], mean)


def test_an_unseen_user_gets_the_mean_and_a_warning(sparse):
    learn = collab_learner(sparse, 3)
    with learn.no_bar(), learn.no_logging():
        learn.fit(3, 0.1)
    model = _model(learn)
    mean = (model.u_weight.weight[1:3].mean(0) * model.i_weight.weight[1]).sum()
    biases = model.u_bias.weight[1:3].mean() + model.i_bias.weight[1, 0]
    with pytest.warns(match="1 of 1 rows have a user that training has not seen"):
        rating, *_ = learn.predict({"user": 77, "film": "a"})
    assert rating == pytest.approx((model.mean + mean + biases).item())
    with pytest.warns(match="a user that training has not seen"):
        assert learn.predict({"user": 9, "film": "a"})[0] == rating


def test_the_mean_is_kept_by_save_and_load(sparse, tmp_path):
    learn = collab_learner(sparse, 3, path=tmp_path)
    with learn.no_bar(), learn.no_logging():
        learn.fit(2, 0.1)
    learn.save("fitted")
    again = collab_learner(sparse, 3, path=tmp_path).load("fitted")
    assert torch.equal(again.model.u_weight.weight, learn.model.u_weight.weight)


def test_there_is_one_callback_that_fills(dls):
    learn = collab_learner(dls, cbs=FillUnseen())
    assert sum(isinstance(cb, FillUnseen) for cb in learn.cbs) == 1
