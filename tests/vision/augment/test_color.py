"""Brightness, contrast, saturation and hue against closed forms; several of them as one."""

import colorsys
import math

import pytest
import torch

from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage, TensorImageBase, TensorImageBW, TensorMask
from layerwise.core.testing.kinds import check_transform
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.vision.augment.color import (
    Brightness,
    Contrast,
    HSVTfm,
    Hue,
    LightingTfm,
    Saturation,
    SpaceTfm,
    lighting,
)

X = TensorImage(torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05)


def logit(p):
    return math.log(p / (1 - p))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Brightness(p=1.0, draw=0.7), lambda p: sigmoid(logit(p) + logit(0.7))),
        (Contrast(p=1.0, draw=1.5), lambda p: sigmoid(1.5 * logit(p))),
        (Saturation(p=1.0, draw=3.0), lambda p: p),  # of a grey
    ],
    ids=["brightness", "contrast", "saturation"],
)
def test_a_grey_becomes_what_the_formula_says(step, expected):
    x = TensorImage(torch.full((2, 3, 1, 1), 0.4))
    assert step(x, split_idx=0).flatten().tolist() == pytest.approx([expected(0.4)] * 6, abs=1e-6)


def test_saturation_mixes_logits_with_their_grey():
    colour = [0.2, 0.5, 0.7]
    grey = sum(w * logit(c) for w, c in zip((0.299, 0.587, 0.114), colour, strict=True))
    x = TensorImage(torch.tensor(colour).view(1, 3, 1, 1))
    for factor in (0.0, 0.5, 1.5):
        found = Saturation(p=1.0, draw=factor)(x, split_idx=0).flatten().tolist()
        expected = [sigmoid(factor * logit(c) + (1 - factor) * grey) for c in colour]
        assert found == pytest.approx(expected, abs=1e-6)


def test_hues_turn_around_the_circle():
    x = TensorImage(torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1))
    found = Hue(p=1.0, draw=0.6)(x, split_idx=0).flatten().tolist()
    h, s, v = colorsys.rgb_to_hsv(0.2, 0.5, 0.7)
    assert found == pytest.approx(colorsys.hsv_to_rgb((h + 0.6) % 1, s, v), abs=1e-6)


def test_black_and_white_stay_near_what_they_were():
    x = TensorImage(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).repeat(1, 3, 2, 2))
    found = Brightness(p=1.0, draw=0.6)(x, split_idx=0)
    assert (found - x).abs().max() < 1e-6


@pytest.mark.parametrize(
    "steps",
    [
        [Brightness(0.3, p=0.8), Contrast(0.4, p=0.8)],
        [Saturation(0.5, p=0.8), Brightness(0.3, p=0.8), Saturation(0.6), Contrast(0.4, p=0.8)],
        [Hue(0.2), Hue(0.1), Brightness(), Hue()],
        [Contrast(), LightingTfm(lambda z: z * 0.5), Brightness()],
        [HSVTfm(lambda v: v * 0.9), SpaceTfm(lambda v: v, lambda x, f: f(x * 1.0)), Saturation()],
    ],
    ids=["two", "with grey", "hues", "a function between", "three spaces"],
)
def test_one_pass_shows_what_the_steps_would_one_by_one(steps):
    pipeline = Pipeline(steps, split_idx=0)
    assert len(pipeline) == 1
    with keyed(4):
        found = pipeline(X)
    expected = X
    with keyed(4):
        for step in steps:
            expected = step(expected, split_idx=0)
    torch.testing.assert_close(found.as_plain(), expected.as_plain(), atol=2e-5, rtol=0)


def test_logits_are_taken_once_for_all_that_stand_on_them(monkeypatch):
    calls = []
    original = torch.Tensor.logit_

    def noted(x, eps):
        calls.append(x.shape)
        return original(x, eps)

    monkeypatch.setattr(torch.Tensor, "logit_", noted)
    Pipeline([Brightness(p=1.0), Contrast(p=1.0), Saturation(p=1.0)], split_idx=0)(X)
    assert calls.count(X.shape) == 1


@pytest.mark.parametrize("make", [Brightness, Contrast, Saturation, Hue])
def test_each_picture_has_a_change_of_its_own_with_probability_p(make):
    x = TensorImage(torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1).repeat(500, 1, 1, 1))
    with keyed(1):
        found = make(0.2, p=0.3)(x, split_idx=0).as_plain()
    changed = (found - x.as_plain()).abs().amax((1, 2, 3)) > 1e-5
    assert abs(changed.float().mean() - 0.3) < 0.07
    assert found[changed].flatten(1).unique(dim=0).shape[0] > 100
    with keyed(1):
        alike = make(0.2, p=1.0, batch=True)(x, split_idx=0).as_plain()
    assert alike.flatten(1).unique(dim=0).shape[0] == 1
    assert torch.equal(make(p=1.0)(x, split_idx=1), x)


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_p_holds_for_functions_of_users(p):
    x = TensorImage(torch.full((300, 3, 1, 1), 0.4))
    with keyed(1):
        found = LightingTfm(lambda z: z.mul_(2), p=p)(x, split_idx=0).as_plain()
    assert abs((found < 0.39).float().mean() - p) < 0.12


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_saturation_and_hue_leave_pictures_of_other_channels(channels):
    x = TensorImageBase(torch.rand(2, channels, 4, 4) * 0.9 + 0.05)
    for step in (Saturation(0.5, p=1.0), Hue(0.5, p=1.0)):
        torch.testing.assert_close(step(x, split_idx=0).as_plain(), x.as_plain())
    grey = TensorImageBW(torch.full((2, 1, 4, 4), 0.5))
    assert Brightness(p=1.0, draw=0.7)(grey, split_idx=0).unique().item() == pytest.approx(0.7)


def test_bytes_are_changed_as_shares_of_255_and_codes_never():
    x = TensorImage(torch.full((1, 3, 2, 2), 102, dtype=torch.uint8))
    mask = TensorMask(torch.ones(1, 2, 2, dtype=torch.long))
    found, codes = Brightness(p=1.0, draw=0.7)((x, mask), split_idx=0)
    assert found.unique().tolist() == [round(255 * sigmoid(logit(0.4) + logit(0.7)))]
    assert codes is mask
    with pytest.raises(ValueError, match="colours of int64 numbers; put IntToFloatTensor before"):
        Brightness(p=1.0)(TensorImage(torch.ones(1, 3, 2, 2, dtype=torch.long)), split_idx=0)


def test_half_precision_keeps_its_type_and_the_dark():
    x = TensorImage(torch.rand(1, 3, 4, 4).half())
    found = Contrast(p=1.0, draw=1.0)(x, split_idx=0)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.as_plain(), x.as_plain(), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "make",
    [Brightness, Contrast, Saturation, Hue, lambda: LightingTfm(abs), lambda: HSVTfm(torch.sin)],
    ids=["brightness", "contrast", "saturation", "hue", "lighting", "hsv"],
)
def test_transforms_keep_the_contract(make):
    check_transform(make(), X)


def test_lighting_leaves_what_comes_in():
    before = X.clone()
    assert type(lighting(X, lambda z: z.add_(1))) is TensorImage
    assert torch.equal(X, before)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"max_lighting=1.5; give a share"):
        Brightness(1.5)
    with pytest.raises(TypeError, match="Did you mean 'max_lighting'"):
        Contrast(max_light=0.2)  # type: ignore[call-arg]  # misspelt
