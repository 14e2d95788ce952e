"""Crops and turns of one picture: where they come from, and that masks move along."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from layerwise.core.errors import DataError
from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.vision.augment.crop import CropPad, OldRandomCrop, RandomCrop
from layerwise.vision.augment.geometry import Rotate
from layerwise.vision.augment.item import (
    DihedralItem,
    FlipItem,
    RandomResizedCrop,
    Resize,
    ResizeMethod,
)
from layerwise.vision.resample import PadMode
from layerwise.vision.types import PILImage, PILMask

TRAIN, VALID = 0, 1


def coordinates(width=64, height=48):
    """A picture whose red is its x and whose green is its y, twice over."""
    x, y = np.meshgrid(np.arange(width) * 2, np.arange(height) * 2)
    return PILImage.create(np.stack([x, y, 0 * x], -1).astype(np.uint8))


def halves(width=64, height=48):
    """A picture and the mask of its right half."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 7
    image = np.repeat(mask[..., None] // 7 * 200, 3, -1)
    return PILImage.create(image), PILMask.create(mask)


ALL = {
    "Resize": Resize(32),
    "squish": Resize((20, 40), ResizeMethod.Squish),
    "pad": Resize(32, ResizeMethod.Pad),
    "RandomResizedCrop": RandomResizedCrop(32),
    "RandomCrop": RandomCrop(32),
    "CropPad": CropPad(40),
    "FlipItem": FlipItem(p=1.0),
    "DihedralItem": DihedralItem(),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("split", [TRAIN, VALID])
def test_a_mask_moves_with_its_picture(name, split):
    for number in range(8):
        with keyed(number):
            image, mask = ALL[name](halves(), split_idx=split)
        assert image.size == mask.size
        assert (type(image), type(mask)) == (PILImage, PILMask)
        codes = np.asarray(mask)
        assert set(np.unique(codes)) <= {0, 7}, "codes are not mixed"
        bright = np.asarray(image)[..., 0] > 100
        assert (bright != (codes == 7)).mean() < 0.06


NO_SIZES = [
    "64",
    48.0,
    np.float32(48),
    np.array(48),
    torch.tensor(48),
    (1, 2, 3),
    (32, "32"),
    (32.5, 32),
]


@pytest.mark.parametrize("size", NO_SIZES, ids=repr)
@pytest.mark.parametrize("kind", [Resize, RandomResizedCrop, RandomCrop, CropPad, Rotate])
def test_a_size_that_is_none_is_refused_with_what_to_give(kind, size):
    with pytest.raises(
        ValueError, match=r"size=.*; give one number of pixels, or \(height, width\)"
    ):
        kind(size=size)


def test_numbers_of_numpy_are_sizes():
    assert Resize(np.int64(4))(coordinates(), split_idx=1).size == (4, 4)
    assert Resize(np.array([4, 6]))(coordinates(), split_idx=1).size == (6, 4)


@pytest.mark.parametrize("kind", [Resize, OldRandomCrop, CropPad])
def test_a_misspelt_padding_is_refused_when_it_is_given(kind):
    with pytest.raises(ValueError, match=r"pad_mode='reflect'.*Did you mean 'reflection'"):
        kind(32, pad_mode="reflect")


@pytest.mark.parametrize("name", ALL)
def test_the_same_key_gives_the_same_crop_and_another_key_another(name):
    def run(*key):
        with keyed(*key):
            return np.asarray(ALL[name](coordinates(), split_idx=TRAIN)).tobytes()

    assert run(1, 2, 3) == run(1, 2, 3)
    if name not in ("squish", "CropPad", "FlipItem"):
        assert len({run(1, 2, n) for n in range(10)}) > 1


@pytest.mark.parametrize("name", ALL)
def test_validation_takes_nothing_from_any_generator(name):
    state = torch.get_rng_state()
    first = np.asarray(ALL[name](coordinates(), split_idx=VALID))
    second = np.asarray(ALL[name](coordinates(), split_idx=VALID))
    assert np.array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ALL)
def test_all_pickle(name):
    copy = pickle.loads(pickle.dumps(ALL[name]))
    with keyed(3):
        expected = ALL[name](coordinates(), split_idx=TRAIN)
    with keyed(3):
        assert np.array_equal(copy(coordinates(), split_idx=TRAIN), expected)


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    target=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    method=st.sampled_from(["crop", "pad", "squish"]),
    split=st.sampled_from([TRAIN, VALID]),
)
def test_any_picture_comes_at_the_size(width, height, target, method, split):
    image = PILImage.create(np.zeros((height, width, 3), np.uint8))
    assert Resize(target, method)(image, split_idx=split).shape == target
    assert RandomResizedCrop(target)(image, split_idx=split).shape == target
    assert RandomCrop(target)(image, split_idx=split).shape == target
    assert CropPad(target)(image, split_idx=split).shape == target


def test_resize_crops_the_middle_in_validation():
    found = np.asarray(Resize(48)(coordinates(), split_idx=VALID))
    assert np.array_equal(found, np.asarray(coordinates())[:, 8:56])


