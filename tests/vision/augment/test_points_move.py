"""A dot in a picture, its point, its box and its mask: each transform moves them as one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.errors import DataError
from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.core.transforms.numeric import ToTensor
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.vision.augment.crop import CropPad, OldRandomCrop, RandomCrop
from layerwise.vision.augment.item import (
    DihedralItem,
    FlipItem,
    RandomResizedCrop,
    RatioResize,
    Resize,
    ResizeMethod,
)
from layerwise.vision.coords import TensorBBox, TensorPoint
from layerwise.vision.point_scaler import PointScaler
from layerwise.vision.resample import PadMode
from layerwise.vision.types import PILImage, PILMask

TRAIN, VALID = 0, 1
RADIUS = 6  # of the dot, so that a resized one still has a middle

ZEROS = PadMode.Zeros
ALL = {
    "Resize crop": Resize(64),
    "Resize squish": Resize((40, 70), ResizeMethod.Squish),
    "Resize pad": Resize(64, ResizeMethod.Pad, pad_mode=ZEROS),
    "Resize pad odd": Resize((37, 53), ResizeMethod.Pad, pad_mode=ZEROS),
    "RandomResizedCrop": RandomResizedCrop(64, min_scale=0.5),
    "RandomCrop": RandomCrop(90),
    "RandomCrop padded": RandomCrop(200),
    "OldRandomCrop": OldRandomCrop(120),
    "CropPad": CropPad(100),
    "CropPad odd": CropPad((301, 203)),
    "FlipItem": FlipItem(1.0),
    "DihedralItem": DihedralItem(),
    "RatioResize": RatioResize(77),
}


def dot(width, height, x, y):
    """A picture with a white square, the point in its middle, its box and its mask."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[y - RADIUS : y + RADIUS + 1, x - RADIUS : x + RADIUS + 1] = 255
    box = [x - RADIUS, y - RADIUS, x + RADIUS + 1, y + RADIUS + 1]
    return (
        PILImage.create(np.repeat(pixels[..., None], 3, -1)),
        TensorPoint.create([[x + 0.5, y + 0.5]]),
        TensorBBox.create([box]),
        PILMask.create(pixels // 255),
    )


def middle(pixels):
    """x, y of the mean of what is bright, in the coordinates of points."""
    weights = np.asarray(pixels, float)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return np.array([(weights * x).sum(), (weights * y).sum()]) / weights.sum()


def is_whole(box, size):
    left, upper, right, lower = box
    return left >= 1 and upper >= 1 and right <= size[0] - 1 and lower <= size[1] - 1


@pytest.mark.parametrize("split", [TRAIN, VALID])
@pytest.mark.parametrize("name", ALL)
def test_a_dot_its_point_and_its_box_agree(name, split):
    seen = 0
    for number in range(25):
        rng = np.random.default_rng(number)
        width, height = (int(n) for n in rng.integers(60, 260, 2))
        x, y = int(rng.integers(12, width - 12)), int(rng.integers(12, height - 12))
        with keyed(number):
            moved = ALL[name](PointScaler()(dot(width, height, x, y)), split_idx=split)
        image, point, box, mask = PointScaler().decode(moved)
        if not is_whole(box[0].tolist(), image.size):
            continue  # the middle of what is left of the dot is another
        seen += 1
        found = middle(np.asarray(image)[..., 0])
        assert np.abs(found - point[0].numpy()).max() < 0.1
        sides = box[0].as_plain()
        assert np.abs(found - (sides[:2] + sides[2:]).numpy() / 2).max() < 0.1
        assert np.abs(middle(mask) - found).max() <= 0.5, "masks have no fractions of a pixel"
        area = np.asarray(image)[..., 0].sum() / 255
        assert area == pytest.approx(float((sides[2:] - sides[:2]).prod()), rel=0.05)
    assert seen >= 5


@settings(max_examples=30)
@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 10**6))
def test_a_crop_of_points_is_arithmetic_of_pixels(width, height, key):
    image = PILImage.create(np.zeros((height, width, 3), np.uint8))
    points = TensorPoint.create([[0, 0], [width, height], [3.5, 7.5]])
    crop = RandomCrop((31, 23))
    with keyed(key):
        moved = crop(PointScaler()((image, points)), split_idx=TRAIN)
    _, after = PointScaler().decode(moved)
    shift = points.as_plain() - after.as_plain()
    assert torch.allclose(shift, shift[:1].expand(3, 2), atol=1e-3), "all move by one corner"
    assert torch.allclose(shift, shift.round(), atol=1e-3), "which is a pixel"


