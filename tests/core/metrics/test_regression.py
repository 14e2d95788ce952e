"""Metrics of numbers, against scikit-learn and scipy."""

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as skm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.regression import (
    ExplainedVariance,
    PearsonCorrCoef,
    R2Score,
    SpearmanCorrCoef,
    exp_rmspe,
    mae,
    mse,
    msle,
    rmse,
)

TABLE = {
    "mse": (lambda: mse, skm.mean_squared_error),
    "mae": (lambda: mae, skm.mean_absolute_error),
    "msle": (lambda: msle, skm.mean_squared_log_error),
    "rmse": (lambda: rmse, skm.root_mean_squared_error),
    "exp_rmspe": (
        lambda: exp_rmspe,
        lambda y, p: np.sqrt(np.mean(((np.exp(y) - np.exp(p)) / np.exp(y)) ** 2)),
    ),
    "explained": (ExplainedVariance, skm.explained_variance_score),
    "r2": (R2Score, skm.r2_score),
    "pearson": (PearsonCorrCoef, lambda y, p: scipy.stats.pearsonr(p, y).statistic),
    "spearman": (SpearmanCorrCoef, lambda y, p: scipy.stats.spearmanr(p, y).statistic),
}


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 9999),
    items=st.integers(2, 40),
    noise=st.floats(0.01, 2),
    ties=st.booleans(),
)
def test_equals_scikit_learn_for_every_batch_size(check_all_sizes, name, seed, items, noise, ties):
    source = torch.Generator().manual_seed(seed)
    targ = torch.rand(items, generator=source) * 3
    targ[0] = 4  # not constant
    pred = (targ + noise * torch.randn(items, generator=source)).clamp(min=0)
    pred = pred.round() if ties else pred
    ours, theirs = TABLE[name]
    check_all_sizes(
        ours(), pred, targ, lambda: theirs(targ.double().numpy(), pred.double().numpy())
    )


@pytest.mark.parametrize("name", ["explained", "r2", "pearson"])
def test_a_large_mean_does_not_swallow_the_variance(check_all_sizes, generator, name):
    targ = 1e6 + torch.randn(50, generator=generator, dtype=torch.float64)
    pred = targ + 0.3 * torch.randn(50, generator=generator, dtype=torch.float64)
    ours, theirs = TABLE[name]
    check_all_sizes(ours(), pred, targ, lambda: theirs(targ.numpy(), pred.numpy()))


@pytest.mark.parametrize("pred", [[0.1, 0.1, 0.1], [0.1, 0.2, 0.4], [0.3, 0.3, 0.3]])
@pytest.mark.parametrize("name", ["explained", "r2"])
def test_constant_targets_follow_scikit_learn(check_all_sizes, name, pred):
    ours, theirs = TABLE[name]
    pred, targ = torch.tensor(pred), torch.full((3,), 0.1)
    check_all_sizes(
        ours(), pred, targ, lambda: theirs(targ.double().numpy(), pred.double().numpy())
    )


def test_correlations_with_a_constant_and_r2_of_one_number_are_nan_without_warning():
    for metric in (PearsonCorrCoef(), SpearmanCorrCoef()):
        assert math.isnan(metric(torch.ones(4), torch.arange(4)))
    assert math.isnan(R2Score()(torch.ones(1), torch.ones(1)))


@pytest.mark.parametrize("name", ["explained", "r2"])
def test_sample_weights_equal_scikit_learn(check_all_sizes, generator, name):
    ours, theirs = {
        "explained": (ExplainedVariance, skm.explained_variance_score),
        "r2": (R2Score, skm.r2_score),
    }[name]
    pred, targ, weights = torch.rand(3, 30, generator=generator)
    check_all_sizes(
        ours(sample_weight=weights),
        pred,
        targ,
        lambda: theirs(targ, pred, sample_weight=weights),
    )


