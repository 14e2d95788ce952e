"""Several labels an item: decisions and probabilities, against scikit-learn."""

import math
from functools import partial
from typing import Any

import pytest
import sklearn.metrics as skm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.multilabel import (
    F1ScoreMulti,
    FBetaMulti,
    HammingLossMulti,
    JaccardMulti,
    MatthewsCorrCoefMulti,
    PrecisionMulti,
    RecallMulti,
    accuracy_multi,
)
from layerwise.core.metrics.multilabel_probability import (
    APScoreMulti,
    BrierScoreMulti,
    RocAucMulti,
)

AVERAGED: dict[str, tuple[Any, Any]] = {
    "f1": (F1ScoreMulti, skm.f1_score),
    "fbeta": (partial(FBetaMulti, 2), partial(skm.fbeta_score, beta=2)),
    "precision": (PrecisionMulti, skm.precision_score),
    "recall": (RecallMulti, skm.recall_score),
    "jaccard": (JaccardMulti, skm.jaccard_score),
}
WHOLE: dict[str, tuple[Any, Any]] = {
    "accuracy": (lambda: accuracy_multi, lambda y, p: skm.accuracy_score(y.ravel(), p.ravel())),
    "hamming": (HammingLossMulti, skm.hamming_loss),
    "matthews": (
        MatthewsCorrCoefMulti,
        lambda y, p: skm.matthews_corrcoef(y.ravel(), p.ravel()),
    ),
}
AVERAGES = ["macro", "micro", "samples", "weighted"]


@st.composite
def labelled(draw):
    """Scores and truth, (N, K) each; some labels are never or always true."""
    items, labels = draw(st.integers(1, 25)), draw(st.integers(2, 5))
    source = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    share = torch.tensor(draw(st.lists(st.sampled_from([0, 0.3, 0.6, 1]), min_size=5, max_size=5)))
    targ = (torch.rand(items, labels, generator=source) < share[:labels]).float()
    return torch.randn(items, labels, generator=source), targ


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=25, deadline=None)
@given(data=labelled())
def test_equals_scikit_learn_for_every_batch_size(check_all_sizes, name, data):
    ours, theirs = WHOLE[name]
    pred, targ = data
    decided = (pred.sigmoid() > 0.5).int().numpy()
    check_all_sizes(ours(), pred, targ, lambda: theirs(targ.int().numpy(), decided))


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", AVERAGED)
@settings(max_examples=12, deadline=None)
@given(data=labelled())
def test_averages_equal_scikit_learn(check_all_sizes, name, average, data):
    ours, theirs = AVERAGED[name]
    pred, targ = data
    decided = (pred > 0.2).int().numpy()
    check_all_sizes(
        ours(average=average, thresh=0.2, sigmoid=False),
        pred,
        targ,
        lambda: theirs(y_true=targ.int().numpy(), y_pred=decided, average=average),
    )


@pytest.mark.parametrize("average", AVERAGES)
def test_labels_and_sample_weights_equal_scikit_learn(check_all_sizes, generator, average):
    pred = torch.randn(30, 4, generator=generator)
    targ = (torch.rand(30, 4, generator=generator) < 0.5).float()
    weights = torch.rand(30, generator=generator).numpy()
    check_all_sizes(
        F1ScoreMulti(average=average, labels=[0, 3], sample_weight=weights),
        pred,
        targ,
        lambda: skm.f1_score(
            targ, pred.sigmoid() > 0.5, average=average, labels=[0, 3], sample_weight=weights
        ),
    )
    pairs: list[tuple[Any, Any]] = [
        (APScoreMulti, skm.average_precision_score),
        (RocAucMulti, skm.roc_auc_score),
    ]
    for ours, theirs in pairs:
        check_all_sizes(
            ours(average=average, sample_weight=weights),
            pred,
            targ,
            lambda theirs=theirs: theirs(
                targ, pred.sigmoid(), average=average, sample_weight=weights
            ),
        )


