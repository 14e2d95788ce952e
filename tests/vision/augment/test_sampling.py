"""Reading along a route, against torch, torchvision and scipy."""

import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from layerwise.core.torchvision_operators import stand_in_for_operators
from layerwise.vision.augment.matrix import affine_mat, moved, rotate_mat, warp_mat
from layerwise.vision.augment.sampling import Route, Sampling

PLAIN = Sampling(pad_mode="zeros")


def picture(height=24, width=32, count=1, block=4):
    rng = torch.Generator().manual_seed(0)
    small = torch.rand(count, 3, height // block, width // block, generator=rng)
    return F.interpolate(small, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("pad_mode", ["zeros", "border", "reflection"])
def test_an_affine_route_reads_what_torch_reads(align_corners, pad_mode):
    x = picture(count=3)
    theta = torch.tensor([[[0.9, 0.2, 0.1], [-0.3, 1.1, 0.2]]]).repeat(3, 1, 1)
    sampling = Sampling(pad_mode=pad_mode, align_corners=align_corners)
    found = Route([affine_mat(*theta[0].flatten()).repeat(3, 1, 1)]).read(
        x, (20, 28), "bilinear", sampling
    )
    grid = F.affine_grid(theta, (3, 3, 20, 28), align_corners=align_corners)
    expected = F.grid_sample(x, grid, padding_mode=pad_mode, align_corners=align_corners)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_warp_reads_what_torchvision_reads():
    stand_in_for_operators()
    from torchvision.transforms.v2 import functional as v2

    x = picture()
    height, width = x.shape[-2:]
    matrix = warp_mat(x, p=1.0, draw_x=0.15, draw_y=-0.1)
    edges = PLAIN._replace(align_corners=False)  # to which the points of torchvision refer
    found = Route([matrix]).read(x, (height, width), "bilinear", edges)
    ends = torch.tensor([[[-1.0, -1], [1, -1], [1, 1], [-1, 1]]], dtype=torch.float64)

    def in_pixels(places):
        return ((places + 1) / 2 * torch.tensor([width, height])).tolist()

    starts = in_pixels(moved(ends, matrix)[0])
    expected = v2.perspective(x, starts, in_pixels(ends[0]))
    inside = F.max_pool2d((expected == 0).float().amax(1, keepdim=True), 3, 1, 1) == 0
    torch.testing.assert_close(found * inside, expected * inside, atol=2e-3, rtol=0)


def test_matrices_become_one_and_functions_stay_between_them():
    one, two = rotate_mat(picture(), p=1.0, draw=10.0), rotate_mat(picture(), p=1.0, draw=20.0)
    route = Route([one, two])
    assert len(route.maps) == 1
    torch.testing.assert_close(route.maps[0], one @ two)
    assert len(Route([one, torch.sin, two, one]).maps) == 3


def test_functions_are_called_in_the_order_of_the_route():
    x = picture()
    shift = affine_mat(torch.tensor([1.0], dtype=torch.float64), 0, 0.25, 0, 1, 0)

    def doubled(grid):
        return grid * 0.5

    found = Route([shift, doubled]).read(x, (24, 32), "bilinear", PLAIN)
    first = Route([shift]).read(x, (24, 32), "bilinear", PLAIN)
    then = Route([doubled]).read(first, (24, 32), "bilinear", PLAIN)
    torch.testing.assert_close(found, then, atol=0.06, rtol=0)
    wrong = Route([doubled, shift]).read(x, (24, 32), "bilinear", PLAIN)
    assert (found - wrong).abs().max() > 0.2


def bulge(grid):
    radius = grid.norm(dim=-1, keepdim=True)
    return grid * (1 - 0.3 * (-4 * radius**2).exp())


@pytest.mark.parametrize("align_corners", [True, False])
def test_points_go_back_along_matrices_and_functions(align_corners):
    rng = torch.Generator().manual_seed(1)
    after = torch.rand(2, 9, 2, generator=rng, dtype=torch.float64) * 1.6 - 0.8
    warp = warp_mat(torch.zeros(2, 1, 8, 8), p=1.0, draw_x=[0.1, -0.2], draw_y=0.1)
    before = moved(bulge(after[:, None])[:, 0], warp)
    found = Route([warp, bulge]).move(before, None, None, align_corners)
    torch.testing.assert_close(found, after, atol=1e-6, rtol=0)


def test_the_inverse_of_a_function_is_used_where_it_has_one():
    class Doubled:
        def __call__(self, grid):
            return grid * 2

        def inverse(self, grid):
            return grid * 0.5 + 100  # plainly not what differences would find

    found = Route([Doubled()]).move(torch.zeros(1, 3, 2), None, None, True)
    assert (found == 100).all()


def test_a_function_of_another_shape_is_named():
    def lost(grid):
        return grid[..., 0]

    with pytest.raises(ValueError, match=r"lost returned \(1, 24, 32\) for coordinates"):
        Route([lost]).read(picture(), (24, 32), "bilinear", PLAIN)


@pytest.mark.parametrize("factor", [3, 4, 8])
def test_small_pictures_of_fine_stripes_are_grey(factor):
    side = 96
    stripes = (torch.arange(side) % 2).float().expand(1, 1, side, side)
    small = (side // factor, side // factor)
    route = Route([torch.eye(3, dtype=torch.float64)[None]])
    (reduce,) = route.reductions((side, side), small)
    found = route.read(stripes, small, "bilinear", Sampling(align_corners=False), reduce)
    expected = ndimage.uniform_filter(stripes[0, 0].numpy(), factor).mean()
    assert found[..., 2:-2, 2:-2].sub(float(expected)).abs().max() < 0.2
    assert route.reductions((side, side), (side // 2, side // 2)) is None


def test_averaged_first_a_picture_lies_where_it_lay():
    x = picture(64, 96, block=32)
    route = Route([rotate_mat(x, p=1.0, draw=20.0)])
    for align_corners in (True, False):
        sampling = Sampling(align_corners=align_corners)
        fine = route.read(x, (16, 24), "bilinear", sampling)
        found = route.read(x, (16, 24), "bilinear", sampling, reduce=2)
        torch.testing.assert_close(found, fine, atol=0.02, rtol=0)


def test_a_mode_that_there_is_not_is_named():
    with pytest.raises(ValueError, match=r"pad_mode='reflect'; .* Did you mean 'reflection'"):
        Sampling(pad_mode="reflect").checked()