def test_the_root_is_taken_of_the_whole_set_and_not_averaged(in_batches):
    # fastai#3537: batches (0, 0) and (6, 8) have the roots 0 and sqrt(50), in all sqrt(25)
    pred, targ = torch.tensor([0.0, 0.0, 6.0, 8.0]), torch.zeros(4)
    assert in_batches(rmse, pred, targ, 2) == pytest.approx(5.0)
    assert rmse(pred[2:], targ[2:]).item() == pytest.approx(50**0.5)
    assert rmse(pred, targ).dtype == torch.float32


def test_shapes_do_not_matter_and_integers_are_numbers():
    for func in (mse, mae, rmse, exp_rmspe):
        assert func(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 2])) == 0
    assert msle(torch.tensor([0.0]), torch.tensor([0])) == 0
    assert PearsonCorrCoef()(torch.tensor([[1], [2], [4]]), torch.tensor([1, 2, 4])) == 1


def test_correlations_may_decide_first(generator):
    pred, targ = torch.randn(30, 3, generator=generator), torch.arange(30) % 3
    want = scipy.stats.pearsonr(pred.argmax(1), targ).statistic
    assert PearsonCorrCoef(dim_argmax=1)(pred, targ) == pytest.approx(want)
    want = scipy.stats.spearmanr(pred.argmax(1), targ).statistic
    assert SpearmanCorrCoef(dim_argmax=1)(pred, targ) == pytest.approx(want)
    want = scipy.stats.pearsonr(pred[:, 0].sigmoid() > 0.4, targ).statistic
    assert PearsonCorrCoef(activation="sigmoid", thresh=0.4)(pred[:, 0], targ) == pytest.approx(
        want
    )


def test_nan_policies_of_the_rank_correlation_follow_scipy():
    pred, targ = torch.tensor([1.0, math.nan, 3.0, 2.0, 5.0]), torch.arange(5.0)
    assert math.isnan(SpearmanCorrCoef()(pred, targ))
    want = scipy.stats.spearmanr(pred, targ, nan_policy="omit").statistic
    assert SpearmanCorrCoef(nan_policy="omit")(pred, targ) == pytest.approx(want)
    with pytest.raises(ValueError, match="1 of 5 elements are nan; nan_policy='omit'"):
        SpearmanCorrCoef(nan_policy="raise")(pred, targ)
    with pytest.raises(ValueError, match="Did you mean 'omit'"):
        SpearmanCorrCoef(nan_policy="omitt")


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (mse, "mse"),
        (mae, "mae"),
        (msle, "msle"),
        (rmse, "rmse"),
        (exp_rmspe, "exp_rmspe"),
        (ExplainedVariance, "explained_variance_score"),
        (R2Score, "r2_score"),
        (PearsonCorrCoef, "pearsonr"),
        (SpearmanCorrCoef, "spearmanr"),
    ],
)
def test_names_nothing_seen_and_wrong_shapes(metric, name):
    metric = mk_metric(metric)
    assert metric.name == name
    assert metric.value is None
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(4,\)"):
        metric.update(torch.zeros(4, 3), torch.zeros(4))


def test_half_precision_is_widened_before_it_is_averaged(generator):
    pred, targ = torch.rand(2, 1000, generator=generator).bfloat16()
    want = skm.mean_squared_error(targ.float(), pred.float())
    assert mse(pred, targ).item() == pytest.approx(want, rel=1e-6)
    assert rmse(pred, targ).item() == pytest.approx(want**0.5, rel=1e-6)


def test_metrics_keep_no_graph():
    for func in (mse, rmse, R2Score(), PearsonCorrCoef()):
        metric = mk_metric(func)
        metric.update(torch.rand(4, requires_grad=True), torch.rand(4))
        state = [*metric.state_dict().values(), *metric.state_dict().get("_sums", [])]
        held = [x for x in state if isinstance(x, torch.Tensor)]
        assert held
        assert not any(x.requires_grad for x in held)