def test_weighted_hamming_and_matthews_equal_scikit_learn(check_all_sizes, generator):
    pred = torch.randn(30, 4, generator=generator)
    targ = (torch.rand(30, 4, generator=generator) < 0.5).int()
    weights = torch.rand(30, generator=generator).numpy()
    decided = (pred > 0).int().numpy()
    check_all_sizes(
        HammingLossMulti(sample_weight=weights),
        pred,
        targ,
        lambda: skm.hamming_loss(targ.numpy(), decided, sample_weight=weights),
    )
    check_all_sizes(
        MatthewsCorrCoefMulti(sample_weight=weights),
        pred,
        targ,
        lambda: skm.matthews_corrcoef(
            targ.numpy().ravel(), decided.ravel(), sample_weight=weights.repeat(4)
        ),
    )
    assert HammingLossMulti(labels=[2])(pred, targ) == pytest.approx(
        skm.hamming_loss(targ[:, 2].numpy(), decided[:, 2])
    )


@pytest.mark.parametrize("average", AVERAGES)
@settings(max_examples=15, deadline=None)
@given(data=labelled())
def test_average_precision_equals_scikit_learn(check_all_sizes, average, data):
    pred, targ = data
    pred = (pred * 2).round()
    score = pred.sigmoid().numpy()
    check_all_sizes(
        APScoreMulti(average=average),
        pred,
        targ,
        lambda: skm.average_precision_score(targ.int().numpy(), score, average=average),
    )


@pytest.mark.parametrize("max_fpr", [None, 0.3])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), items=st.integers(4, 30))
def test_auc_equals_scikit_learn(check_all_sizes, average, max_fpr, seed, items):
    source = torch.Generator().manual_seed(seed)
    pred = torch.randn(items, 3, generator=source).round()
    targ = (torch.rand(items, 3, generator=source) < 0.4).float()
    targ[0], targ[1] = 1, 0
    score = pred.sigmoid().numpy()
    check_all_sizes(
        RocAucMulti(average=average, max_fpr=max_fpr),
        pred,
        targ,
        lambda: skm.roc_auc_score(targ.int().numpy(), score, average=average, max_fpr=max_fpr),
    )


def test_the_area_of_a_label_that_is_always_true_is_nan():
    assert math.isnan(RocAucMulti()(torch.randn(3, 2), torch.ones(3, 2)))


def test_brier_score_is_that_of_all_labels_together(check_all_sizes, generator):
    pred = torch.randn(20, 3, generator=generator)
    targ = (torch.rand(20, 3, generator=generator) < 0.5).float()
    score = pred.sigmoid().double().numpy().ravel()
    check_all_sizes(
        BrierScoreMulti(), pred, targ, lambda: skm.brier_score_loss(targ.numpy().ravel(), score)
    )
    check_all_sizes(
        BrierScoreMulti(thresh=0.5), pred, targ, lambda: 1 - accuracy_multi(pred, targ).item()
    )


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (accuracy_multi, "accuracy_multi"),
        (F1ScoreMulti, "f1_score"),
        (FBetaMulti(2), "fbeta_score"),
        (PrecisionMulti, "precision_score"),
        (RecallMulti, "recall_score"),
        (JaccardMulti, "jaccard_score"),
        (HammingLossMulti, "hamming_loss"),
        (MatthewsCorrCoefMulti, "matthews_corrcoef"),
        (BrierScoreMulti, "brier_score_loss"),
        (APScoreMulti, "average_precision_score"),
        (RocAucMulti, "roc_auc_score"),
    ],
)
def test_names_are_those_of_scikit_learn_and_nothing_seen_is_none(metric, name):
    metric = mk_metric(metric)
    assert metric.name == name
    assert metric.value is None
    metric.update(torch.zeros(0, 2), torch.zeros(0, 2))
    assert metric.value is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: F1ScoreMulti(average="binary"), "It takes: macro, micro, samples, weighted"),
        (lambda: F1ScoreMulti(pos_label=0), "1 - predictions"),
        (lambda: F1ScoreMulti(labels=[5])(torch.zeros(2, 3), torch.zeros(2, 3)), r"0\.\.2"),
        (lambda: F1ScoreMulti()(torch.zeros(2, 3), torch.zeros(2)), r"\(2, 3\).*\(2,\).*OneHot"),
        (lambda: accuracy_multi(torch.zeros(2, 3), torch.zeros(2)), r"\(2, 3\).*\(2,\)"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()
