"""Matrices against values worked out by hand and libraries of others."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.tensors import TensorImageBase
from layerwise.vision.augment.matrix import (
    affine_mat,
    apply_perspective,
    as_3x3,
    crop_mat,
    dihedral_mat,
    find_coeffs,
    flip_mat,
    moved,
    perspective_mat,
    rotate_mat,
    warp_mat,
    zoom_mat,
)

WIDE = torch.zeros(1, 3, 20, 40)
SQUARE = torch.zeros(1, 3, 20, 20)
CORNERS = torch.tensor([[[-1.0, -1], [-1, 1], [1, -1], [1, 1]]], dtype=torch.float64)


def close(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_six_numbers_make_a_matrix():
    close(
        affine_mat(torch.tensor([1.0, 2.0], dtype=torch.float64), 2, 3, 4, 5, 6)[1],
        [[2.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.0, 0.0, 1.0]],
    )
    with pytest.raises(ValueError, match="5 numbers; an affine map has six"):
        affine_mat(1, 2, 3, 4, 5)


def test_a_quarter_turn_with_the_clock_reads_the_right_edge_at_the_top():
    found = moved(torch.tensor([[[1.0, 0.0]]]), rotate_mat(SQUARE, p=1.0, draw=90.0))
    torch.testing.assert_close(found, torch.tensor([[[0.0, -1.0]]]), atol=1e-6, rtol=0)


def test_rotation_keeps_distances_in_pixels():
    matrix = rotate_mat(WIDE, p=1.0, draw=37.0)
    pixels = torch.tensor([20.0, 10.0], dtype=torch.float64)  # half a width, half a height
    places = torch.tensor([[[0.4, 0.2], [-0.7, 0.9]]], dtype=torch.float64)
    before, after = places * pixels, moved(places, matrix) * pixels
    assert math.isclose(
        (before[0, 0] - before[0, 1]).norm(), (after[0, 0] - after[0, 1]).norm(), rel_tol=1e-12
    )
    cos = math.cos(math.radians(37))
    assert math.isclose(matrix[0, 0, 0], cos, rel_tol=1e-12)
    assert math.isclose(matrix[0, 0, 1], math.sin(math.radians(37)) / 2, rel_tol=1e-12)


def test_zoom_keeps_the_part_within_the_picture():
    corners = moved(CORNERS, zoom_mat(SQUARE, p=1.0, draw=2.0, draw_x=1.0, draw_y=0.0))
    close(corners[0], [[0.0, -1.0], [0.0, 0.0], [1.0, -1.0], [1.0, 0.0]])
    assert zoom_mat(torch.zeros(5, 1, 2, 2), p=0.0).equal(torch.eye(3).double().expand(5, 3, 3))


def test_crop_brings_its_edges_to_the_edges():
    ends = (torch.tensor([v], dtype=torch.float64) for v in (-0.5, -1.0, 0.0, 0.5))
    close(moved(CORNERS, crop_mat(*ends))[0], [[-0.5, -1.0], [-0.5, 0.5], [0.0, -1.0], [0.0, 0.5]])


@pytest.mark.parametrize("way", range(8))
def test_the_eight_ways_read_what_dihedral_shows(way):
    picture = torch.arange(9.0).view(1, 1, 3, 3)
    matrix = dihedral_mat(picture, p=1.0, draw=way)
    grid = torch.nn.functional.affine_grid(matrix[:, :2].float(), (1, 1, 3, 3), align_corners=True)
    read = torch.nn.functional.grid_sample(picture, grid, align_corners=True)
    torch.testing.assert_close(read[0], TensorImageBase(picture[0]).dihedral(way).as_plain())


def test_flips_are_one_of_the_eight():
    assert flip_mat(SQUARE, p=1.0).equal(dihedral_mat(SQUARE, p=1.0, draw=1))
    with pytest.raises(ValueError, match="the eight ways are 0 to 7"):
        dihedral_mat(SQUARE, p=1.0, draw=8)


def test_a_warp_enlarges_the_left_side_by_draw_x():
    matrix = warp_mat(SQUARE, p=1.0, draw_x=0.2, draw_y=0.0)
    seen = moved(CORNERS, torch.linalg.inv(matrix))  # where the corners of the picture go
    close(seen[0], [[-1.0, -1.2], [-1.0, 1.2], [1.0, -0.8], [1.0, 0.8]])


@given(st.lists(st.floats(-0.3, 0.3), min_size=8, max_size=8))
def test_coefficients_bring_any_four_corners_to_any_others(by):
    others = CORNERS + torch.tensor(by, dtype=torch.float64).view(1, 4, 2)
    coeffs = find_coeffs(CORNERS, others)
    torch.testing.assert_close(moved(CORNERS, perspective_mat(coeffs)), others)
    grid = CORNERS.view(1, 2, 2, 2)
    torch.testing.assert_close(apply_perspective(grid, coeffs), others.view(1, 2, 2, 2))


def test_what_is_no_matrix_is_refused_with_the_name_of_the_function():
    def my_shear(x):
        return torch.zeros(len(x), 2)

    with pytest.raises(ValueError, match=r"my_shear returned \(4, 2\) for a batch of 4 pictures"):
        as_3x3(my_shear(torch.zeros(4, 1)), 4, my_shear)
