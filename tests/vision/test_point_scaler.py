"""From pixels to -1 to 1 and back."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.dataset import Datasets
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.category import get_c
from layerwise.vision.coords import TensorBBox, TensorPoint
from layerwise.vision.point_scaler import PointScaler, TensorPointCreate
from layerwise.vision.types import PILImage

places = st.floats(-50, 50, width=32)


def picture(width=12, height=8):
    return PILImage.create(np.zeros((height, width, 3), np.uint8))


def test_edges_become_minus_one_and_one():
    points = TensorPoint.create([[0, 0], [12, 8], [6, 4], [3, 8]])
    _, scaled = PointScaler()((picture(), points))
    assert scaled.tolist() == [[-1, -1], [1, 1], [0, 0], [-0.5, 1]]
    assert not scaled.in_pixels
    assert scaled.img_size == (12, 8)


@given(st.lists(st.tuples(places, places), max_size=4), st.integers(1, 40), st.integers(1, 40))
def test_back_and_forth_changes_nothing(rows, width, height):
    points = TensorPoint.create(np.array(rows, float).reshape(-1, 2))
    scaler = PointScaler()
    there = scaler((picture(width, height), points))
    _, back = scaler.decode(there)
    assert torch.allclose(back.as_plain(), points.as_plain(), atol=1e-4)
    assert back.in_pixels


def test_boxes_scale_by_both_corners():
    _, scaled = PointScaler()((picture(), TensorBBox.create([[0, 2, 6, 8]])))
    assert type(scaled) is TensorBBox
    assert scaled.tolist() == [[-1, -0.5, 0, 1]]


def test_coordinates_may_come_with_y_first():
    scaler = PointScaler(y_first=True)
    sample = scaler((picture(), TensorPoint.create([[2, 3]])))
    assert sample[1].tolist() == [[-0.5, -0.5]]
    assert scaler.decode(sample)[1].tolist() == [[3, 2]], "decoded with x first"


def test_coordinates_that_are_scaled_already_are_only_decoded():
    scaler = PointScaler(do_scale=False)
    sample = scaler((picture(), TensorPoint.create([[0.5, -1]])))
    assert sample[1].tolist() == [[0.5, -1]]
    assert scaler.decode(sample)[1].tolist() == [[9, 0]]


def test_a_row_of_numbers_from_a_model_is_decoded_as_points():
    image = TensorImage(torch.zeros(3, 8, 12))
    _, decoded = PointScaler().decode((image, TensorPoint(torch.tensor([-1.0, -1, 1, 0]))))
    assert decoded.tolist() == [[0, 0], [12, 4]]


def test_points_without_a_picture_know_its_size_themselves_or_say_so():
    alone = TensorPoint.create([[3, 4]], img_size=(12, 8))
    assert PointScaler()(alone).tolist() == [[-0.5, 0.0]]
    with pytest.raises(DataError, match="img_size="):
        PointScaler()(TensorPoint.create([[3, 4]]))


def test_what_is_no_point_passes_unchanged():
    sample = (picture(), 3, "label")
    assert PointScaler()(sample) == sample


def test_the_scaler_counts_the_numbers_of_a_target():
    steps = [[lambda _: picture()], [lambda i: [[i, 1], [2, 3], [4, 5]], TensorPointCreate()]]
    dsets = Datasets([0, 1, 2, 3], steps, splits=[[0, 1], [2, 3]])
    dls = dsets.dataloaders(bs=2, after_item=[PointScaler], num_workers=0)
    assert get_c(dls) == 6


def test_the_scaler_stands_before_what_crops_and_turns():
    from layerwise.vision.augment.crop import CropPad
    from layerwise.vision.augment.item import DihedralItem, FlipItem, Resize

    for later in (CropPad(4), Resize(4), FlipItem(), DihedralItem()):
        assert PointScaler().order < later.order
