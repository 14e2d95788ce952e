"""Boxes of many pictures: clipped, padded, and put together with their labels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.collate import fa_collate
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorImage, TensorMultiCategory
from layerwise.vision.boxes import BBoxLabeler, bb_pad, clip_remove_empty
from layerwise.vision.coords import LabeledBBox, TensorBBox

near = st.floats(-2, 2, width=32)


def labels(*numbers):
    return TensorMultiCategory(torch.tensor(numbers, dtype=torch.long))


def sample(rows, *numbers):
    boxes = TensorBBox(torch.tensor(rows, dtype=torch.float32).reshape(-1, 4), img_size=(4, 4))
    return TensorImage(torch.zeros(3, 4, 4)), boxes, labels(*numbers)


@given(st.lists(st.tuples(near, near, near, near), max_size=6))
def test_clipping_keeps_what_is_in_sight_one_box_at_a_time(rows):
    boxes = torch.tensor(rows).reshape(-1, 4)
    kept, names = clip_remove_empty(TensorBBox(boxes), torch.arange(len(boxes)))
    expected = []
    for i, row in enumerate(rows):
        left, upper, right, lower = (min(max(x, -1), 1) for x in row)
        if right > left and lower > upper:
            expected.append((i, [left, upper, right, lower]))
    assert names.tolist() == [i for i, _ in expected]
    assert kept.tolist() == [box for _, box in expected]


def test_a_batch_is_padded_to_the_most_boxes_in_sight():
    whole = [-1, -1, 1, 1]
    padded = bb_pad([sample([whole, [0, 0, 1, 1]], 3, 4), sample([[1.5, 0, 2, 1], whole], 5, 6)])
    _, boxes, names = fa_collate(padded)
    assert boxes.tolist() == [[whole, [0, 0, 1, 1]], [whole, [0] * 4]]
    assert names.tolist() == [[3, 4], [6, 0]]
    assert (type(boxes), type(names)) == (TensorBBox, TensorMultiCategory)
    assert boxes.img_size == (4, 4)


def test_the_class_of_the_padding_can_be_chosen():
    padded = bb_pad([sample([[0, 0, 1, 1]], 3), sample([])], pad_idx=7)
    assert [s[2].tolist() for s in padded] == [[3], [7]]


def test_pictures_without_any_box_make_a_batch_too():
    _, boxes, names = fa_collate(bb_pad([sample([]), sample([])]))
    assert boxes.shape == (2, 0, 4)
    assert names.shape == (2, 0)
    assert names.dtype == torch.long


def test_boxes_without_labels_are_padded_alone():
    padded = bb_pad([sample([[0, 0, 1, 1]], 1)[:2], sample([[0, 0, 1, 1]] * 3, 1, 1, 1)[:2]])
    assert [s[1].shape for s in padded] == [(3, 4), (3, 4)]


def test_samples_without_boxes_pass():
    image = TensorImage(torch.zeros(3, 4, 4))
    assert bb_pad([(image, 1)]) == [(image, 1)]
    assert bb_pad([image])[0] is image


def test_boxes_and_labels_that_differ_in_number_are_named():
    with pytest.raises(DataError, match="sample 1 of the batch has 1 boxes and 2 labels"):
        bb_pad([sample([[0, 0, 1, 1]], 3), sample([[0, 0, 1, 1]], 3, 4)])
    with pytest.raises(DataError, match="0 boxes and 2 labels"):
        BBoxLabeler()(sample([], 3, 4))


def test_decoding_puts_names_to_boxes_and_leaves_out_what_is_none():
    to_names = BBoxLabeler(["#na#", "cat", "dog"])
    rows = [[0, 0, 4, 4], [0, 0, 0, 0], [1, 1, 2, 2], [2, 2, 3, 3]]
    image, boxes, labelled = to_names.decode(sample(rows, 2, 0, 1, 0))
    assert isinstance(labelled, LabeledBBox)
    assert labelled.lbl == ["dog", "cat"]
    assert boxes.tolist() == labelled.bbox.tolist() == [rows[0], rows[2]]
    assert image.shape == (3, 4, 4)


def test_without_a_background_class_zero_is_a_class():
    _, _, labelled = BBoxLabeler(["cat", "dog"]).decode(sample([[0, 0, 4, 4], [0] * 4], 0, 0))
    assert labelled.lbl == ["cat"]


def test_other_samples_are_decoded_to_themselves():
    to_names = BBoxLabeler(["cat"])
    image, boxes, _ = sample([[0, 0, 4, 4]], 0)
    assert to_names.decode((image, boxes)) == (image, boxes)
    assert to_names.decode(image) is image


def test_the_names_come_from_the_data():
    class Data:
        vocab = ("#na#", "cat")

    to_names = BBoxLabeler()
    to_names.setup(Data())
    assert list(to_names.vocab) == ["#na#", "cat"]


def test_of_a_thousand_boxes_those_with_an_area_stay():
    many = TensorBBox(torch.from_numpy(np.random.default_rng(0).uniform(-2, 2, (1000, 4))))
    kept, names = clip_remove_empty(many, torch.arange(1000))
    assert len(kept) == len(names) < 1000
    assert (kept.as_plain()[:, 2:] > kept.as_plain()[:, :2]).all()
