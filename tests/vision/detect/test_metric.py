"""Mean average precision against hand-worked values and a plain form of its definition."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.metric import mk_metric
from layerwise.vision.detect.loss import RetinaLoss
from layerwise.vision.detect.metric import MeanAP

A, B, C = [-1.0, -1, -0.5, -0.5], [0.0, 0, 0.5, 0.5], [-1.0, 0, -0.5, 0.5]


def batch(boxes, *rows):
    """Lists of one picture as a batch of it."""
    return (torch.tensor([boxes]).reshape(1, -1, 4), *(torch.tensor([row]) for row in rows))


def value(found, wanted, **settings):
    metric = MeanAP(**settings)
    metric.update(batch(*found), *batch(*wanted))
    return metric.value


def test_all_found_is_one_and_none_is_zero():
    wanted = ([A, B], [1, 2])
    assert value(([A, B], [0.3, 0.9], [1, 2]), wanted) == 1.0
    assert value(([A, B], [0.3, 0.9], [2, 1]), wanted) == 0.0
    assert value(([], [], []), wanted) == 0.0


def test_half_of_the_boxes_found_is_precision_one_up_to_recall_one_half():
    # Recalls 0, 0.01, ... 0.5 are reached: 51 of 101.
    assert value(([A], [0.9], [1]), ([A, B], [1, 1])) == pytest.approx(51 / 101)


def test_a_wrong_box_costs_by_its_rank():
    wanted = ([A, B], [1, 1])
    # Right, wrong, right: precision 1 up to recall 0.5, then 2/3.
    found = ([A, C, B], [0.9, 0.8, 0.7], [1, 1, 1])
    assert value(found, wanted, iou=0.5) == pytest.approx((51 + 50 * 2 / 3) / 101)
    last = ([A, C, B], [0.9, 0.1, 0.7], [1, 1, 1])
    assert value(last, wanted, iou=0.5) == 1.0


def test_a_second_box_for_the_same_thing_is_wrong():
    found = ([A, A], [0.9, 0.8], [1, 1])
    assert value(found, ([A, B], [1, 1])) == pytest.approx(51 / 101)


def test_the_overlap_decides_what_is_found():
    # Width 0.35 of 0.5: a share of 0.7, so five of the ten thresholds (0.5 to 0.7) count it.
    near = [A[0], A[1], A[0] + 0.36, A[3]]
    assert value(([near], [0.9], [1]), ([A], [1])) == pytest.approx(0.5)
    assert value(([near], [0.9], [1]), ([A], [1]), iou=0.7) == 1.0
    assert value(([near], [0.9], [1]), ([A], [1]), iou=0.75) == 0.0


def test_classes_without_boxes_do_not_count_and_padding_is_none():
    found = ([A, B, [0.0] * 4], [0.9, 0.8, 0.0], [1, 3, 0])
    wanted = ([A, [0.0] * 4, [0.5, 0.5, 0.5, 0.9]], [1, 0, 2])
    metric = MeanAP()
    metric.update(batch(*found), *batch(*wanted))
    assert metric.by_label() == {1: 1.0}
    assert metric.value == 1.0


def test_nothing_seen_and_nothing_to_find_have_no_value():
    metric = MeanAP()
    assert metric.value is None
    metric.update(batch([A], [0.9], [1]), *batch([[0.0] * 4], [0]))
    assert metric.value is None


def test_one_class_alone():
    found = ([A, B], [0.9, 0.8], [1, 1])
    wanted = ([A, B], [1, 2])
    assert value(found, wanted, label=1) == 1.0
    assert value(found, wanted, label=2) == 0.0
    assert MeanAP(label=2).name == "mAP_2"
    assert mk_metric(MeanAP(iou=0.75)).name == "AP75"


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        MeanAP(iou=50)
    with pytest.raises(ValueError, match="first class is 1"):
        MeanAP(label=0)
    with pytest.raises(ValueError, match="2 predictions"):
        MeanAP().update(batch([A], [1]), *batch([A], [1]))
    with pytest.raises(TypeError, match="Did you mean 'iou'"):
        MeanAP(iuo=0.5)  # type: ignore[call-arg]  # misspelt


# -- against the definition ------------------------------------------------------------------


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def plain_ap(found, wanted, kind, share):
    """Average precision of one class: lists of (box, score, label) and (box, label) a picture."""
    candidates = []
    count = 0
    for number, (boxes, targets) in enumerate(zip(found, wanted, strict=True)):
        count += sum(label == kind for _, label in targets)
        candidates += [(-s, number, box) for box, s, label in boxes if label == kind]
    taken, right = set(), []
    for _, number, box in sorted(candidates, key=lambda c: c[0]):
        best, chosen = share, None
        for i, (target, label) in enumerate(wanted[number]):
            if label == kind and (number, i) not in taken and iou(box, target) >= best:
                best, chosen = iou(box, target), i
        right.append(chosen is not None)
        taken.add((number, chosen))
    points = [
        (sum(right[: i + 1]) / count, sum(right[: i + 1]) / (i + 1)) for i in range(len(right))
    ]
    best_at = [
        max((p for recall, p in points if recall >= step / 100 - 1e-12), default=0.0)
        for step in range(101)
    ]
    return sum(best_at) / 101


def boxes_of(side):
    corner = st.tuples(st.integers(0, 6), st.integers(0, 6))
    return st.tuples(corner, st.integers(1, side), st.integers(1, side)).map(
        lambda b: [b[0][0] / 8, b[0][1] / 8, (b[0][0] + b[1]) / 8, (b[0][1] + b[2]) / 8]
    )


label = st.integers(1, 2)
pictures = st.lists(
    st.tuples(
        st.lists(st.tuples(boxes_of(3), label), max_size=5),
        st.lists(st.tuples(boxes_of(3), label), max_size=4),
    ),
    min_size=1,
    max_size=4,
)


def padded(rows, *widths):
    """Lists of tuples as tensors, filled up by zeros."""
    most = max(map(len, rows))
    filled = [
        [*row, *[tuple([0.0] * w if w > 1 else 0 for w in widths)] * (most - len(row))]
        for row in rows
    ]
    return tuple(
        torch.tensor([[member[i] for member in row] for row in filled]).reshape(
            len(rows), most, *([w] if w > 1 else [])
        )
        for i, w in enumerate(widths)
    )


@given(pictures, st.permutations(range(20)), st.sampled_from([0.45, 0.55, 0.7]))
@settings(max_examples=80, deadline=None)
def test_it_is_what_its_definition_says_for_any_batch_size(data, ranks, share):
    # Scores that differ from each other: of equal ones no definition says which comes first.
    scores = iter([(rank + 1) / 32 for rank in ranks])
    found = [[(box, next(scores), kind) for box, kind in boxes] for boxes, _ in data]
    wanted = [targets for _, targets in data]
    kinds = {kind for targets in wanted for _, kind in targets}
    expected = [plain_ap(found, wanted, kind, share) for kind in kinds]
    whole, halves = MeanAP(iou=share), MeanAP(iou=share)
    whole.update(padded(found, 4, 1, 1), *padded(wanted, 4, 1))
    for one, targets in zip(found, wanted, strict=True):
        halves.update(padded([one], 4, 1, 1), *padded([targets], 4, 1))
    assert whole.value == halves.value
    if kinds:
        assert whole.value == pytest.approx(sum(expected) / len(expected))
    else:
        assert whole.value is None


def test_two_processes_together_are_one():
    noise = torch.Generator().manual_seed(0)
    low = torch.rand(6, 8, 2, generator=noise)
    boxes = torch.cat([low, low + 0.3], -1)
    moved = boxes + torch.rand(6, 8, 4, generator=noise) / 10
    scores, labels = torch.rand(6, 8, generator=noise), torch.arange(48).reshape(6, 8) % 3 + 1
    whole, first, second = MeanAP(), MeanAP(), MeanAP()
    whole.update((moved, scores, labels), boxes, labels)
    first.update((moved[:2], scores[:2], labels[:2]), boxes[:2], labels[:2])
    second.update((moved[2:], scores[2:], labels[2:]), boxes[2:], labels[2:])
    together = MeanAP()
    together.load_state_dict(together.merged([first.state_dict(), second.state_dict()]))
    assert whole.value is not None
    assert 0 < whole.value < 1
    assert together.value == whole.value


def test_in_training_it_measures_what_the_loss_makes_of_outputs():
    class Batch:
        anchors = torch.tensor([[A, B]])
        pred = (torch.tensor([[[4.0], [-4.0]]]), torch.zeros(1, 2, 4), anchors)
        yb = batch([A, B], [1, 1])
        loss_func = RetinaLoss()

    metric = MeanAP()
    metric.accumulate(Batch())
    assert metric.value == pytest.approx(51 / 101)