def test_a_jpeg_that_is_decoded_smaller_takes_its_points_along(jpeg):
    image = PILImage.create(jpeg)
    points = TensorPoint.create([[0, 0], [1200, 800], [600, 400]])
    _, moved = Resize(100, ResizeMethod.Squish)(PointScaler()((image, points)), split_idx=VALID)
    assert moved.tolist() == [[-1, -1], [1, 1], [0, 0]]


def test_mirroring_twice_is_as_it_was():
    sample = PointScaler()(dot(60, 40, 20, 15))
    again = FlipItem(1.0)(FlipItem(1.0)(sample, split_idx=TRAIN), split_idx=TRAIN)
    assert torch.equal(again[1].as_plain(), sample[1].as_plain())
    assert torch.equal(again[2].as_plain(), sample[2].as_plain())


@pytest.mark.parametrize("transform", [FlipItem(1.0), DihedralItem()], ids=["flip", "dihedral"])
def test_tensors_turn_as_pictures_do(transform):
    sample = dot(40, 40, 25, 14)
    with keyed(3):
        image, point, _, mask = transform(PointScaler()(sample), split_idx=TRAIN)
    with keyed(3):
        turned = transform(ToTensor()(PointScaler()(sample)), split_idx=TRAIN)
    assert (type(turned[0]), type(turned[3])) == (TensorImage, TensorMask)
    assert turned[0].permute(1, 2, 0).numpy().tolist() == np.asarray(image).tolist()
    assert turned[3].numpy().tolist() == np.asarray(mask).tolist()
    assert torch.equal(turned[1].as_plain(), point.as_plain())


@pytest.mark.parametrize("transform", [RandomCrop(20), CropPad(20)], ids=["RandomCrop", "CropPad"])
def test_a_mask_of_another_size_cannot_be_cut_at_the_same_pixels(transform):
    image, mask = PILImage.create(np.zeros((40, 60, 3))), PILMask.create(np.zeros((20, 30)))
    with pytest.raises(DataError, match=r"PILMask of 30 x 20 .* picture of 60 x 40.*Resize"):
        transform((image, mask), split_idx=TRAIN)


@pytest.mark.parametrize("transform", [Resize(20), RandomCrop(20)], ids=["Resize", "RandomCrop"])
def test_points_do_not_move_without_their_picture(transform):
    tensors = ToTensor()(PointScaler()(dot(40, 40, 25, 14)))
    with pytest.raises(DataError, match="points must not move alone"):
        transform(tensors, split_idx=TRAIN)


def test_a_mask_of_another_size_is_resized_with_its_picture():
    image, mask = PILImage.create(np.zeros((40, 60, 3))), PILMask.create(np.zeros((20, 30)))
    for part in Resize(16)((image, mask), split_idx=TRAIN):
        assert part.size == (16, 16)


@pytest.mark.parametrize("size", [(120, 80), (80, 120), (100, 100), (3, 300)])
def test_the_longer_side_gets_the_size_that_is_asked_for(size):
    image = PILImage.create(np.zeros((size[1], size[0], 3), np.uint8))
    made = RatioResize(60)(image)
    assert max(made.size) == 60
    expected = (max(1, round(60 * size[0] / max(size))), max(1, round(60 * size[1] / max(size))))
    assert made.size == expected


def test_an_old_random_crop_is_anywhere_in_training_and_in_the_middle_in_validation():
    x, y = np.meshgrid(np.arange(64), np.arange(48))
    image = PILImage.create(np.stack([x, y, 0 * x], -1).astype(np.uint8))
    corners = set()
    for number in range(20):
        with keyed(number):
            corners.add(OldRandomCrop(16)(image, split_idx=TRAIN).getpixel((0, 0))[:2])
    assert len(corners) > 10
    assert OldRandomCrop(16)(image, split_idx=VALID).getpixel((0, 0))[:2] == (24, 16)


def test_in_a_pipeline_points_are_scaled_first_whatever_the_order_given():
    steps = Pipeline([FlipItem(1.0), CropPad(50), Resize(20), PointScaler()], split_idx=TRAIN)
    image, point, _, _ = steps(dot(80, 60, 30, 30))
    bright = middle(np.asarray(image)[..., 0])
    decoded = PointScaler().decode((image, point))[1][0].numpy()
    assert np.abs(bright - decoded).max() < 0.1
