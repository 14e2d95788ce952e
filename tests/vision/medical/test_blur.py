"""Blurring against scipy; masks, boxes and crops of boxes by hand."""

import numpy as np
import pytest
import torch

from layerwise.vision.medical.blur import (
    crop_resize,
    gauss_blur2d,
    mask2bbox,
    mask_from_blur,
    uniform_blur2d,
)
from layerwise.vision.medical.dataset import dcmread

ndimage = pytest.importorskip("scipy.ndimage")


@pytest.fixture(scope="module")
def noise():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(3, 17, 23))).float()


@pytest.mark.parametrize("s", [1, 2, 3, 4, 7, 40])
def test_a_uniform_blur_is_that_of_scipy(noise, s):
    expected = [ndimage.uniform_filter(x, s, mode="constant") for x in noise.numpy()]
    np.testing.assert_allclose(uniform_blur2d(noise, s).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("s", "radius"), [(2.0, 6), (4.0, None), (9.5, None), (1.0, 4)])
def test_a_gaussian_blur_is_that_of_scipy(noise, s, radius):
    reach = int(s / 4) if radius is None else radius
    expected = [ndimage.gaussian_filter(x, s, mode="nearest", radius=reach) for x in noise.numpy()]
    np.testing.assert_allclose(gauss_blur2d(noise, s, radius=radius).numpy(), expected, atol=1e-5)


def test_one_picture_is_blurred_as_one_of_several(noise):
    torch.testing.assert_close(uniform_blur2d(noise[1], 5), uniform_blur2d(noise, 5)[1])
    torch.testing.assert_close(gauss_blur2d(noise[1], 5.0), gauss_blur2d(noise, 5.0)[1])


def test_the_box_of_a_mask_is_where_numpy_finds_it_and_cuts_all_of_it_out():
    rng = np.random.default_rng(3)
    masks = torch.from_numpy(rng.random((20, 9, 12)) > 0.97)
    boxes = mask2bbox(masks)
    assert boxes.shape == (2, 2, 20)
    for i, mask in enumerate(masks):
        rows, columns = np.nonzero(mask.numpy())
        if not len(rows):
            assert boxes[..., i].tolist() == [[0, 0], [9, 12]]
            continue
        expected = [[rows.min(), columns.min()], [rows.max() + 1, columns.max() + 1]]
        assert boxes[..., i].tolist() == expected
        lo, hi = mask2bbox(mask)
        assert mask[lo[0] : hi[0], lo[1] : hi[1]].sum() == mask.sum()


def test_the_mask_of_a_head_holds_the_head_and_not_the_air(head):
    ct = dcmread(head[12])
    mask = ct.mask_from_blur((80, 40))
    brain = (ct.scaled_px > 20) & (ct.scaled_px < 45)
    assert (mask & brain).sum() > 0.9 * brain.sum()
    corners = mask[:10, :10] | mask[-10:, -10:]
    assert not corners.any()
    assert torch.equal(mask, mask_from_blur(ct.scaled_px, (80, 40)))


def test_a_crop_of_a_square_box_at_its_own_size_is_the_slice():
    x = torch.arange(2 * 8 * 8, dtype=torch.float32).view(2, 8, 8)
    boxes = torch.tensor([[[2, 0], [3, 4]], [[6, 4], [7, 8]]])  # rows and columns of two boxes
    found = crop_resize(x, boxes, 4)
    torch.testing.assert_close(found[0, 0], x[0, 2:6, 3:7])
    torch.testing.assert_close(found[1, 0], x[1, 0:4, 4:8])


def test_a_long_box_becomes_a_square_that_stays_in_the_picture():
    x = torch.arange(100, dtype=torch.float32).view(1, 10, 10)
    boxes = torch.tensor([[[8], [1]], [[10], [7]]])  # two rows at the bottom, six columns
    torch.testing.assert_close(crop_resize(x, boxes, 6)[0, 0], x[0, 4:10, 1:7])


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match=r"\(2, 2, B\)"):
        crop_resize(torch.zeros(2, 8, 8), torch.zeros(2, 2, 1), 4)
    with pytest.raises(ValueError, match=r"give \(H, W\)"):
        uniform_blur2d(torch.zeros(1, 1, 4, 4), 3)
    with pytest.raises(ValueError, match="s=0"):
        uniform_blur2d(torch.zeros(4, 4), 0)
