"""Pictures, masks, points and boxes move as one, whoever wrote the map."""

import functools

import pytest
import torch

from layerwise.core.random import generator, keyed
from layerwise.core.tensors import TensorImage, TensorImageBase, TensorMask
from layerwise.core.testing.kinds import check_transform
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.vision.augment.affine import AffineCoordTfm
from layerwise.vision.augment.crop_batch import RandomResizedCropGPU
from layerwise.vision.augment.geometry import Dihedral, Flip, Rotate, Warp, Zoom
from layerwise.vision.augment.matrix import affine_mat
from layerwise.vision.augment.recipe import aug_transforms
from layerwise.vision.coords import TensorBBox, TensorPoint

SIDE = 64
MOVES = {
    "flip": lambda **k: Flip(p=1.0, **k),
    "dihedral": lambda **k: Dihedral(p=1.0, draw=[0, 1, 2, 3, 4, 5, 6, 7], **k),
    "rotate": lambda **k: Rotate(40, p=1.0, **k),
    "zoom": lambda **k: Zoom(0.6, 1.4, p=1.0, **k),
    "warp": lambda **k: Warp(0.3, p=1.0, **k),
    "shear": lambda **k: AffineCoordTfm(my_shear, **k),
    "bend": lambda **k: AffineCoordTfm(None, my_bend, **k),
    "crop": lambda size=SIDE, **k: RandomResizedCropGPU(size, 0.5, **k),
    "all": lambda **k: aug_transforms(max_rotate=30.0, max_warp=0.3, min_zoom=0.8, **k)[0],
}


def my_shear(x):
    by = torch.rand(len(x), generator=generator()) * 0.4
    return affine_mat(1, by, 0, 0, 1, 0)[:, :2]


def my_bend(grid):
    x, y = grid.unbind(-1)
    return torch.stack([x + 0.15 * (3 * y).sin(), y], -1)


def dots(height=SIDE, width=SIDE, count=8):
    """Pictures with one soft dot each, its mask, its middle as a point, and a box about it."""
    rng = torch.Generator().manual_seed(5)
    middles = torch.rand(count, 2, generator=rng) * 0.6 - 0.3  # x, y from -1 to 1
    pixels = (middles + 1) / 2 * torch.tensor([width, height])
    across, down = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    far = (across - pixels[:, :1])[:, None] ** 2 + (
        (down - pixels[:, 1:])[:, :, None]
    ) ** 2  # (B, H, W) squared distances in pixels
    image = (-far / 18).exp()[:, None].repeat(1, 3, 1, 1)
    half = torch.tensor([12 / width, 12 / height])  # six pixels
    box = torch.cat([middles - half, middles + half], 1)[:, None]
    batch = TensorImage(image), TensorMask((far < 36).long()), TensorPoint(middles[:, None])
    return *batch, TensorBBox(box)


def middle_of(weights):
    """(B, 2) the centre of mass of (B, H, W), in pixels from the outer edges."""
    height, width = weights.shape[-2:]
    total = weights.sum((1, 2))
    x = (weights.sum(1) * (torch.arange(width) + 0.5)).sum(1) / total
    y = (weights.sum(2) * (torch.arange(height) + 0.5)).sum(1) / total
    return torch.stack([x, y], 1)


def moved(move, given=(SIDE, SIDE), key=3, **kwargs):
    with keyed(key):
        return MOVES[move](**kwargs)(dots(*given), split_idx=0)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("move", MOVES)
def test_all_members_of_a_batch_move_as_one(move, align_corners):
    image, mask, point, box = moved(move, pad_mode="zeros", align_corners=align_corners)
    types = [type(member) for member in (image, mask, point, box)]
    assert types == [TensorImage, TensorMask, TensorPoint, TensorBBox]
    seen = middle_of(image.as_plain()[:, 0] ** 2)
    told = (point.as_plain()[:, 0] + 1) / 2 * SIDE
    assert (seen - told).norm(dim=1).max() < 0.5
    coded = mask.as_plain() == 1
    assert (middle_of(coded.float()) - told).norm(dim=1).max() < 0.7
    assert mask.dtype == torch.long
    assert set(mask.unique().tolist()) == {0, 1}
    for codes, ends in zip(coded, (box.as_plain()[:, 0] + 1) / 2 * SIDE, strict=True):
        down, across = codes.nonzero(as_tuple=True)
        found = torch.stack([across.min(), down.min(), across.max() + 1, down.max() + 1])
        # A box about a turned box is larger than one about the turned dot, never smaller.
        assert (found[:2] >= ends[:2] - 1).all()
        assert (found[2:] <= ends[2:] + 1).all()


