"""Outputs on the scale of the targets, so that targets of any size can be learnt."""

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.models.mlp import TabularModel
from layerwise.tabular.models.outputs import Rescale


def houses(size):
    draw = np.random.default_rng(0)
    rooms = draw.normal(size=600)
    df = pd.DataFrame({"rooms": rooms, "town": draw.choice(["a", "b"], 600)})
    noise = draw.normal(scale=0.1, size=600)
    df["price"] = size * (5 + rooms + (df["town"] == "b") + noise)
    return df


def share_left(size, **settings):
    """What is left of the variance of the target after a short training."""
    df = houses(size)
    dls = TabularDataLoaders.from_df(df, y_names="price", bs=32, valid_idx=range(100))
    set_seed(1)
    learn = tabular_learner(dls, layers=[32], **settings)
    with learn.no_logging():
        learn.fit_one_cycle(4, 1e-2)
    preds, targets = learn.get_preds()
    return float((preds - targets).square().mean() / targets.var()), learn


def test_prices_are_learnt_in_dollars_as_in_millions():
    in_dollars, learn = share_left(1e5)
    in_units, _ = share_left(1.0)
    assert in_dollars < 0.1
    assert in_dollars == pytest.approx(in_units, rel=0.2)
    # As the models that know no scale do: nothing is learnt.
    assert share_left(1e5, config={"y_stats": None})[0] > 1
    mean = learn.dls.train_ds.ys["price"].mean()
    assert learn.model.layers[-1].mean.item() == pytest.approx(mean, rel=1e-5)


def test_the_scale_is_in_an_export(tmp_path):
    _, learn = share_left(1e5)
    loaded = load_learner(learn.export(tmp_path / "prices.lw"))
    row = houses(1e5).iloc[0]
    assert torch.equal(loaded.predict(row)[2], learn.predict(row)[2])


def test_a_range_or_a_loss_of_ones_own_leaves_outputs_alone():
    for settings in ({"y_range": (0, 10)}, {"loss_func": torch.nn.PoissonNLLLoss()}):
        df = houses(1.0)
        dls = TabularDataLoaders.from_df(df, y_names="price", bs=32)
        learn = tabular_learner(dls, **settings)
        assert not any(isinstance(m, Rescale) for m in learn.model.modules())


def test_a_target_without_spread_is_its_mean():
    assert Rescale([7.0], [0.0])(torch.zeros(2, 1)).tolist() == [[7.0], [7.0]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 means and 2 stds"):
        Rescale([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="give one of them"):
        TabularModel([], 2, 1, [4], y_range=(0, 1), y_stats=([0.0], [1.0]))
    with pytest.raises(ValueError, match="y_stats of 1 targets for 2 outputs"):
        TabularModel([], 2, 2, [4], y_stats=([0.0], [1.0]))
