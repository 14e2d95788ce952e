"""Overlaps of masks, by hand and against scikit-learn."""

import math
from functools import partial

import pytest
import sklearn.metrics as skm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.segmentation import (
    Dice,
    DiceMulti,
    JaccardCoeff,
    JaccardCoeffMulti,
    foreground_acc,
)
from layerwise.core.tensors import TensorMask


def scores(mask, classes):
    """(N, K, H, W) scores that decide for the (N, H, W) mask."""
    return torch.nn.functional.one_hot(mask, classes).movedim(-1, 1).float()


def masks(seed, items, classes):
    source = torch.Generator().manual_seed(seed)
    shape = (items, 3, 4)
    guess = torch.randint(classes, shape, generator=source)
    truth = torch.randint(max(classes - 1, 1), shape, generator=source)
    return torch.where(torch.rand(shape, generator=source) < 0.5, truth, guess), truth


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 15))
def test_overlap_of_the_foreground_equals_scikit_learn(check_all_sizes, seed, items):
    guess, truth = masks(seed, items, 3)
    guess = guess.clamp(max=1)
    flat, want = guess.flatten().numpy(), truth.flatten().numpy()
    pred = scores(guess, 2)
    check_all_sizes(Dice(), pred, truth, lambda: skm.f1_score(want, flat))
    check_all_sizes(JaccardCoeff(), pred, truth, lambda: skm.jaccard_score(want, flat))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 15), st.integers(2, 5))
def test_mean_overlap_of_classes_equals_scikit_learn(check_all_sizes, seed, items, classes):
    guess, truth = masks(seed, items, classes)
    flat, want = guess.flatten().numpy(), truth.flatten().numpy()
    pred = scores(guess, classes)
    check_all_sizes(DiceMulti(), pred, truth, lambda: skm.f1_score(want, flat, average="macro"))
    check_all_sizes(
        JaccardCoeffMulti(), pred, truth, lambda: skm.jaccard_score(want, flat, average="macro")
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 15), st.integers(0, 2))
def test_foreground_accuracy_weighs_every_pixel_alike(check_all_sizes, seed, items, bkg_idx):
    guess, truth = masks(seed, items, 3)
    truth[:, 0, :2] = torch.tensor([0, 1])  # some foreground, whatever the background
    keep = truth != bkg_idx
    check_all_sizes(
        partial(foreground_acc, bkg_idx=bkg_idx),
        scores(guess, 3),
        truth,
        lambda: skm.accuracy_score(truth[keep], guess[keep]),
    )
    direct = foreground_acc(scores(guess, 3), TensorMask(truth[:, None]), bkg_idx)
    assert direct.item() == pytest.approx(skm.accuracy_score(truth[keep], guess[keep]))


def test_overlaps_worked_by_hand():
    truth = torch.tensor([[[1, 1, 1, 0, 0, 2]]])
    guess = torch.tensor([[[1, 1, 0, 0, 1, 2]]])
    pred = scores(guess, 4)  # class 3 does not occur
    # background: right 1, predicted 2, true 2; class 1: 2, 3, 3; class 2: 1, 1, 1
    assert DiceMulti()(pred, truth) == pytest.approx((2 / 4 + 4 / 6 + 2 / 2) / 3)
    assert JaccardCoeffMulti()(pred, truth) == pytest.approx((1 / 3 + 2 / 4 + 1) / 3)
    # foreground: right 3 (of any class), predicted 4, true 4
    assert Dice()(pred, truth) == pytest.approx(6 / 8)
    assert JaccardCoeff()(pred, truth) == pytest.approx(3 / 5)
    assert foreground_acc(pred, truth).item() == pytest.approx(3 / 4)


def test_without_foreground_there_is_no_score():
    nothing = torch.zeros(1, 2, 2).long()
    assert Dice()(scores(nothing, 2), nothing) is None
    assert JaccardCoeff()(scores(nothing, 2), nothing) is None
    metric = mk_metric(foreground_acc)
    metric.update(scores(nothing, 2), nothing)
    assert math.isnan(metric.value)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (Dice, "dice"),
        (DiceMulti, "dice_multi"),
        (JaccardCoeff, "jaccard_coeff"),
        (JaccardCoeffMulti, "jaccard_coeff_multi"),
        (foreground_acc, "foreground_acc"),
    ],
)
def test_names_nothing_seen_reset_and_wrong_shapes(metric, name):
    metric = mk_metric(metric)
    assert metric.name == name
    assert metric.value is None
    mask = torch.ones(1, 2, 2).long()
    metric.update(scores(mask, 2), mask)
    assert metric.value == 1
    metric.reset()
    assert metric.value is None
    with pytest.raises(ValueError, match=r"\(1, 2, 2\).*\(1, 3, 3\)"):
        metric.update(scores(mask, 2), torch.ones(1, 3, 3))