@pytest.mark.parametrize("move", ["rotate", "zoom", "warp", "crop", "all", "flip"])
def test_points_follow_to_another_size_of_other_proportions(move):
    image, _, point, _ = moved(move, given=(48, 80), pad_mode="zeros", size=(96, 64))
    height, width = image.shape[-2:]
    seen = middle_of(image.as_plain()[:, 0] ** 2)
    told = (point.as_plain()[:, 0] + 1) / 2 * torch.tensor([width, height])
    assert (seen - told).norm(dim=1).max() < 0.6


def test_pictures_of_one_batch_get_numbers_of_their_own():
    x = dots()[0][:1].repeat(16, 1, 1, 1)
    for make in (Flip, Rotate, Zoom, Warp, Dihedral):
        with keyed(1):
            y = make()(x, split_idx=0).as_plain()
        kinds = len({tuple(each.flatten()[:2000].round(decimals=4).tolist()) for each in y})
        assert kinds >= 2, make
    with keyed(1):
        y = Rotate(p=1.0, batch=True)(x, split_idx=0).as_plain()
    assert (y == y[:1]).all()


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_p_is_the_share_of_pictures_that_are_moved(p):
    x = TensorImage(torch.rand(400, 1, 8, 8))
    with keyed(2):
        y = Rotate(30, p=p, pad_mode="zeros")(x, split_idx=0)
    still = (y.as_plain() - x.as_plain()).abs().amax((1, 2, 3)) < 1e-4
    assert abs((~still).float().mean() - p) < 0.08


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_p_holds_for_functions_of_users(p):
    x = TensorImage(torch.rand(200, 1, 8, 8))
    for step in (AffineCoordTfm(lambda b: rolled(len(b)), p=p), AffineCoordTfm(None, my_bend, p=p)):
        with keyed(2):
            y = step(x, split_idx=0)
        still = (y.as_plain() - x.as_plain()).abs().amax((1, 2, 3)) < 1e-4
        assert abs((~still).float().mean() - p) < 0.1


def rolled(count):
    return affine_mat(torch.ones(count), 0, 0.5, 0, 1, 0)


def test_a_key_repeats_a_batch_with_any_number_of_threads():
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(moved("all")[0])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], moved("all", key=4)[0])


def test_validation_is_resized_and_not_moved():
    batch = dots()
    image, mask, point, _ = Rotate(40, p=1.0, size=32)(batch, split_idx=1)
    assert image.shape == (8, 3, 32, 32)
    assert mask.shape == (8, 32, 32)
    torch.testing.assert_close(point.as_plain(), batch[2].as_plain(), atol=0.02, rtol=0)
    assert Rotate(40, p=1.0)(batch, split_idx=1) is batch


def test_sizes_that_points_know_change_with_the_pictures():
    x, _, _, _ = dots()
    point = TensorPoint(torch.zeros(8, 1, 2), img_size=(SIDE, SIDE))
    _, found = Rotate(size=(16, 24))((x, point), split_idx=0)
    assert found.img_size == (24, 16)


def test_what_leaves_the_picture_is_kept_as_a_point_and_clipped_as_a_box():
    x = TensorImage(torch.zeros(1, 3, 8, 8))
    point = TensorPoint(torch.tensor([[[0.9, 0.0]]]))
    boxes = TensorBBox(torch.tensor([[[0.0, 0.0, 0.9, 0.5], [0.8, 0.8, 0.9, 0.9], [0.0] * 4]]))
    zoom = Zoom(p=1.0, draw=2.0, draw_x=0.5, draw_y=0.5, align_corners=False)
    _, point, boxes = zoom((x, point, boxes), split_idx=0)
    torch.testing.assert_close(point.as_plain(), torch.tensor([[[1.8, 0.0]]]))
    expected = [[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0] * 4]
    torch.testing.assert_close(boxes.as_plain()[0], torch.tensor(expected))


def test_a_missing_point_stays_missing_and_pixels_are_refused():
    x = TensorImage(torch.zeros(1, 3, 8, 8))
    lost = TensorPoint(torch.tensor([[[float("nan"), 0.0], [0.0, 0.0]]]))
    found = Rotate(p=1.0)((x, lost), split_idx=0)[1]
    assert found.isnan().all(-1).tolist() == [[True, False]]
    with pytest.raises(ValueError, match="in pixels cannot move with its pictures; PointScaler"):
        Rotate(p=1.0)((x, TensorPoint(torch.zeros(1, 1, 2), in_pixels=True)), split_idx=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.float64])
