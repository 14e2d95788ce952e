from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.metrics.loss_weight import loss_weight, target_weights
from layerwise.core.nn.losses import (
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
)

WEIGHT = torch.tensor([0.5, 2.0, 1.0, 4.0])


def plain_function(pred, target):
    return F.cross_entropy(pred, target)


def classes(*shape):
    """Logits with classes second, and classes of which some are ignored."""
    target = torch.randint(0, 4, shape)
    target[torch.rand(shape) < 0.3] = -100
    return torch.randn(shape[0], 4, *shape[1:]), target


def no_ignored(*shape):
    return torch.randn(shape[0], 4, *shape[1:]), torch.randint(0, 4, shape)


def some_255(*shape):
    pred, target = classes(*shape)
    return pred, torch.where(target == -100, 255, target)


def probabilities(*shape):
    pred, _ = classes(*shape)
    return pred, torch.rand_like(pred)


def many_labels(*shape):
    return torch.randn(*shape, 4), torch.randint(0, 2, (*shape, 4)).float()


def last(make):
    """Classes last, as `CrossEntropyLossFlat` takes them."""

    def made(*shape):
        pred, target = make(*shape)
        return pred.movedim(1, -1), target

    return made


LOSSES: dict[str, tuple[Any, Any]] = {
    "cross entropy": (nn.CrossEntropyLoss(), classes),
    "cross entropy by class": (nn.CrossEntropyLoss(weight=WEIGHT), classes),
    "cross entropy, another index": (nn.CrossEntropyLoss(ignore_index=255), some_255),
    "by class, another index": (nn.CrossEntropyLoss(WEIGHT, ignore_index=255), some_255),
    "by class, smoothed": (nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.1), classes),
    "probabilities": (nn.CrossEntropyLoss(), probabilities),
    "probabilities by class": (nn.CrossEntropyLoss(weight=WEIGHT), probabilities),
    "likelihood": (nn.NLLLoss(weight=WEIGHT), classes),
    "ours": (CrossEntropyLossFlat(), last(classes)),
    "ours by class": (CrossEntropyLossFlat(WEIGHT, axis=1), classes),
    "ours, another index": (CrossEntropyLossFlat(axis=1, ignore_index=255), some_255),
    "ours, smoothed": (LabelSmoothingCrossEntropyFlat(axis=1, weight=WEIGHT), classes),
    "smoothed": (LabelSmoothingCrossEntropy(weight=WEIGHT), classes),
    "focal": (FocalLossFlat(axis=1, weight=WEIGHT), no_ignored),
    "labels": (BCEWithLogitsLossFlat(), many_labels),
    "labels by class": (BCEWithLogitsLossFlat(WEIGHT), many_labels),
    "numbers": (MSELossFlat(), many_labels),
    "huber": (nn.HuberLoss(), many_labels),
    "dice": (DiceLoss(reduction="mean"), no_ignored),
    "function": (F.cross_entropy, classes),
    "function by class": (partial(F.cross_entropy, weight=WEIGHT), classes),
    "own function": (plain_function, classes),
    "batch mean": (nn.KLDivLoss(reduction="batchmean"), probabilities),
}


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_means_of_parts_join_to_the_mean_of_the_whole(name, sizes, seed):
    torch.manual_seed(seed)
    loss, make = LOSSES[name]
    pred, target = make(sum(sizes), 3)
    parts = [(p, t) for p, t in zip(pred.split(sizes), target.split(sizes), strict=True)]
    total, weight = torch.zeros(()), torch.zeros(())
    for p, t in parts:
        one = torch.as_tensor(loss_weight(loss, p, t), dtype=torch.float32)
        weight = weight + one
        if one > 0:
            total = total + loss(p, t) * one
    if weight > 0:
        torch.testing.assert_close(total / weight, loss(pred, target), rtol=1e-5, atol=1e-6)


def test_parts_of_other_lengths_join_too():
    torch.manual_seed(0)
    parts = [classes(2, 5), classes(3, 9)]
    loss = nn.CrossEntropyLoss(weight=WEIGHT)
    flat = [(p.movedim(1, -1).flatten(0, 1), t.flatten()) for p, t in parts]
    whole = loss(torch.cat([p for p, _ in flat]), torch.cat([t for _, t in flat]))
    weights = [loss_weight(loss, p, t) for p, t in parts]
    joined = sum(loss(p, t) * w for (p, t), w in zip(parts, weights, strict=True)) / sum(weights)
    torch.testing.assert_close(joined, whole)


@pytest.mark.parametrize("loss", [nn.MSELoss(reduction="sum"), MSELossFlat(reduction="sum")])
def test_a_sum_has_no_weight(loss):
    assert loss_weight(loss, torch.zeros(2), torch.zeros(2)) is None


def test_a_loss_of_ones_own_says_what_its_mean_is_over():
    class PerPair:
        def __call__(self, pred, target):
            return (pred - target).abs().sum() / self.loss_weight(pred, target)

        def loss_weight(self, pred, target):
            return len(pred) * (len(pred) - 1)

    assert loss_weight(PerPair(), torch.zeros(5), torch.zeros(5)) == 20


def test_without_targets_the_prediction_is_counted():
    assert loss_weight(lambda pred: pred.mean(), torch.zeros(3, 2)) == 6


def test_weights_are_by_target_where_targets_differ():
    pred, target = torch.zeros(4, 4), torch.tensor([3, 0, -100, 1])
    loss = CrossEntropyLossFlat(WEIGHT)
    assert target_weights(loss, pred, target).tolist() == [4.0, 0.5, 0.0, 2.0]
    assert target_weights(MSELossFlat(), pred, pred) is None
    assert target_weights(FocalLossFlat(), pred, target) is None
