"""Probabilities for one class an item, against scikit-learn."""

import math
from typing import Any

import pytest
import sklearn.metrics as skm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.probability import APScoreBinary, BrierScore, RocAuc, RocAucBinary


def make(seed, items, classes, *, ties=True):
    source = torch.Generator().manual_seed(seed)
    pred = torch.randn(items, classes, generator=source)
    pred = pred.round() if ties else pred
    targ = torch.cat([torch.arange(classes), torch.arange(items - classes) * 7 % classes])
    return pred, targ[torch.randperm(items, generator=source)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.integers(2, 40), st.sampled_from([None, 0.1, 0.5, 1.0]))
def test_binary_auc_equals_scikit_learn_with_ties(check_all_sizes, seed, items, max_fpr):
    pred, targ = make(seed, items, 2)
    score = pred.softmax(1)[:, 1].numpy()
    for kind in (RocAucBinary, RocAuc):
        check_all_sizes(
            kind(max_fpr=max_fpr),
            pred,
            targ,
            lambda: skm.roc_auc_score(targ, score, max_fpr=max_fpr),
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.integers(2, 40), st.integers(0, 1))
def test_average_precision_equals_scikit_learn(check_all_sizes, seed, items, pos_label):
    pred, targ = make(seed, items, 2)
    score = pred.softmax(1)[:, 1].numpy()
    check_all_sizes(
        APScoreBinary(pos_label=pos_label),
        pred,
        targ,
        lambda: skm.average_precision_score(targ, score, pos_label=pos_label),
    )


@pytest.mark.parametrize(
    ("multi_class", "average"),
    [
        ("ovr", "macro"),
        ("ovr", "weighted"),
        ("ovr", "micro"),
        ("ovo", "macro"),
        ("ovo", "weighted"),
    ],
)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 9999), st.integers(6, 40), st.integers(3, 5))
def test_auc_of_several_classes_equals_scikit_learn(
    check_all_sizes, multi_class, average, seed, items, classes
):
    pred, targ = make(seed, items, classes)
    score = pred.double().softmax(1)
    check_all_sizes(
        RocAuc(average=average, multi_class=multi_class),
        pred.double(),
        targ,
        lambda: skm.roc_auc_score(targ, score, multi_class=multi_class, average=average),
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.integers(6, 40), st.integers(2, 5))
def test_brier_score_equals_scikit_learn(check_all_sizes, seed, items, classes):
    pred, targ = make(seed, items, classes)
    score = pred.double().softmax(1).numpy()
    score = score[:, 1] if classes == 2 else score
    labels = list(range(classes))
    check_all_sizes(
        BrierScore(), pred, targ, lambda: skm.brier_score_loss(targ, score, labels=labels)
    )


def test_sample_weights_equal_scikit_learn(check_all_sizes, generator):
    pred, targ = make(5, 30, 2)
    weights = torch.rand(30, generator=generator).numpy()
    score = pred.softmax(1)[:, 1].numpy()
    pairs: list[tuple[Any, Any]] = [
        (RocAucBinary, skm.roc_auc_score),
        (APScoreBinary, skm.average_precision_score),
        (BrierScore, skm.brier_score_loss),
    ]
    for ours, theirs in pairs:
        check_all_sizes(
            ours(sample_weight=weights),
            pred,
            targ,
            lambda theirs=theirs: theirs(targ, score, sample_weight=weights),
        )
    pred, targ = make(5, 30, 3)
    score = pred.double().softmax(1).numpy()
    check_all_sizes(
        RocAuc(sample_weight=weights, average="weighted"),
        pred.double(),
        targ,
        lambda: skm.roc_auc_score(
            targ, score, sample_weight=weights, multi_class="ovr", average="weighted"
        ),
    )


def test_one_output_an_item_goes_through_the_sigmoid(check_all_sizes, generator):
    pred, targ = torch.randn(20, 1, generator=generator), torch.arange(20) % 2
    check_all_sizes(RocAucBinary(), pred, targ, lambda: skm.roc_auc_score(targ, pred[:, 0]))


def test_the_area_is_nan_without_warning_where_a_class_is_missing():
    assert math.isnan(RocAucBinary()(torch.randn(4, 2), torch.zeros(4)))
    assert math.isnan(RocAuc()(torch.eye(3), torch.tensor([0, 1, 1])))
    assert math.isnan(RocAuc(multi_class="ovo")(torch.eye(3), torch.tensor([0, 0, 0])))
    assert APScoreBinary()(torch.randn(4, 2), torch.zeros(4)) == 0


def test_brier_score_worked_by_hand():
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    assert BrierScore()(logits, torch.tensor([1, 1])) == pytest.approx((0.0625 + 0.25) / 2)
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    assert BrierScore()(logits, torch.tensor([0])) == pytest.approx(0.25 + 2 * 0.0625)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (RocAuc, "roc_auc_score"),
        (RocAucBinary, "roc_auc_score"),
        (APScoreBinary, "average_precision_score"),
        (BrierScore, "brier_score_loss"),
    ],
)
def test_names_are_those_of_scikit_learn_and_nothing_seen_is_none(metric, name):
    metric = mk_metric(metric)
    assert metric.name == name
    assert metric.value is None
    metric.update(torch.zeros(0, 2), torch.zeros(0).long())
    assert metric.value is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RocAuc(multi_class="ovrr"), "Did you mean 'ovr'"),
        (lambda: RocAuc(average="mikro"), "Did you mean 'micro'"),
        (lambda: RocAuc(average="micro", multi_class="ovo"), "It takes: macro, weighted"),
        (lambda: RocAuc(multi_class="ovo", sample_weight=[1]), "for multi_class='ovr' only"),
        (lambda: RocAucBinary(max_fpr=2), "max_fpr=2"),
        (lambda: RocAucBinary()(torch.zeros(2, 3), torch.zeros(2)), "use RocAuc"),
        (lambda: RocAuc(max_fpr=0.5)(torch.zeros(2, 3), torch.zeros(2)), "for two classes, not 3"),
        (lambda: RocAuc()(torch.zeros(2, 3), torch.zeros(3)), r"\(2,\).*\(3,\)"),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()
