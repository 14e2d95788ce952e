"""Colours as hue, saturation and value, against `colorsys`."""

import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.tensors import TensorImage
from layerwise.vision.augment.hsv import grayscale, hsv, hsv2rgb, rgb2hsv

BYTES = st.tuples(*[st.integers(0, 255)] * 3)


def pixel(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)


@given(BYTES)
def test_there_and_back_as_in_the_standard_library(colour):
    rgb = [each / 255 for each in colour]
    found = rgb2hsv(pixel(*rgb)).flatten().tolist()
    assert found == pytest.approx(colorsys.rgb_to_hsv(*rgb), abs=1e-9)
    assert hsv2rgb(pixel(*found)).flatten().tolist() == pytest.approx(rgb, abs=1e-9)


@given(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)))
def test_any_hue_saturation_and_value_as_in_the_standard_library(values):
    expected = colorsys.hsv_to_rgb(values[0] % 1.0, *values[1:])
    assert hsv2rgb(pixel(*values)).flatten().tolist() == pytest.approx(expected, abs=1e-9)


def test_grey_is_luma_and_of_one_channel():
    x = TensorImage(torch.rand(2, 3, 4, 5))
    grey = grayscale(x)
    assert type(grey) is TensorImage
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(grey.as_plain(), (x.as_plain() * weights).sum(1, keepdim=True))


def test_hues_are_turned_and_the_rest_stays():
    x = TensorImage(torch.tensor([1.0, 0.25, 0.25]).view(1, 3, 1, 1))

    def third(values):
        values[:, 0] += 1 / 3
        return values

    found = hsv(x, third)
    assert type(found) is TensorImage
    assert found.flatten().tolist() == pytest.approx([0.25, 1.0, 0.25], abs=1e-6)
    assert x.flatten().tolist() == [1.0, 0.25, 0.25]


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="colours need red, green and blue"):
        rgb2hsv(torch.zeros(1, 1, 2, 2))
