"""Anchors: where they lie, how boxes differ from them, and which box each belongs to."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.vision.detect.anchors import Anchors, decode_boxes, encode_boxes, match_anchors
from layerwise.vision.detect.boxes import box_iou

place = st.floats(-1, 1, width=32)
side = st.floats(0.03125, 2, width=32)
box = st.tuples(place, place, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@given(st.lists(st.tuples(box, box), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_decoding_undoes_encoding(pairs):
    boxes, anchors = (torch.tensor(x) for x in zip(*pairs, strict=True))
    # Boxes up to exp(4) times as large as their anchor, a bound that decoding keeps.
    deltas = encode_boxes(boxes, anchors)
    small = (deltas[:, 2:] <= 4).all(-1)
    torch.testing.assert_close(
        decode_boxes(deltas, anchors)[small], boxes[small], atol=1e-5, rtol=1e-4
    )


def test_deltas_are_shares_of_the_anchor_and_logarithms():
    anchor = torch.tensor([0.0, 0.0, 0.2, 0.4])
    found = encode_boxes(torch.tensor([0.1, 0.0, 0.5, 0.2]), anchor)
    expected = [(0.3 - 0.1) / 0.2, (0.1 - 0.2) / 0.4, math.log(2), math.log(0.5)]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_wild_outputs_stay_finite():
    boxes = decode_boxes(torch.full((1, 4), 1e4), torch.tensor([[0.0, 0.0, 0.1, 0.1]]))
    assert boxes.isfinite().all()


def test_anchors_go_map_by_map_row_by_row_and_are_square_in_pixels():
    anchors = Anchors(size=2, scales=(1,), ratios=(1,)).boxes((64, 128), [(2, 4), (1, 2)])
    assert anchors.shape == (10, 4)
    # From -1 to 1 over 128 pixels, 64 pixels are as wide as 1; over a height of 64, as high as 2.
    width, height = (anchors[:, 2:] - anchors[:, :2]).unbind(1)
    torch.testing.assert_close(width, torch.tensor([1.0] * 8 + [2.0] * 2))
    torch.testing.assert_close(height, torch.tensor([2.0] * 8 + [4.0] * 2))
    centres = (anchors[:, 2:] + anchors[:, :2]) / 2
    torch.testing.assert_close(centres[1], torch.tensor([-0.25, -0.5]))
    torch.testing.assert_close(centres[4], torch.tensor([-0.75, 0.5]))
    torch.testing.assert_close(centres[9], torch.tensor([0.5, 0.0]))


def test_ratios_keep_the_area_and_are_height_over_width():
    boxes = Anchors(size=1, scales=(1, 2), ratios=(0.5, 2)).boxes((16, 16), [(1, 1)])
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
    torch.testing.assert_close(height / width, torch.tensor([0.5, 2, 0.5, 2]))
    torch.testing.assert_close(width * height, torch.tensor([4.0, 4, 16, 16]))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"scales": ()}, {"ratios": (1, -1)}], ids=repr)
def test_anchors_without_a_size_are_refused(wrong):
    with pytest.raises(ValueError, match="positive"):
        Anchors(**wrong)


ROW = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 4.5], [0, 0, 10, 4], [20, 20, 30, 30.0]])


def test_anchors_belong_to_a_box_are_background_or_do_not_count():
    boxes, labels = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([2])
    # Shares of 1, 0.45, 0.4 and 0: the box, twice in between, background.
    assert match_anchors(ROW, boxes, labels, 0.35, 0.5).tolist() == [0, -2, -2, -1]
    assert match_anchors(ROW, boxes, labels, 0.42, 0.45).tolist() == [0, 0, -1, -1]


def test_a_box_that_no_anchor_fits_gets_the_best_one():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 22]])
    assert match_anchors(ROW, boxes, torch.tensor([1, 1])).tolist() == [0, -2, -2, 1]


def test_padding_and_empty_boxes_match_nothing():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 0, 0], [20, 20, 20, 30]])
    labels = torch.tensor([0, 3, 0, 2])
    assert match_anchors(ROW, boxes, labels).tolist() == [1, -2, -2, -1]
    none = torch.zeros(4, dtype=torch.long)
    assert match_anchors(ROW, boxes, none).tolist() == [-1] * 4
    assert match_anchors(ROW, boxes[:0], none[:0]).tolist() == [-1] * 4


def test_each_box_has_an_anchor_and_each_anchor_its_nearest_box():
    noise = torch.Generator().manual_seed(3)
    low = torch.rand(12, 2, generator=noise) * 2 - 1
    boxes = torch.cat([low, low + 0.05 + torch.rand(12, 2, generator=noise)], 1).clamp(max=1)
    anchors = Anchors().boxes((128, 128), [(16, 16), (8, 8), (4, 4)])
    matched = match_anchors(anchors, boxes, torch.ones(12, dtype=torch.long))
    assert set(range(12)) <= set(matched.tolist())
    overlap = box_iou(anchors, boxes)
    best = overlap.amax(0)  # anchors that a box is given in any case
    usual = (overlap < best).all(1)
    most, nearest = overlap[usual].max(1)
    expected = nearest.where(most >= 0.5, torch.tensor(-2)).where(most >= 0.4, torch.tensor(-1))
    assert usual.sum() > 2000
    assert torch.equal(matched[usual], expected)