def test_numbers_keep_their_type(dtype):
    x = TensorImageBase((torch.rand(2, 5, 16, 16) * 200).to(dtype))
    mask = TensorMask((torch.rand(2, 16, 16) * 200).to(dtype))
    found, codes = Rotate(p=1.0, draw=45.0)((x, mask), split_idx=0)
    assert (found.dtype, codes.dtype) == (dtype, dtype)
    assert set(codes.unique().tolist()) <= set(mask.unique().tolist())


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (2, 16, 16)])
def test_masks_come_in_both_shapes(shape):
    mask = TensorMask(torch.arange(512).view(shape))
    found = Rotate(p=1.0, draw=180.0)((TensorImage(torch.zeros(2, 3, 16, 16)), mask), split_idx=0)[
        1
    ]
    assert torch.equal(found.as_plain(), mask.as_plain().rot90(2, (-2, -1)))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_quarter_turns_are_exact(degrees):
    x = TensorImage(torch.rand(3, 3, 15, 15))
    found = Rotate(p=1.0, draw=float(degrees))(x, split_idx=0)
    torch.testing.assert_close(found.as_plain(), x.as_plain().rot90(-degrees // 90, (-2, -1)))
    with_more = Pipeline([Rotate(p=1.0, draw=degrees - 30.0), AffineCoordTfm(thirty)], split_idx=0)
    found = with_more(x).as_plain()
    expected = x.as_plain().rot90(-degrees // 90, (-2, -1))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def thirty(x):
    a = torch.tensor(30.0, dtype=torch.float64).deg2rad().expand(len(x))
    return affine_mat(a.cos(), a.sin(), 0, -a.sin(), a.cos(), 0)


@pytest.mark.parametrize("move", MOVES)
def test_transforms_keep_the_contract(move):
    image, mask, point, _ = dots()
    check_transform(MOVES[move](), (image, mask, point))


def test_gradients_go_through():
    x = torch.rand(4, 3, 16, 16, requires_grad=True)
    for step in aug_transforms(p_affine=1.0, p_lighting=1.0):
        found = step(TensorImage(x), split_idx=0)
    found.sum().backward()
    assert x.grad.abs().sum() > 0


def test_members_of_different_length_are_refused():
    with pytest.raises(ValueError, match="TensorMask of 3 items in a batch of 2 pictures"):
        Rotate()(
            (TensorImage(torch.zeros(2, 3, 8, 8)), TensorMask(torch.zeros(3, 8, 8))), split_idx=0
        )


def test_an_empty_batch_and_one_pixel_come_back():
    assert Rotate(p=1.0)(TensorImage(torch.zeros(0, 3, 8, 8)), split_idx=0).shape == (0, 3, 8, 8)
    one = TensorImage(torch.ones(2, 3, 1, 1))
    assert torch.equal(Rotate(p=1.0)(one, split_idx=0).as_plain(), one.as_plain())
    assert Zoom(p=1.0, size=(4, 4))(one, split_idx=0).shape == (2, 3, 4, 4)


def test_wrong_settings_say_what_is_right():
    with pytest.raises(TypeError, match=r"unknown keyword 'max_degree'. Did you mean 'max_deg'"):
        Rotate(max_degree=10)  # type: ignore[call-arg]  # misspelt
    with pytest.raises(ValueError, match="Did you mean 'bilinear'"):
        Rotate(mode="bilinar")
    with pytest.raises(ValueError, match="one pixel at least"):
        Rotate(size=0)
    with pytest.raises(ValueError, match="factors above 0, the least first"):
        Zoom(2.0, 1.0)
    with pytest.raises(ValueError, match="share of 0 to 1"):
        Warp(1.5)
    with pytest.raises(ValueError, match="shares go from above 0 to 1"):
        RandomResizedCropGPU(8, min_scale=2.0)


def test_crops_are_parts_of_their_own_area_and_proportions():
    columns = torch.linspace(-1, 1, 101).expand(101, 101)
    ramp = torch.stack([columns, columns.T])[None].repeat(300, 1, 1, 1)  # shows where it was read
    crop = RandomResizedCropGPU(11, 0.2, (0.5, 2.0), max_scale=0.6)
    with keyed(0):
        found = crop(TensorImageBase(ramp), split_idx=0).as_plain()
    across = (found[:, 0, 5, -1] - found[:, 0, 5, 0]) / 2
    down = (found[:, 1, -1, 5] - found[:, 1, 0, 5]) / 2
    area, ratio = across * down * (11 / 10) ** 2, across / down
    assert 0.18 < area.min() < 0.25
    assert 0.55 < area.max() < 0.62
    assert 0.49 < ratio.min() < 0.6
    assert 1.7 < ratio.max() < 2.05
    assert found.abs().max() <= 1
    middle = crop(TensorImageBase(ramp[:, :, :, 20:81]), split_idx=1).as_plain()
    assert abs(middle[0, 0].mean()) < 0.01
    assert abs((middle[0, 1, -1, 5] - middle[0, 1, 0, 5]) / 2 - 61 / 101 * 10 / 11) < 0.02


def test_partial_functions_are_shown_and_repeat():
    step = AffineCoordTfm(functools.partial(scaled, by=0.5))
    found = step(TensorImage(torch.rand(2, 3, 8, 8)), split_idx=0)
    assert found.shape == (2, 3, 8, 8)
    assert "scaled" in repr(step)


def scaled(x, by):
    return affine_mat(torch.full((len(x),), by), 0, 0, 0, by, 0)
