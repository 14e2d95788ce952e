"""Neighbours merge: one matrix, one interpolation, one pass of colours, whoever wrote them."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from layerwise.core.data.block import DataBlock
from layerwise.core.errors import DataError
from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.core.testing.kinds import check_transform
from layerwise.core.transforms.numeric import IntToFloatTensor, Normalize
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import Transform
from layerwise.vision.augment.affine import AffineCoordTfm
from layerwise.vision.augment.color import Brightness, Contrast
from layerwise.vision.augment.crop_batch import RandomResizedCropGPU
from layerwise.vision.augment.erase import RandomErasing
from layerwise.vision.augment.geometry import Flip, Rotate, Warp, Zoom
from layerwise.vision.augment.matrix import affine_mat
from layerwise.vision.augment.one_pass import OnePass


def smooth(count=4, side=48):
    rng = torch.Generator().manual_seed(0)
    small = torch.rand(count, 3, side // 16, side // 16, generator=rng)
    return TensorImage(F.interpolate(small, (side, side), mode="bilinear"))


def my_shear(x):
    return affine_mat(1, torch.full((len(x),), 0.2), 0, 0, 1, 0)


@pytest.fixture
def sampled(monkeypatch):
    """The shapes of what was interpolated."""
    shapes = []
    original = F.grid_sample

    def noted(x, *args, **kwargs):
        shapes.append(tuple(x.shape))
        return original(x, *args, **kwargs)

    monkeypatch.setattr(F, "grid_sample", noted)
    return shapes


STEPS = {
    "two": [Rotate(30, p=1.0), Zoom(p=1.0)],
    "with a user's": [Flip(p=1.0), AffineCoordTfm(my_shear), Warp(p=1.0)],
    "with a crop": [RandomResizedCropGPU(32, 0.5), Rotate(20, p=1.0), Zoom(p=1.0)],
    "another size": [Rotate(20, p=1.0), RandomResizedCropGPU((24, 40), 0.6), Warp(p=1.0)],
}


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("name", STEPS)
def test_one_interpolation_shows_what_the_steps_would_one_by_one(name, align_corners, sampled):
    steps = [
        type(step)(**{**settings(step), "align_corners": align_corners, "pad_mode": "border"})
        for step in STEPS[name]
    ]
    x = smooth()
    with keyed(1):
        found = Pipeline(steps, split_idx=0)(x).as_plain()
    assert len(sampled) == 1
    expected = x
    with keyed(1):
        for step in steps:
            expected = step(expected, split_idx=0)
    assert found.shape == expected.shape
    differ = (found - expected.as_plain()).abs()
    # Where an earlier step of several had painted a border, one pass still has the picture.
    assert differ.flatten().quantile(0.9) < 0.02


def settings(step):
    own = {k: v for k, v in vars(step).items() if not k.startswith("_")}
    names = type(step).__init__.__wrapped__.__code__.co_varnames
    return {name: own[name] for name in names if name in own}


def test_the_matrix_of_a_pass_is_the_product_of_those_of_its_parts():
    x = TensorImage(torch.rand(3, 2, 16, 16))
    steps = [Rotate(40, p=0.8), AffineCoordTfm(my_shear), Zoom(0.7, 1.5), Warp(0.3)]
    with keyed(5):
        matrices: list[Any] = [step.matrix(x.as_plain()) for step in steps]
    product = matrices[0]
    for each in matrices[1:]:
        product = product @ each.double()
    (merged,) = Pipeline(steps, split_idx=0)
    with keyed(5):
        merged.before_call(x, 0)
    (found,) = merged._plan._route.maps
    torch.testing.assert_close(found, product)


def test_a_pipeline_merges_whatever_stands_side_by_side():
    steps = [
        Contrast(),
        Normalize([0.5], [0.5]),
        Rotate(),
        IntToFloatTensor(),
        Flip(),
        RandomErasing(),
    ]
    pipeline = Pipeline(steps)
    assert [step.name for step in pipeline] == [
        "IntToFloatTensor, Rotate, Flip, Contrast", "Normalize", "RandomErasing",
    ]  # fmt: skip
    assert repr(pipeline[0]).startswith("OnePass(IntToFloatTensor(div=255.0, div_mask=1), Rotate(")


def test_what_is_added_later_merges_too_and_in_its_order():
    pipeline = Pipeline([IntToFloatTensor(), Rotate(), Brightness()])
    pipeline.add([Zoom()])
    assert [step.name for step in pipeline] == ["IntToFloatTensor, Rotate, Zoom, Brightness"]


def test_a_step_between_keeps_them_apart():
    class Between(Transform):
        order = 35

    names = [step.name for step in Pipeline([Rotate(), Between(), Brightness()])]
    assert names == ["Rotate", "Between", "Brightness"]


def test_other_ways_of_padding_are_not_mixed_but_a_flip_needs_none(sampled):
    pipeline = Pipeline([Rotate(p=1.0, pad_mode="zeros"), Flip(p=1.0), Zoom(p=1.0)], split_idx=0)
    assert [step.name for step in pipeline] == ["Rotate, Flip", "Zoom"]
    pipeline(smooth())
    assert len(sampled) == 2
    with pytest.raises(ValueError, match=r"Rotate, Zoom cannot be done in one pass; .* same mode"):
        OnePass([Rotate(pad_mode="zeros"), Zoom()])
    with pytest.raises(ValueError, match="maps come before colours"):
        OnePass([Brightness(), Zoom()])


def test_bytes_become_floats_a_few_at_a_time_and_the_batch_stays():
    x = TensorImage(torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8))
    mask = TensorMask(torch.randint(0, 5, (5, 32, 32), dtype=torch.uint8))
    before = x.clone(), mask.clone()
    steps = [IntToFloatTensor(), Rotate(p=1.0), Contrast(p=1.0)]
    with keyed(0):
        found, codes = Pipeline(steps, split_idx=0)((x, mask))
    with keyed(0):
        expected = (x, mask)
        for step in steps:
            expected = step(expected, split_idx=0)
    torch.testing.assert_close(found.as_plain(), expected[0].as_plain(), atol=1e-5, rtol=0)
    assert torch.equal(codes, expected[1])
    assert codes.dtype == torch.long
    assert torch.equal(x, before[0])
    assert torch.equal(mask, before[1])


def test_validation_becomes_floats_and_no_more():
    x = TensorImage(torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8))
    pipeline = Pipeline([IntToFloatTensor(), Rotate(p=1.0), Contrast(p=1.0)], split_idx=1)
    assert torch.equal(pipeline(x), IntToFloatTensor()(x))
    assert pipeline.decode(TensorImage(torch.full((1, 3, 2, 2), 1.5))).unique().item() == 1.0


@pytest.mark.parametrize("count", [1, 3, 17])
def test_pictures_do_not_depend_on_how_many_are_made_at_a_time(count, monkeypatch):
    x = TensorImage(torch.rand(17, 3, 24, 24))
    pipeline = Pipeline([Rotate(p=1.0), Warp(p=1.0), Brightness(), Contrast()], split_idx=0)
    with keyed(0):
        expected = pipeline(x)
    monkeypatch.setattr("layerwise.vision.augment.plan._CACHED", count * 3 * 24 * 24 * 4)
    with keyed(0):
        found = pipeline(x)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_pictures_of_one_batch_may_shrink_by_different_factors():
    x = smooth(6, 96)
    draw = [0.25, 1.0, 0.25, 0.1, 1.0, 0.5]
    found = Zoom(0.1, 1.0, p=1.0, draw=draw, draw_x=0.5, draw_y=0.5)(x, split_idx=0).as_plain()
    for i, each in enumerate(draw):
        alone = Zoom(0.1, 1.0, p=1.0, draw=each, draw_x=0.5, draw_y=0.5)(x[i : i + 1], split_idx=0)
        torch.testing.assert_close(found[i], alone.as_plain()[0])


def test_of_one_kind_the_last_stands_in_a_block_and_functions_are_their_own():
    first = Pipeline([Flip(), Rotate(10), AffineCoordTfm(my_shear)])
    block = DataBlock(batch_tfms=[*first, Rotate(45), AffineCoordTfm(my_shear)])
    names = [(step.name, getattr(step, "max_deg", None)) for step in block.batch_tfms]
    assert names == [
        ("Flip", None), ("AffineCoordTfm", None), ("Rotate", 45), ("AffineCoordTfm", None),
    ]  # fmt: skip


def test_a_subclass_composes_like_the_others(sampled):
    class Squeeze(AffineCoordTfm):
        def matrix(self, x):
            return affine_mat(torch.full((len(x),), 1.5), 0, 0, 0, 1, 0)

    found = Pipeline([Squeeze(pad_mode="zeros"), Rotate(p=1.0, pad_mode="zeros")], split_idx=0)
    assert found(smooth()).shape == (4, 3, 48, 48)
    assert len(sampled) == 1


def test_the_contract_is_kept():
    x = TensorImage(torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8))
    step = OnePass([IntToFloatTensor(), Flip(), Rotate(), Contrast()])
    with keyed(7):
        encoded = step(x, split_idx=0)
    check_transform(step, x, decoded=encoded)


def test_nothing_of_a_batch_is_kept():
    step = Rotate(p=1.0)
    step(smooth(), split_idx=0)
    assert step._plan is None


def test_one_picture_in_place_of_a_batch_is_told_where_the_transform_belongs():
    with pytest.raises(DataError, match=r"got one picture of shape \(3, 8, 8\).*batch_tfms="):
        Flip(p=1.0)(TensorImage(torch.zeros(3, 8, 8)), split_idx=0)
