"""The loss of detection against hand-worked values, and the way from outputs to boxes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from layerwise.core.nn.base_loss import NoneReduce
from layerwise.core.settings import settings_of
from layerwise.vision.coords import TensorBBox
from layerwise.vision.detect.anchors import decode_boxes, encode_boxes
from layerwise.vision.detect.boxes import generalized_iou
from layerwise.vision.detect.found import FoundBoxes
from layerwise.vision.detect.loss import RetinaLoss, sigmoid_focal_loss

LEFT, RIGHT, SMALL = [-1.0, -1, 0, 0], [0.0, 0, 1, 1], [0.5, 0.5, 0.75, 0.75]
ANCHORS = torch.tensor([LEFT, RIGHT, SMALL])


def outputs(logits, deltas=None, pictures=1):
    logits = torch.as_tensor(logits, dtype=torch.float32).expand(pictures, -1, -1)
    deltas = torch.zeros(3, 4) if deltas is None else deltas
    return logits, deltas.expand(pictures, -1, -1), ANCHORS.expand(pictures, -1, -1)


def target(boxes, labels):
    return torch.tensor([boxes]).reshape(1, -1, 4), torch.tensor([labels]).reshape(1, -1)


def test_focal_loss_is_cross_entropy_that_fades():
    logits = torch.linspace(-4, 4, 9)
    ones = torch.arange(9) % 2.0
    p = logits.sigmoid()
    expected = [
        -0.3 * (1 - q) ** 1.5 * math.log(q) if y else -0.7 * q**1.5 * math.log(1 - q)
        for q, y in zip(p.tolist(), ones.tolist(), strict=True)
    ]
    found = sigmoid_focal_loss(logits, ones, gamma=1.5, alpha=0.3)
    torch.testing.assert_close(found, torch.tensor(expected))
    plain = sigmoid_focal_loss(logits, ones, gamma=0, alpha=0.5) * 2
    torch.testing.assert_close(
        plain, F.binary_cross_entropy_with_logits(logits, ones, reduction="none")
    )


def test_focal_loss_is_finite_for_any_logit():
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.tensor([1.0, 0.0])).sum()
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["giou", "l1"])
def test_the_loss_is_that_of_each_anchor_over_those_with_a_box(kind):
    logits = [[0.3, -1.0], [2.0, 0.5], [-0.5, -2.0]]
    deltas = torch.tensor([[0.1, 0.0, 0.2, 0.0], [0.0] * 4, [1.0] * 4])
    box = [-1.0, -1.0, 0.1, 0.0]  # the first anchor has it, class 2; the others are background
    loss = RetinaLoss(box_loss=kind, box_weight=3.0)(outputs(logits, deltas), *target([box], [2]))
    wanted = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    focal = sigmoid_focal_loss(torch.tensor(logits), wanted).sum()
    made = decode_boxes(deltas[0], ANCHORS[0])
    apart = 1 - generalized_iou(made, torch.tensor(box))
    if kind == "l1":
        off = (deltas[0] - encode_boxes(torch.tensor(box), ANCHORS[0])).abs()
        apart = torch.where(off < 1 / 9, 4.5 * off**2, off - 1 / 18).sum()
    torch.testing.assert_close(loss, focal + 3 * apart)


def test_right_outputs_cost_nothing_and_wrong_ones_do():
    sure = [[9.0, -9.0], [-9.0, 9.0], [-9.0, -9.0]]
    loss = RetinaLoss()
    right = loss(outputs(sure), *target([LEFT, RIGHT], [1, 2]))
    assert right < 1e-3
    assert loss(outputs(sure), *target([LEFT, RIGHT], [2, 1])) > 1


def test_padding_and_empty_boxes_change_nothing():
    noise = torch.randn(1, 3, 2, generator=torch.Generator().manual_seed(0))
    loss = RetinaLoss()
    alone = loss(outputs(noise), *target([LEFT], [1]))
    zeros = [0.0] * 4
    with_padding = target([zeros, LEFT, zeros, [0.3, 0.2, 0.3, 0.9]], [0, 1, 0, 2])
    torch.testing.assert_close(loss(outputs(noise), *with_padding), alone)


def test_pictures_without_boxes_count_with_their_background():
    logits = torch.zeros(1, 3, 2, requires_grad=True)
    loss = RetinaLoss()
    expected = sigmoid_focal_loss(torch.zeros(6), torch.zeros(6)).sum()
    for boxes, labels in (target([], []), target([[0.0] * 4], [0])):
        found = loss(outputs(logits), boxes, labels.long())
        torch.testing.assert_close(found, expected)
    found.backward()
    assert logits.grad.isfinite().all()


def test_a_batch_weighs_as_its_pictures_and_reductions_agree():
    noise = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[LEFT, [0.0] * 4], [RIGHT, SMALL]])
    labels = torch.tensor([[1, 0], [2, 1]])
    loss = RetinaLoss()
    each = [loss(outputs(noise[i]), boxes[i : i + 1], labels[i : i + 1]) for i in range(2)]
    both = outputs(noise, pictures=2)
    torch.testing.assert_close(loss(both, boxes, labels), torch.stack(each).mean())
    with NoneReduce(loss) as one_by_one:
        torch.testing.assert_close(one_by_one(both, boxes, labels), torch.stack(each))
    loss.reduction = "sum"
    torch.testing.assert_close(loss(both, boxes, labels), torch.stack(each).sum())


def test_gradients_are_finite_however_young_the_model_is():
    logits = (100 * torch.randn(1, 3, 2)).requires_grad_()
    deltas = (100 * torch.randn(3, 4)).requires_grad_()
    for kind in ("giou", "l1"):
        loss = RetinaLoss(box_loss=kind)(outputs(logits, deltas), *target([LEFT, SMALL], [1, 2]))
        loss.backward()
        assert loss.isfinite()
        assert deltas.grad.isfinite().all()


def test_half_precision_outputs_are_compared_in_full():
    whole = outputs(torch.randn(1, 3, 2))
    half = tuple(x.half() for x in whole)
    loss = RetinaLoss()(half, *target([LEFT], [1]))
    assert loss.dtype == torch.float32


def test_wrong_settings_and_labels_are_told():
    with pytest.raises(ValueError, match="give 'giou' or 'l1'"):
        RetinaLoss(box_loss="l2")
    with pytest.raises(ValueError, match="low <= high"):
        RetinaLoss(low=0.6)
    with pytest.raises(ValueError, match="1 or more"):
        RetinaLoss(max_boxes=0)
    with pytest.raises(TypeError, match="Did you mean 'threshold'"):
        RetinaLoss(treshold=0.3)  # type: ignore[call-arg]  # misspelt
    with pytest.raises(ValueError, match="label 3 for a model of 2 classes"):
        RetinaLoss()(outputs(torch.zeros(3, 2)), *target([LEFT], [3]))


def test_settings_are_those_of_now():
    loss = RetinaLoss(gamma=1.0)
    loss.threshold = 0.25
    again = RetinaLoss(**settings_of(loss))
    assert (again.gamma, again.threshold, again.max_boxes) == (1.0, 0.25, 100)
    assert isinstance(loss, nn.Module)


# -- boxes found --------------------------------------------------------------------------------


def logit(p):
    return math.log(p / (1 - p))


def test_boxes_found_are_best_first_and_filled_up_by_zeros():
    logits = [[logit(0.6), logit(0.01)], [logit(0.2), logit(0.9)], [logit(0.3), logit(0.02)]]
    boxes, scores, labels = RetinaLoss(max_boxes=5).activation(outputs(logits))
    assert labels.tolist() == [[2, 1, 1, 1, 0]]
    torch.testing.assert_close(scores, torch.tensor([[0.9, 0.6, 0.3, 0.2, 0.0]]))
    expected = torch.tensor([RIGHT, LEFT, SMALL, RIGHT, [0.0] * 4])
    torch.testing.assert_close(boxes[0], expected)


def test_of_boxes_of_a_class_in_one_place_the_best_is_found():
    near = encode_boxes(torch.tensor([0.0, 0.1, 1.0, 1.0]), ANCHORS[2])
    deltas = torch.stack([torch.zeros(4), torch.zeros(4), near])
    logits = [[-9.0, -9.0], [1.0, -9.0], [2.5, 2.0]]
    _, scores, labels = RetinaLoss().activation(outputs(logits, deltas))
    assert labels[0, :3].tolist() == [1, 2, 0]
    torch.testing.assert_close(scores[0, :2], torch.tensor([2.5, 2.0]).sigmoid())


def test_boxes_found_end_at_the_picture_and_none_lies_outside():
    deltas = torch.tensor([[-2.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 0]])
    boxes, _, labels = RetinaLoss().activation(outputs(torch.full((3, 1), 3.0), deltas))
    assert (labels > 0).sum() == 2  # the first moved out of sight
    assert [0.5, 0.5, 1.0, 1.0] in boxes[0].tolist()


def test_no_picture_and_no_box_are_no_trouble():
    loss = RetinaLoss(max_boxes=4)
    boxes, scores, labels = loss.activation(tuple(x[:0] for x in outputs(torch.zeros(3, 1))))
    assert (boxes.shape, scores.shape, labels.shape) == ((0, 4, 4), (0, 4), (0, 4))
    found = loss.activation(outputs(torch.full((3, 1), -20.0)))
    decoded, kinds = loss.decodes(found)
    assert decoded.shape == (1, 1, 4)
    assert kinds.tolist() == [[0]]


def test_decoding_leaves_the_sure_ones_with_their_scores():
    logits = torch.tensor([[[logit(0.6)], [logit(0.9)], [logit(0.1)]], [[-9.0], [-9.0], [1.0]]])
    loss = RetinaLoss(threshold=0.5)
    boxes, labels = loss.decodes(loss.activation(outputs(logits, pictures=2)))
    assert isinstance(boxes, FoundBoxes)
    assert isinstance(boxes, TensorBBox)
    assert boxes.shape == (2, 2, 4)
    assert labels.tolist() == [[1, 1], [1, 0]]
    torch.testing.assert_close(boxes.scores[0], torch.tensor([0.9, 0.6]))
    torch.testing.assert_close(boxes[1].scores, torch.tensor([torch.tensor(1.0).sigmoid(), 0.0]))
    assert boxes[1].tolist() == [SMALL, [0.0] * 4]
    loss.threshold = 0.95
    assert loss.decodes(loss.activation(outputs(logits, pictures=2)))[1].sum() == 0
