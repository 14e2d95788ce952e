"""Decisions for one class an item, against scikit-learn."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as skm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.classification import (
    BalancedAccuracy,
    CohenKappa,
    F1Score,
    FBeta,
    HammingLoss,
    Jaccard,
    MatthewsCorrCoef,
    Precision,
    Recall,
    accuracy,
    error_rate,
    top_k_accuracy,
)
from layerwise.core.metrics.metric import mk_metric

AVERAGED: dict[str, tuple[Any, Any]] = {
    "f1": (F1Score, skm.f1_score),
    "fbeta": (partial(FBeta, 0.5), partial(skm.fbeta_score, beta=0.5)),
    "precision": (Precision, skm.precision_score),
    "recall": (Recall, skm.recall_score),
    "jaccard": (Jaccard, skm.jaccard_score),
}
SINGLE: dict[str, tuple[Any, Any]] = {
    "accuracy": (lambda: accuracy, skm.accuracy_score),
    "error_rate": (lambda: error_rate, lambda y, p: 1 - skm.accuracy_score(y, p)),
    "balanced": (BalancedAccuracy, skm.balanced_accuracy_score),
    "kappa": (CohenKappa, skm.cohen_kappa_score),
    "kappa linear": (
        partial(CohenKappa, weights="linear"),
        partial(skm.cohen_kappa_score, weights="linear"),
    ),
    "kappa quadratic": (
        partial(CohenKappa, weights="quadratic"),
        partial(skm.cohen_kappa_score, weights="quadratic"),
    ),
    "hamming": (HammingLoss, skm.hamming_loss),
    "matthews": (MatthewsCorrCoef, skm.matthews_corrcoef),
}


@st.composite
def decisions(draw, most=5):
    """Scores (N, K) and targets (N,), some classes never true."""
    classes = draw(st.integers(2, most))
    items = draw(st.integers(1, 30))
    source = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    occurring = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes))
    targ = torch.tensor(occurring)[torch.randint(len(occurring), (items,), generator=source)]
    pred = torch.randn(items, classes, generator=source)
    if draw(st.booleans()):  # a model that is mostly right
        pred[torch.arange(items), targ] += 2
    return pred, targ


@pytest.mark.parametrize("name", SINGLE)
@settings(max_examples=25, deadline=None)
@given(data=decisions())
def test_equals_scikit_learn_for_every_batch_size(check_all_sizes, name, data):
    ours, theirs = SINGLE[name]
    pred, targ = data
    check_all_sizes(ours(), pred, targ, lambda: theirs(targ.numpy(), pred.argmax(1).numpy()))


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", AVERAGED)
@settings(max_examples=12, deadline=None)
@given(data=decisions())
def test_averages_over_classes_equal_scikit_learn(check_all_sizes, name, average, data):
    ours, theirs = AVERAGED[name]
    pred, targ = data
    decided = pred.argmax(1).numpy()
    check_all_sizes(
        ours(average=average),
        pred,
        targ,
        lambda: theirs(y_true=targ.numpy(), y_pred=decided, average=average),
    )


@pytest.mark.parametrize("name", AVERAGED)
@settings(max_examples=15, deadline=None)
@given(data=decisions(most=2), pos_label=st.integers(0, 1))
def test_the_score_of_one_of_two_classes_equals_scikit_learn(
    check_all_sizes, name, data, pos_label
):
    ours, theirs = AVERAGED[name]
    pred, targ = data
    decided = pred.argmax(1).numpy()
    check_all_sizes(
        ours(pos_label=pos_label),
        pred,
        targ,
        # labels= keeps scikit-learn from refusing a set in which that class is missing
        lambda: theirs(y_true=targ.numpy(), y_pred=decided, labels=[pos_label], average="macro"),
    )


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", AVERAGED)
def test_chosen_labels_equal_scikit_learn(check_all_sizes, generator, name, average):
    ours, theirs = AVERAGED[name]
    pred, targ = torch.randn(40, 4, generator=generator), torch.arange(40) % 3
    check_all_sizes(
        ours(average=average, labels=[0, 2, 3]),
        pred,
        targ,
        lambda: theirs(
            y_true=targ.numpy(),
            y_pred=pred.argmax(1).numpy(),
            labels=[0, 2, 3],
            average=average,
        ),
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (partial(F1Score, average="macro"), partial(skm.f1_score, average="macro")),
        (partial(Recall, average="weighted"), partial(skm.recall_score, average="weighted")),
        (BalancedAccuracy, skm.balanced_accuracy_score),
        (
            partial(BalancedAccuracy, adjusted=True),
            partial(skm.balanced_accuracy_score, adjusted=True),
        ),
        (CohenKappa, skm.cohen_kappa_score),
        (HammingLoss, skm.hamming_loss),
        (MatthewsCorrCoef, skm.matthews_corrcoef),
    ],
)
def test_sample_weights_follow_the_order_of_the_set(check_all_sizes, generator, ours, theirs):
    pred, targ = torch.randn(30, 3, generator=generator), torch.arange(30) % 3
    weights = torch.rand(30, generator=generator).tolist()
    check_all_sizes(
        ours(sample_weight=weights),
        pred,
        targ,
        lambda: theirs(targ.numpy(), pred.argmax(1).numpy(), sample_weight=weights),
    )


def test_kappa_of_chosen_labels_equals_scikit_learn(check_all_sizes, generator):
    pred, targ = torch.randn(50, 4, generator=generator), torch.arange(50) % 4
    check_all_sizes(
        CohenKappa(labels=[3, 0, 1], weights="linear"),
        pred,
        targ,
        lambda: skm.cohen_kappa_score(
            targ.numpy(), pred.argmax(1).numpy(), labels=[3, 0, 1], weights="linear"
        ),
    )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_accuracy_equals_scikit_learn(check_all_sizes, generator, k):
    pred, targ = torch.randn(23, 6, generator=generator), torch.arange(23) % 6
    check_all_sizes(
        partial(top_k_accuracy, k=k),
        pred,
        targ,
        lambda: skm.top_k_accuracy_score(targ.numpy(), pred.numpy(), k=k, labels=np.arange(6)),
    )


def test_classes_may_be_along_another_axis(generator):
    pred, targ = torch.randn(2, 3, 4, 5, generator=generator), torch.ones(2, 4, 5).long()
    flat = pred.movedim(1, -1).reshape(-1, 3)
    assert accuracy(pred, targ, axis=1) == accuracy(flat, targ.flatten())
    assert top_k_accuracy(pred, targ, k=2, axis=1) == top_k_accuracy(flat, targ.flatten(), k=2)
    whole = F1Score(axis=1, average="macro")(pred, targ)
    assert whole == F1Score(average="macro")(flat, targ.flatten())
    assert CohenKappa(axis=1)(pred, targ[:, None]) == CohenKappa()(flat, targ.flatten())


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (accuracy, "accuracy"),
        (error_rate, "error_rate"),
        (partial(top_k_accuracy, k=2), "top_k_accuracy"),
        (F1Score, "f1_score"),
        (FBeta(2), "fbeta_score"),
        (Precision, "precision_score"),
        (Recall, "recall_score"),
        (Jaccard, "jaccard_score"),
        (BalancedAccuracy, "balanced_accuracy_score"),
        (CohenKappa, "cohen_kappa_score"),
        (HammingLoss, "hamming_loss"),
        (MatthewsCorrCoef, "matthews_corrcoef"),
    ],
)
def test_names_are_those_of_scikit_learn_and_nothing_seen_is_none(metric, name):
    metric = mk_metric(metric)
    assert metric.name == name
    assert metric.value is None
    metric.update(torch.zeros(0, 2), torch.zeros(0).long())
    assert metric.value is None


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(4,\).*\(2, 3\).*axis=1 for masks"):
        accuracy(torch.zeros(4, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"k=5 of 3 classes"):
        top_k_accuracy(torch.zeros(4, 3), torch.zeros(4))


def test_a_binary_score_of_three_classes_says_which_averages_there_are():
    with pytest.raises(ValueError, match=r"3 classes along axis -1.*average='macro'"):
        F1Score().update(torch.zeros(2, 3), torch.zeros(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: F1Score(average="makro"), "Did you mean 'macro'"),
        (lambda: F1Score(labels=[0]), "average='macro', or pos_label"),
        (lambda: CohenKappa(weights="square"), "'linear', 'quadratic'"),
    ],
)
def test_unknown_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_labels_that_are_no_class_are_refused():
    with pytest.raises(ValueError, match=r"labels \[7\]; the classes are 0\.\.2"):
        F1Score(average="macro", labels=[7]).update(torch.zeros(1, 3), torch.zeros(1))


@pytest.mark.parametrize("metric", [HammingLoss(), CohenKappa()])
def test_targets_that_are_no_class_are_reported_when_the_value_is_read(metric):
    metric.update(torch.zeros(3, 2), torch.tensor([0, -100, 1]))
    with pytest.raises(ValueError, match=r"1 targets outside of 0\.\.1"):
        metric.value


def test_too_few_weights_are_reported():
    metric = F1Score(sample_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match="2 weights in sample_weight and has now seen 3 items"):
        metric.update(torch.zeros(3, 2), torch.zeros(3))


def test_reset_also_restarts_the_weights():
    metric = F1Score(sample_weight=[1.0, 2.0])
    for _ in range(2):
        metric.reset()
        metric.update(torch.eye(2), torch.tensor([1, 1]))
        assert metric.value == pytest.approx(2 * 2 / (3 + 2))  # right 2, predicted 2, true 3


def test_accuracy_takes_typed_half_and_inference_tensors():
    from layerwise.core.tensors import TensorCategory

    with torch.inference_mode():
        metric = mk_metric(accuracy)
        metric.update(torch.eye(2).half(), TensorCategory(torch.tensor([0, 0])))
    metric.update(torch.eye(2), torch.tensor([0, 1]))
    assert metric.value == 0.75
