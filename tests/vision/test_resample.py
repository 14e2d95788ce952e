"""Boxes at sizes, and what is painted beyond the edge."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from layerwise.vision import resample
from layerwise.vision.resample import PadMode, padded_crop, resize_region


def picture(width=60, height=40):
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def pixels(x):
    return np.asarray(x if isinstance(x, Image.Image) else x.decode()).astype(int)


@pytest.mark.parametrize("size", [(20, 20), (7, 33), (90, 50), (60, 40), (1, 1)])
@pytest.mark.parametrize("kind", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_a_whole_picture_is_resized_as_pillow_does_within_two_levels(size, kind):
    found = pixels(resize_region(picture(), (0, 0, 60, 40), size, kind))
    expected = pixels(picture().resize(size, kind))
    assert found.shape == expected.shape
    # Both round to bytes after each of two passes.
    assert abs(found - expected).max() <= 2


def test_without_vector_instructions_pillow_does_it(monkeypatch):
    monkeypatch.setattr(resample, "_torch_is_faster", lambda: False)
    found = resize_region(picture(), (3, 4, 43, 34), (20, 10))
    assert np.array_equal(found, picture().resize((20, 10), 2, (3, 4, 43, 34)))


def test_fractions_of_a_pixel_count():
    found = resize_region(picture(), (3.5, 4.25, 43, 34), (20, 10))
    assert np.array_equal(found, picture().resize((20, 10), 2, (3.5, 4.25, 43, 34)))


def test_nearest_keeps_codes_apart():
    codes = Image.fromarray(np.kron(np.array([[0, 200]], np.uint8), np.ones((10, 10), np.uint8)))
    found = pixels(resize_region(codes, (0, 0, 20, 10), (7, 3), Image.Resampling.NEAREST))
    assert set(found.flatten()) == {0, 200}


def test_a_box_at_its_own_size_is_a_crop():
    found = resize_region(picture(), (5, 6, 25, 16), (20, 10))
    assert np.array_equal(found, picture().crop((5, 6, 25, 16)))


@given(
    left=st.integers(-70, 70),
    upper=st.integers(-70, 70),
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    mode=st.sampled_from([PadMode.Zeros, PadMode.Border, PadMode.Reflection]),
)
def test_padding_equals_that_of_numpy(left, upper, width, height, mode):
    image = picture(12, 9)
    found = np.asarray(padded_crop(image, (left, upper), (width, height), mode))
    name: Any = {"zeros": "constant", "border": "edge", "reflection": "reflect"}[mode]
    far = np.pad(np.asarray(image), ((160, 160), (160, 160), (0, 0)), mode=name)
    assert np.array_equal(
        found, far[160 + upper : 160 + upper + height, 160 + left : 160 + left + width]
    )


def test_an_unknown_way_of_padding_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'reflection'"):
        padded_crop(picture(), (-1, 0), (9, 9), "reflect")
