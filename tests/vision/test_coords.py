"""Points and boxes: what they are made of, how they move, what they refuse."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.collate import fa_collate
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorImageBase, TensorMask
from layerwise.core.transforms.transform import Transform
from layerwise.vision.coords import (
    LabeledBBox,
    TensorBBox,
    TensorPoint,
    TensorTypes,
    box_is_empty,
    picture_size,
)
from layerwise.vision.types import PILImage


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


shares = st.floats(-1, 1, width=32)
points = st.lists(st.tuples(shares, shares), min_size=0, max_size=5)


def boxes_of(pairs):
    """(N, 4) upright boxes of pairs of corners."""
    rows = [[min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])] for a, b in pairs]
    return TensorBBox(torch.tensor(rows).reshape(-1, 4))


@pytest.mark.parametrize(
    "given_as",
    [[[1, 2], [3, 4]], [1, 2, 3, 4], np.array([[1, 2], [3, 4]]), torch.tensor([[1, 2], [3, 4]])],
    ids=["rows", "flat", "array", "tensor"],
)
def test_points_are_made_of_rows_arrays_and_tensors(given_as):
    made = TensorPoint.create(given_as, img_size=(8, 6))
    assert type(made) is TensorPoint
    assert made.dtype == torch.float32
    assert made.tolist() == [[1, 2], [3, 4]]
    assert made.img_size == (8, 6)


@pytest.mark.parametrize("kind", [TensorPoint, TensorBBox])
def test_a_picture_may_have_none(kind):
    none = kind.create([])
    assert none.shape == (0, 4 if kind is TensorBBox else 2)
    assert kind(none.as_plain()).dihedral(3).shape == none.shape


def test_points_survive_pickling_slicing_and_arithmetic():
    made = TensorPoint.create([[1, 2], [3, 4]], img_size=(8, 6))
    for again in (pickle.loads(pickle.dumps(made)), made[:1], made + 1):
        assert type(again) is TensorPoint
        assert again.img_size == (8, 6)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: TensorPoint.create([1, 2, 3]), r"shape \(3,\)"),
        (lambda: TensorPoint.create([[1, 2, 3]]), r"\(N, 2\)"),
        (lambda: TensorPoint.create([[1, 2], [3]]), "rows of one length"),
        (lambda: TensorPoint.create("cat"), "give numbers"),
        (lambda: TensorPoint.create([[1, float("inf")]]), "infinite"),
        (lambda: TensorBBox.create([[1, 2, 3, 4], [9, 2, 3, 4]]), "box 1 .*lesser first"),
        (lambda: TensorBBox.create([[float("nan"), 2, 3, 4]]), "box 0"),
        (lambda: TensorBBox.create([[1, 2]]), r"\(N, 4\)"),
        (lambda: TensorPoint([[0.0, 0.0]]).dihedral(8), "0 to 7"),
        (lambda: TensorPoint.create([[5, 5]]).flip_lr(), "PointScaler"),
        (lambda: TensorPoint.create([[5, 5]]).crop_pad(3, orig_sz=(9, 9)), "PointScaler"),
        (lambda: TensorPoint([[0.0, 0.0]]).crop_pad(3), "orig_sz"),
        (lambda: LabeledBBox(TensorBBox.create([[0, 0, 1, 1]]), []), "1 boxes and 0 labels"),
    ],
    ids=["odd", "wide", "ragged", "text", "inf", "turned", "nan", "narrow", "k", "pixels", "crop",
         "size", "labels"],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(make, told):
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.parametrize("k", range(8))
def test_a_point_turns_as_the_pixel_below_it_does(k):
    picture = torch.zeros(1, 6, 4)
    picture[0, 1, 3] = 1
    point = TensorPoint([[3.5 / 4 * 2 - 1, 1.5 / 6 * 2 - 1]])
    turned = TensorImageBase(picture).dihedral(k).as_plain()[0]
    y, x = turned.nonzero()[0].tolist()
    height, width = turned.shape
    expected = [(x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1]
    assert point.dihedral(k).tolist()[0] == pytest.approx(expected)


@given(points, st.integers(0, 7))
def test_each_turn_has_one_that_undoes_it(given_points, k):
    there = TensorPoint(torch.tensor(given_points).reshape(-1, 2))
    back = {3: 5, 5: 3}.get(k, k)
    assert torch.equal(there.dihedral(k).dihedral(back).as_plain(), there.as_plain())


@given(st.lists(st.tuples(st.tuples(shares, shares), st.tuples(shares, shares)), max_size=4),
       st.integers(0, 7))  # fmt: skip
def test_a_box_stays_upright_and_keeps_its_area(pairs, k):
    boxes = boxes_of(pairs)
    turned = boxes.dihedral(k).as_plain()
    assert (turned[:, :2] <= turned[:, 2:]).all()
    area = (turned[:, 2:] - turned[:, :2]).prod(-1)
    before = (boxes.as_plain()[:, 2:] - boxes.as_plain()[:, :2]).prod(-1)
    assert torch.allclose(area, before)


@given(points, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 20), st.integers(1, 20))
def test_a_crop_subtracts_its_corner_in_pixels(given_points, left, upper, width, height):
    size = torch.tensor([12.0, 10.0])
    there = TensorPoint(torch.tensor(given_points).reshape(-1, 2))
    cropped = there.crop_pad((width, height), (left, upper), (12, 10))
    pixels = (there.as_plain() + 1) / 2 * size - torch.tensor([left, upper])
    found = (cropped.as_plain() + 1) / 2 * torch.tensor([float(width), float(height)])
    assert torch.allclose(found, pixels, atol=1e-4)
    assert cropped.img_size == (width, height)


def test_a_crop_in_the_middle_keeps_the_middle():
    middle = TensorPoint([[0.0, 0.0]], img_size=(12, 8))
    assert middle.crop_pad((4, 4)).tolist() == [[0.0, 0.0]]


def test_a_batch_moves_as_its_members_do():
    low, sides = torch.rand(2, 3, 5, 2).unbind()
    batch = TensorBBox(torch.cat([low, low + sides], -1))
    whole = batch.dihedral(5).as_plain()
    assert whole.shape == (3, 5, 4)
    for i in range(3):
        assert torch.equal(whole[i], batch[i].dihedral(5).as_plain())


def test_a_missing_point_stays_missing_and_leaves_the_others_alone():
    there = TensorPoint.create([[float("nan")] * 2, [1, 2]])
    scaled = TensorPoint(there.as_plain() / 4)
    moved = scaled.dihedral(6).crop_pad((2, 2), (0, 0), (4, 4))
    assert moved.isnan().tolist() == [[True, True], [False, False]]


def test_boxes_without_area_are_told_from_others():
    boxes = torch.tensor([[0.0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 2], [1, 0, 0, 2]])
    assert box_is_empty(TensorBBox(boxes)).tolist() == [True, True, False, True]


def test_one_annotation_stands_for_all_that_moves_with_a_picture():
    class Count(Transform):
        def encodes(self, x: TensorTypes):  # type: ignore[valid-type]  # a tuple, as users write it
            return x + 1

    moving = (TensorPoint([[0.0, 0.0]]), TensorBBox([[0.0] * 4]), TensorMask([[0]]))
    moved = Count()((*moving, 5))
    assert [float(x.max()) for x in moved[:3]] == [1, 1, 1]
    assert moved[3] == 5


def test_the_size_of_a_sample_is_that_of_its_first_picture():
    picture = PILImage.create(np.zeros((4, 7, 3), np.uint8))
    assert picture_size((1, (picture, picture), "label")) == (7, 4)
    assert picture_size(("label", 3)) is None


def test_points_are_drawn_at_the_centre_of_their_pixel_and_missing_ones_not_at_all():
    picture = PILImage.create(np.zeros((8, 10, 3), np.uint8))
    ax = picture.show()
    limits = ax.get_xlim(), ax.get_ylim()
    TensorPoint.create([[3.5, 2.5], [float("nan")] * 2, [99, 99]]).show(ctx=ax)
    (drawn,) = ax.collections
    assert drawn.get_offsets().tolist() == [[3.0, 2.0], [98.5, 98.5]]
    assert (ax.get_xlim(), ax.get_ylim()) == limits


def test_boxes_are_drawn_with_their_labels_and_padding_is_not():
    ax = PILImage.create(np.zeros((8, 10, 3), np.uint8)).show()
    boxes = TensorBBox.create([[1, 2, 5, 6], [0, 0, 0, 0], [2, 2, 4, 4], [6, 6, 8, 8]])
    LabeledBBox(boxes, ["cat", "#na#", "dog", "cat"]).show(ctx=ax)
    drawn = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches]
    assert drawn == [(0.5, 1.5, 4, 4), (1.5, 1.5, 2, 2), (5.5, 5.5, 2, 2)]
    assert [text.get_text().strip() for text in ax.texts] == ["cat", "dog", "cat"]
    colors = [patch.get_edgecolor() for patch in ax.patches]
    assert colors[0] == colors[2] != colors[1]


def test_boxes_alone_get_axes_with_the_directions_of_a_picture():
    ax = TensorBBox.create([[1, 2, 5, 6]], img_size=(10, 8)).show()
    assert ax.get_xlim() == (-0.5, 9.5)
    assert ax.get_ylim() == (7.5, -0.5)
    assert len(ax.patches) == 1


def test_pictures_with_different_numbers_of_points_are_told_how_to_leave_some_out():
    with pytest.raises(DataError, match=r"as many points, .* rows of NaN"):
        fa_collate([TensorPoint.create([[1, 2]]), TensorPoint.create([[1, 2], [3, 4]])])


def test_pictures_with_different_numbers_of_boxes_are_told_what_pads_them():
    one, other = [[0, 0, 1, 1]], [[0, 0, 1, 1], [1, 1, 2, 2]]
    with pytest.raises(DataError, match=r"as many boxes \(bb_pad, .* or pad them"):
        fa_collate([TensorBBox.create(one), TensorBBox.create(other)])


def test_points_that_know_the_size_of_their_picture_keep_it():
    known = TensorPoint.create([[1, 2]], img_size=(8, 6))
    assert TensorPoint.create(known).img_size == (8, 6)
    assert TensorPoint.create(known, img_size=(4, 3)).img_size == (4, 3)
