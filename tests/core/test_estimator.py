"""The estimators are estimators in all that scikit-learn checks, and train what they are given."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from torch import nn

from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.estimator import LearnerClassifier, LearnerRegressor
from layerwise.core.nn.losses import FocalLossFlat, L1LossFlat
from layerwise.core.optim.algorithms import SGD
from layerwise.core.train.callback import Callback

IRIS = load_iris(return_X_y=True)
BOTH = [LearnerClassifier, LearnerRegressor]


def one_layer(n_in, n_out):
    return nn.Linear(n_in, n_out)


class Notes(Callback):
    """Keeps how many epochs it has seen, where the test can find it."""

    seen: list[int] = []

    def after_epoch(self):
        self.seen.append(self.learn.epoch)


@pytest.mark.parametrize("kind", BOTH)
def test_every_check_of_scikit_learn_passes(kind):
    results = check_estimator(kind(n_epoch=12), on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}
    # Skipped by scikit-learn itself unless the environment asks for array_api.
    failed.pop("check_array_api_input", None)
    assert failed == {}
    assert len(results) > 45


def test_it_learns_as_well_as_the_models_of_scikit_learn():
    x, y = IRIS
    ours = cross_val_score(LearnerClassifier(random_state=0), x, y, cv=3).mean()
    theirs = cross_val_score(LogisticRegression(max_iter=1000), x, y, cv=3).mean()
    assert ours > theirs - 0.03
    x, y = load_diabetes(return_X_y=True)
    ours = cross_val_score(LearnerRegressor(one_layer, random_state=0), x, y, cv=3).mean()
    theirs = cross_val_score(LinearRegression(), x, y, cv=3).mean()
    assert ours > theirs - 0.03


@pytest.mark.parametrize("kind", BOTH)
def test_one_random_state_gives_the_same_bits_whatever_was_drawn_before(kind):
    x, y = IRIS
    first = kind(random_state=3, n_epoch=3).fit(x, y)
    torch.rand(5)
    np.random.rand(5)
    second = kind(random_state=3, n_epoch=3).fit(x, y)
    other = kind(random_state=4, n_epoch=3).fit(x, y)
    for name, weight in first.module_.state_dict().items():
        assert torch.equal(weight, second.module_.state_dict()[name])
    assert not np.array_equal(first._outputs(x), other._outputs(x))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    kind(random_state=3, n_epoch=1).fit(x, y)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's draws are left alone


@pytest.mark.parametrize("kind", BOTH)
def test_a_fitted_estimator_is_pickled_and_cloned(kind):
    x, y = IRIS
    model = kind(one_layer, random_state=0, n_epoch=2, cbs=[Notes()]).fit(x, y)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(again.predict(x), model.predict(x))
    fresh = clone(model)
    with pytest.raises(NotFittedError):
        fresh.predict(x)
    assert np.array_equal(fresh.fit(x, y).predict(x), model.predict(x))


def test_a_row_is_predicted_the_same_alone_and_in_a_batch():
    x, y = IRIS
    model = LearnerClassifier(random_state=0, n_epoch=2).fit(x, y)
    alone = np.concatenate([model.predict_proba(x[i : i + 1]) for i in range(40)])
    assert np.array_equal(alone, model.predict_proba(x)[:40])


def test_it_works_in_pipelines_searches_and_cross_validation():
    x, y = IRIS
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    steps = make_pipeline(StandardScaler(), LearnerClassifier(n_epoch=4, random_state=0))
    search = GridSearchCV(
        steps,
        {"learnerclassifier__layers": [(), (16,)], "learnerclassifier__lr": [1e-5, 3e-2]},
        cv=2,
    )
    search.fit(x, names)
    assert search.best_params_["learnerclassifier__lr"] == 3e-2
    assert set(search.predict(x)) <= set(names)
    proba = cross_val_predict(search.best_estimator_, x, names, cv=3, method="predict_proba")
    assert proba.shape == (150, 3)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-9)
    pickle.loads(pickle.dumps(search)).predict(x)


def test_the_settings_reach_the_training():
    x, y = make_classification(100, random_state=0)
    Notes.seen = []
    model = LearnerClassifier(
        one_layer, n_epoch=3, lr=0.1, bs=10, opt_func=SGD, loss_func=FocalLossFlat(), wd=0.1,
        cbs=[Notes()], valid_pct=0.2, scale=False, device="cpu", random_state=0,
    ).fit(x, y)  # fmt: skip
    assert isinstance(model.module_, nn.Linear)
    assert Notes.seen == [0, 1, 2]
    assert [sorted(row) for row in model.history_] == [["train_loss", "valid_loss"]] * 3
    assert model.history_[-1]["valid_loss"] < model.history_[0]["valid_loss"]
    assert model.mean_.tolist() == [0.0] * 20
    without = LearnerClassifier(n_epoch=1, random_state=0).fit(x, y)
    assert list(without.history_[0]) == ["train_loss"]
    with pytest.raises(ValueError, match=r"valid_pct=1\.5; give the share"):
        LearnerClassifier(valid_pct=1.5).fit(x, y)


def test_probabilities_are_those_of_the_loss():
    x, y = IRIS
    for loss in (None, nn.CrossEntropyLoss(), FocalLossFlat()):
        model = LearnerClassifier(one_layer, loss_func=loss, n_epoch=1, random_state=0).fit(x, y)
        weight, bias = (p.detach().double().numpy() for p in model.module_.parameters())
        outputs = (x - x.mean(0)) / x.std(0) @ weight.T + bias
        expected = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
        np.testing.assert_allclose(model.predict_proba(x), expected, rtol=1e-5)


def test_targets_of_any_size_come_back_as_they_were():
    x, _ = IRIS
    y = np.stack([x @ [1.0, 2, 3, 4], 1e6 + 1e4 * x[:, 0]], 1)
    model = LearnerRegressor(loss_func=L1LossFlat(), random_state=0).fit(x, y)
    predicted = model.predict(x)
    assert predicted.shape == y.shape
    assert (np.abs(predicted - y).mean(0) < 0.1 * y.std(0)).all()
    assert model.score(x, y) > 0.95
    assert LearnerRegressor(n_epoch=1).fit(x, y[:, :1]).predict(x).shape == (150, 1)
    assert LearnerRegressor(n_epoch=1).fit(x, y[:, 0]).predict(x).shape == (150,)


def test_progress_is_shown_only_where_it_is_asked_for(capsys):
    x, y = IRIS
    LearnerClassifier(n_epoch=1).fit(x, y)
    assert capsys.readouterr() == ("", "")
    LearnerClassifier(n_epoch=1, verbose=True).fit(x, y)
    assert "train_loss" in capsys.readouterr().out


def test_callbacks_that_were_given_stay_as_they_are():
    x, y = IRIS
    given = [Notes(), ParamScheduler({})]
    model = LearnerClassifier(n_epoch=1, cbs=given).fit(x, y)
    assert model.cbs is given
    assert "learn" not in vars(given[0])


def with_norm(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, n_out))


@pytest.mark.parametrize("count", [65, 33])
def test_batch_norm_trains_whatever_is_left_for_the_last_batch(count):
    x, y = make_classification(count, random_state=0)
    model = LearnerClassifier(with_norm, n_epoch=2, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.5
    assert len(model.predict(x)) == count


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"module": nn.Linear(4, 3)}, "module=Linear.* is a model already; give what makes one"),
        ({"layers": 8}, r"layers=8; give the sizes of the hidden layers, as \(8,\)"),
    ],
    ids=["module", "layers"],
)
def test_settings_that_make_no_model_are_told(settings, told):
    with pytest.raises(TypeError, match=told):
        LearnerClassifier(n_epoch=1, **settings).fit(*IRIS)


def test_unknown_settings_are_refused_with_the_nearest_name():
    wrong = {"n_epochs": 3}
    with pytest.raises(TypeError, match=r"unknown keyword 'n_epochs'\. Did you mean 'n_epoch'"):
        LearnerClassifier(**wrong)


def test_without_scikit_learn_the_import_says_what_to_install():
    code = (
        "import sys; sys.modules['sklearn.base'] = None\n"
        "import layerwise.core.all; assert 'sklearn' not in sys.modules\n"
        "import layerwise.core.estimator"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingDependencyError" in done.stderr
    assert "pip install 'layerwise-core[sklearn]'" in done.stderr
