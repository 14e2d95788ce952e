"""Learners of ratings as files: all that prediction needs, and none of the ratings."""

import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.collab.ratings import UnseenWarning
from layerwise.collab.recommend import recommend
from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.ema import EMA
from layerwise.core.errors import ConfigError
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner


@pytest.mark.parametrize(
    ("negatives", "settings"),
    [(None, {"y_range": (0, 5.5)}), (None, {"use_nn": True}), (2, {}), ("batch", {})],
)
def test_a_loaded_learner_says_the_same(ratings, tmp_path, negatives, settings):
    dls = CollabDataLoaders.from_df(ratings, negatives=negatives, seed=1, bs=16)
    learn = collab_learner(dls, 4, path=tmp_path, **settings)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    loaded = load_learner(learn.export())
    rows = ratings.iloc[:7]
    ours, theirs = (one.get_preds(dl=one.dls.test_dl(rows))[0] for one in (learn, loaded))
    torch.testing.assert_close(theirs, ours)
    row = rows.iloc[0]
    assert loaded.predict(row)[0] == pytest.approx(learn.predict(row)[0])
    with pytest.warns(UnseenWarning):
        unknown = [one.predict((-1, "film 03"))[0] for one in (learn, loaded)]
    assert unknown[0] == pytest.approx(unknown[1])
    assert loaded.dls.classes == dls.classes
    expected = learn.recommend(100, 3, exclude_seen=False)
    pd.testing.assert_frame_equal(recommend(loaded, 100, 3, exclude_seen=False), expected)


def test_no_rating_is_in_the_file(ratings, tmp_path):
    dls = CollabDataLoaders.from_df(ratings.assign(rating=ratings.rating + 1234.5), seed=1)
    path = collab_learner(dls, 2, path=tmp_path, y_range=(1000, 1300)).export()
    loaded = load_learner(path)
    assert len(loaded.dls.train_ds.pairs) == 0
    assert loaded.dls.train_ds.values is None
    with zipfile.ZipFile(path) as bundle:
        assert sum(info.file_size for info in bundle.infolist()) < 20_000


def test_ids_that_a_file_cannot_hold_are_told(tmp_path):
    df = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=4), "film": list("abab"),
                       "rating": [1, 2, 3, 4]})  # fmt: skip
    learn = collab_learner(CollabDataLoaders.from_df(df, bs=2), 2, path=tmp_path)
    with pytest.raises(ConfigError, match="the data, ids"):
        learn.export()


def test_a_training_that_goes_on_ends_as_one_that_was_never_stopped(ratings, tmp_path):
    def learner(folder, cbs=()):
        set_seed(7)
        dls = CollabDataLoaders.from_df(ratings, seed=1, bs=16, negatives=2)
        return collab_learner(dls, 4, path=tmp_path / folder, cbs=[*cbs])

    whole = learner("whole")
    with whole.no_bar(), whole.no_logging():
        whole.fit(3)
    parts = learner("parts", [Checkpoint()])
    with parts.no_bar(), parts.no_logging():
        parts.fit(2)
    again = learner("parts", [Checkpoint()])
    with again.no_bar(), again.no_logging():
        again.fit(3, resume=True)
    for name, value in whole.model.state_dict().items():
        np.testing.assert_array_equal(again.model.state_dict()[name], value, err_msg=name)


def test_of_averaged_weights_unseen_users_have_the_mean_too(ratings):
    dls = CollabDataLoaders.from_df(ratings, seed=1, bs=16)
    learn = collab_learner(dls, 3, cbs=EMA(0.9, keep=True))
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    weight = learn.model.state_dict()["u_weight.weight"]
    torch.testing.assert_close(weight[0], weight[1:].mean(0))
