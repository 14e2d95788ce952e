"""Overlap of boxes and suppression, against loops over plain numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.torchvision_operators import _nms
from layerwise.vision.detect.boxes import batched_nms, box_area, box_iou, generalized_iou

# Whole numbers: areas and shares are exact, so that no share lies on a threshold by rounding.
corner = st.integers(0, 12)
box = st.tuples(corner, corner, corner, corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


def area(a):
    return max(0, a[2] - a[0]) * max(0, a[3] - a[1])


def iou(a, b):
    shared = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    union = area(a) + area(b) - shared
    return shared / union if union else 0.0


def as_boxes(boxes):
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)


@given(st.lists(box, max_size=5), st.lists(box, max_size=4))
@settings(max_examples=60, deadline=None)
def test_overlap_of_all_pairs_is_that_of_each_pair(first, second):
    found = box_iou(as_boxes(first), as_boxes(second))
    expected = torch.tensor([[iou(a, b) for b in second] for a in first]).reshape(found.shape)
    torch.testing.assert_close(found, expected.float())
    torch.testing.assert_close(
        box_area(as_boxes(first)), torch.tensor([1.0 * area(a) for a in first])
    )


def test_overlap_of_batches_is_that_of_each_picture():
    low = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(0))
    boxes = torch.cat([low, low + 0.3], -1)
    batched = box_iou(boxes, boxes.flip(1))
    for i in range(3):
        torch.testing.assert_close(batched[i], box_iou(boxes[i], boxes[i].flip(0)))


@given(box, box)
@settings(max_examples=60, deadline=None)
def test_generalised_overlap_takes_off_what_the_hull_holds_besides(a, b):
    hull = area((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    share = iou(a, b)
    union = area(a) + area(b) - share / (1 + share) * (area(a) + area(b))
    expected = share - ((hull - union) / hull if hull else 0.0)
    found = generalized_iou(as_boxes([a])[0], as_boxes([b])[0])
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_generalised_overlap_pulls_boxes_together_that_do_not_touch():
    apart = torch.tensor([4.0, 0.0, 5.0, 1.0], requires_grad=True)
    generalized_iou(torch.tensor([0.0, 0.0, 1.0, 1.0]), apart).backward()
    assert apart.grad[0] < 0  # moving the left edge to the left is better
    same = generalized_iou(apart.detach(), apart.detach())
    assert float(same) == 1.0


def greedy(boxes, scores, labels, threshold):
    """Textbook suppression, a class at a time."""
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for i in order:
        if all(labels[i] != labels[j] or iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@given(
    st.lists(st.tuples(box, st.integers(0, 20), st.integers(1, 3)), max_size=24),
    st.sampled_from([0.05, 0.3, 0.55, 0.93]),
)
@settings(max_examples=150, deadline=None)
def test_suppression_at_once_is_suppression_one_by_one(candidates, threshold):
    boxes, scores, labels = zip(*candidates, strict=True) if candidates else ((), (), ())
    found = batched_nms(
        as_boxes(boxes), torch.tensor(scores).float(), torch.tensor(labels).long(), threshold
    )
    assert found.tolist() == greedy(boxes, scores, labels, threshold)


def test_a_box_that_is_removed_removes_none():
    # Each overlaps the next by 2/3: the first removes the second, so the third stays, and so on.
    boxes = torch.stack([torch.tensor([0.2 * i, 0.0, 0.2 * i + 1, 1.0]) for i in range(40)])
    scores = torch.arange(40, 0, -1.0)
    one = torch.ones(40, dtype=torch.long)
    assert batched_nms(boxes, scores, one, 0.5).tolist() == list(range(0, 40, 2))


def test_of_one_class_it_keeps_what_the_stand_in_for_torchvision_keeps():
    noise = torch.Generator().manual_seed(1)
    low = torch.rand(300, 2, generator=noise)
    boxes = torch.cat([low, low + torch.rand(300, 2, generator=noise) / 3], 1)
    scores = torch.rand(300, generator=noise)
    one = torch.ones(300, dtype=torch.long)
    assert torch.equal(batched_nms(boxes, scores, one, 0.4), _nms(boxes, scores, 0.4))
