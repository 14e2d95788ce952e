"""`feature_importance`: what a model loses without a column, told from what it does not need."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score

from layerwise.core.random import set_seed
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.importance import feature_importance
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.target_encoding import TargetEncode


@pytest.fixture(scope="module")
def learn():
    rng = np.random.default_rng(0)
    count = 1500
    frame = pd.DataFrame({
        "main": rng.normal(size=count),
        "minor": rng.normal(size=count),
        "noise": rng.normal(size=count),
        "job": rng.choice(["clerk", "smith"], count),
    })  # fmt: skip
    frame["y"] = 3 * frame["main"] + frame["minor"] + 2 * (frame["job"] == "clerk")
    frame.loc[rng.random(count) < 0.1, "minor"] = np.nan
    set_seed(0)
    procs = [Categorify, FillMissing, TargetEncode, Normalize]
    dls = TabularDataLoaders.from_df(
        frame, procs=procs, cat_names="job", cont_names=["main", "minor", "noise"], y_names="y",
        seed=0,
    )  # fmt: skip
    made = tabular_learner(dls, layers=[30])
    with made.no_logging(), made.no_bar():
        made.fit_one_cycle(8, 1e-2)
    return made


def test_columns_are_in_the_order_of_what_they_do(learn, capsys):
    found = feature_importance(learn)
    assert capsys.readouterr().out == ""
    table = found.table.set_index("column")
    # What was made of a column (flags of gaps, means of targets) is shuffled with it.
    assert list(found.table["column"][:1]) == ["main"]
    assert set(table.index) == {"main", "minor", "noise", "job"}
    # To shuffle a column doubles its part of the variance: 2 * 9, 2 * 1 and 2 * 1 of the loss.
    assert table["importance"]["main"] == pytest.approx(18, rel=0.25)
    assert table["importance"]["job"] == pytest.approx(2, rel=0.4)
    assert abs(table["importance"]["noise"]) < 0.1
    assert repr(found).splitlines()[0].split() == ["column", "importance", "std"]
    assert "<table" in found._repr_html_()


def test_the_score_may_be_that_of_scikit_learn(learn):
    found = feature_importance(learn, score=lambda p, t: r2_score(t.numpy(), p.numpy()), repeats=1)
    table = found.table.set_index("column")["importance"]
    preds, targets = learn.get_preds()
    assert found.measured == "score lost"
    assert table["main"] > 0.5
    # A shuffle by hand, of this column alone, in place of the loader's.
    rows = learn.dls.valid_ds.gather(torch.arange(len(targets)))
    place = learn.dls.cont_names.index("main")
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(9))
    values = rows[1].clone()
    values[:, place] = values[order, place]
    learn.model.eval()
    with torch.no_grad():
        shuffled = learn.model(rows[0], values)
    whole = r2_score(targets, preds)
    assert table["main"] == pytest.approx(whole - r2_score(targets, shuffled), rel=0.15)


def test_the_seed_decides_and_nothing_else_moves(learn):
    weights = {name: value.clone() for name, value in learn.model.state_dict().items()}
    state = torch.get_rng_state()
    first, second = (feature_importance(learn, repeats=2, seed=5).table for _ in range(2))
    other = feature_importance(learn, repeats=2, seed=6).table
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, weights[n]) for n, v in learn.model.state_dict().items())


def test_it_measures_on_the_rows_that_are_given(learn):
    frame = learn.dls.valid_ds.decode().items[["job", "main", "minor", "noise", "y"]]
    loader = learn.dls.test_dl(frame.iloc[:50], with_labels=True)
    assert feature_importance(learn, loader, repeats=1).table["column"][0] == "main"
    few = feature_importance(learn, max_n=50, repeats=1).table
    assert len(few) == 4
    with pytest.raises(ValueError, match=r"these rows have no targets .* with_labels=True"):
        feature_importance(learn, learn.dls.test_dl(frame.drop(columns="y")))


def test_it_is_drawn(learn):
    found = feature_importance(learn, repeats=1)
    ax = found.plot(max_n=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(found.table["column"][:2])[
        ::-1
    ]
    assert ax.get_xlabel() == "loss gained when the column is shuffled"
    assert found.plot(ax=ax) is ax
    plt.close(ax.figure)