def test_resize_crops_anywhere_along_the_longer_side_in_training():
    lefts = set()
    for number in range(200):
        with keyed(number):
            found = np.asarray(Resize(48)(coordinates(), split_idx=TRAIN))
        assert found[0, 0, 1] == 0
        lefts.add(int(found[0, 0, 0]) // 2)
    assert lefts == set(range(17)), "every offset from 0 to 64 - 48"


def test_resize_pads_evenly_with_what_is_asked_for():
    image = PILImage.create(np.full((24, 48, 3), 100, np.uint8))
    found = np.asarray(Resize(48, "pad", PadMode.Zeros)(image, split_idx=VALID))
    assert (found[:12] == 0).all()
    assert (found[12:36] == 100).all()
    assert (found[36:] == 0).all()
    mirrored = np.asarray(Resize(48, "pad")(coordinates(48, 24), split_idx=VALID))
    assert np.array_equal(mirrored[11], mirrored[13]), "reflected at the first row of the picture"


def test_a_size_is_height_and_width():
    assert Resize((20, 30))(coordinates()).size == (30, 20)


def test_random_resized_crop_draws_area_and_proportions_within_bounds():
    crop = RandomResizedCrop(16, min_scale=0.2, max_scale=0.6, ratio=(0.5, 2.0))
    areas = []
    for number in range(200):
        with keyed(number):
            crop(coordinates(), split_idx=TRAIN)
        left, upper, right, lower = crop._box
        assert 0 <= left < right <= 64
        assert 0 <= upper < lower <= 48
        areas.append((right - left) * (lower - upper) / (64 * 48))
        assert 0.45 <= (right - left) / (lower - upper) <= 2.2
    assert 0.18 <= min(areas) < 0.25
    assert 0.5 < max(areas) <= 0.62


def test_random_resized_crop_gives_up_on_proportions_a_picture_cannot_have():
    crop = RandomResizedCrop(8, min_scale=0.9)
    crop(PILImage.create(np.zeros((4, 400, 3), np.uint8)), split_idx=TRAIN)
    left, upper, right, lower = crop._box
    assert (right - left, lower - upper) == (5, 4)
    assert left == 197


def test_random_resized_crop_leaves_the_margin_out_in_validation():
    # 32 + 8 (14 % of 32, rounded up to a multiple of 8): a fifth of each side is left out.
    crop = RandomResizedCrop(32)
    crop(PILImage.create(np.zeros((100, 200, 3), np.uint8)), split_idx=VALID)
    assert crop._box == (20, 10, 180, 90)


def test_the_crop_of_a_jpeg_equals_that_of_its_pixels(jpeg):
    with Image.open(jpeg) as opened:
        decoded = PILImage.create(opened.convert("RGB"))
    for transform in (Resize(100), RandomResizedCrop(100, min_scale=0.5)):
        with keyed(1):
            fast = np.asarray(transform(PILImage.create(jpeg), split_idx=TRAIN), float)
        with keyed(1):
            slow = np.asarray(transform(decoded, split_idx=TRAIN), float)
        assert 10 * np.log10(255**2 / ((fast - slow) ** 2).mean()) > 45


def test_a_member_of_another_size_is_cut_in_proportion():
    image, mask = coordinates(64, 48), PILMask.create(np.zeros((24, 32), np.uint8))
    crop = RandomResizedCrop(16)
    with keyed(0):
        cut = crop((image, mask), split_idx=TRAIN)
    assert cut[1].size == (16, 16)


def test_flips_take_tensors_too():
    x = TensorImage(torch.arange(4.0).view(1, 2, 2))
    assert FlipItem(p=1.0)(x, split_idx=TRAIN).tolist() == [[[1.0, 0.0], [3.0, 2.0]]]


def test_flip_happens_as_often_as_asked_and_in_training_alone():
    plain = np.asarray(coordinates())
    flip = FlipItem(p=0.25)
    turned = 0
    for number in range(400):
        with keyed(number):
            turned += not np.array_equal(flip(coordinates(), split_idx=TRAIN), plain)
    assert 60 < turned < 140
    assert np.array_equal(flip(coordinates(), split_idx=VALID), plain)


def test_a_sample_without_a_picture_is_told_so():
    with pytest.raises(DataError, match="no picture to crop in a sample of str, int"):
        Resize(3)(("a", 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resize(0), "size=0; a picture has one pixel"),
        (lambda: Resize(3, "squash"), "Did you mean 'squish'"),
        (lambda: RandomResizedCrop(3, min_scale=0), "shares of the area go from above 0"),
        (lambda: RandomResizedCrop(3, ratio=(2, 1)), "give least and largest"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_settings_show_and_draws_do_not():
    transform = Resize(8)
    transform(coordinates(), split_idx=TRAIN)
    assert "box" not in repr(transform)
    assert "method='crop'" in repr(Pipeline([transform]))


def test_a_mask_of_other_proportions_is_not_squished_over_its_picture():
    picture = PILImage.create(np.zeros((96, 128, 3), np.uint8))
    with pytest.raises(DataError, match="a mask of 30x30 for a picture of 128x96"):
        Resize(32)((picture, PILMask.create(np.zeros((30, 30), np.uint8))), split_idx=1)
    # A third of the size, rounded.
    third = PILMask.create(np.zeros((32, 43), np.uint8))
    assert [x.size for x in Resize(32)((picture, third), split_idx=1)] == [(32, 32)] * 2


@pytest.mark.parametrize("cut", [Resize(16), RandomResizedCrop(16)], ids=["resize", "crop"])
def test_what_works_on_one_picture_refuses_a_batch(cut):
    with pytest.raises(DataError, match=r"item_tfms=.*aug_transforms\(size="):
        cut(TensorImage(torch.zeros(2, 3, 48, 48)), split_idx=0)
