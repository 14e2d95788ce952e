"""Where a picture is read, as matrices: from each place of the output to a place of the input.

Places are x, y from -1 to 1. All maps here, the perspective warp too, are homographies: (B, 3, 3)
matrices on (x, y, 1), the result divided by its third number. So maps that follow one another are
one matrix, their product.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from layerwise.vision.augment.draw import Draw, drawn, evenly

__all__ = [
    "affine_mat",
    "apply_perspective",
    "crop_mat",
    "dihedral_mat",
    "find_coeffs",
    "flip_mat",
    "perspective_mat",
    "rotate_mat",
    "warp_mat",
    "zoom_mat",
]

# B: pictures. The numbers of a matrix are drawn in 64 bits; they are few, and inverted for points.

Matrix = Tensor

_CORNERS = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0))  # UL, LL, UR, LR

# (8, 3, 3): each of the eight ways in which a square can lie, numbered as by `dihedral`.
DIHEDRAL = torch.tensor(
    [
        [1, 0, 0, 0, 1, 0, 0, 0, 1], [-1, 0, 0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 0, -1, 0, 0, 0, 1],
        [0, -1, 0, 1, 0, 0, 0, 0, 1], [-1, 0, 0, 0, -1, 0, 0, 0, 1], [0, 1, 0, -1, 0, 0, 0, 0, 1],
        [0, 1, 0, 1, 0, 0, 0, 0, 1], [0, -1, 0, -1, 0, 0, 0, 0, 1],
    ],
    dtype=torch.float64,
).view(8, 3, 3)  # fmt: skip


def affine_mat(*ms: Tensor | float) -> Matrix:
    """(B, 3, 3) from the six numbers of its upper two rows, row by row.

    Args:
        ms: six times (B,) or a number; one of them (B,).

    Example:
        >>> affine_mat(torch.tensor([2.0]), 0, 0.5, 0, 1, 0)[0].tolist()
        [[2.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if len(ms) != 6:
        raise ValueError(f"{len(ms)} numbers; an affine map has six, row by row")
    like = next((m for m in ms if isinstance(m, Tensor)), torch.zeros(1))
    rows = [torch.as_tensor(m, dtype=like.dtype, device=like.device) for m in (*ms, 0, 0, 1)]
    count = next((row.numel() for row in rows if row.numel() != 1), 1)
    return torch.stack([row.expand(count) for row in rows], -1).view(count, 3, 3)


def flip_mat(x: Tensor, p: float = 0.5, draw: Draw = None, batch: bool = False) -> Matrix:
    """(B, 3, 3) that mirror left for right, each picture with probability `p`.

    Args:
        x: the batch, of which only the length counts.
        p: see `drawn`, as the following.
        draw: 1 for a picture that is mirrored, 0 for others.
        batch: all alike.

    Example:
        >>> flip_mat(torch.zeros(1, 3, 2, 2), p=1.0)[0].diagonal().tolist()
        [-1.0, 1.0, 1.0]
    """
    mirrored = drawn(x, lambda count: torch.ones(count, dtype=torch.float64), draw, p, batch=batch)
    return affine_mat(1 - 2 * mirrored, 0, 0, 0, 1, 0)


def dihedral_mat(x: Tensor, p: float = 0.5, draw: Draw = None, batch: bool = False) -> Matrix:
    """(B, 3, 3) for one of the eight ways in which a square can lie.

    Args:
        x: the batch, of which only the length counts.
        p: probability that one is drawn; it may be that in which nothing changes.
        draw: 0 to 7, numbered as in `TensorImageBase.dihedral`.
        batch: all alike.
    """
    eight = evenly(0, 8, of=torch.floor)
    which = drawn(x, eight, draw, p, batch=batch).round().long()
    if bool(((which < 0) | (which > 7)).any()):
        raise ValueError(f"draw gives {which.tolist()[:8]}; the eight ways are 0 to 7")
    found: Matrix = DIHEDRAL[which]
    return found


def rotate_mat(
    x: Tensor, max_deg: float = 10, p: float = 0.5, draw: Draw = None, batch: bool = False
) -> Matrix:
    """(B, 3, 3) that turn about the middle; pictures that are no squares keep right angles.

    Args:
        x: (B, C, H, W) batch, of which the shape counts.
        max_deg: greatest angle to either side, in degrees.
        p: probability for each picture.
        draw: angles in degrees, with the clock where positive.
        batch: all alike.

    Example:
        >>> rotate_mat(torch.zeros(1, 3, 2, 4), p=1.0, draw=90.0)[0, 1, :2].tolist()
        [-2.0, 6.123233995736766e-17]
    """
    angle = drawn(x, evenly(-max_deg, max_deg), draw, p, batch=batch) * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    aspect = x.shape[-1] / x.shape[-2]  # a step of 1 is half a width in x, half a height in y
    return affine_mat(cos, sin / aspect, 0, -sin * aspect, cos, 0)


def zoom_mat(
    x: Tensor,
    min_zoom: float = 1.0,
    max_zoom: float = 1.1,
    p: float = 0.5,
    draw: Draw = None,
    draw_x: Draw = None,
    draw_y: Draw = None,
    batch: bool = False,
) -> Matrix:
    """(B, 3, 3) that enlarge a part of the picture to the whole, anywhere in it.

    Args:
        x: the batch, of which only the length counts.
        min_zoom: least factor; below 1 the picture gets smaller.
        max_zoom: greatest factor.
        p: probability for each picture.
        draw: factors.
        draw_x: where the part lies, from 0 (left) to 1 (right).
        draw_y: from 0 (up) to 1 (down).
        batch: all alike.

    Example:
        >>> zoom_mat(torch.zeros(1, 3, 2, 2), p=1.0, draw=2.0, draw_x=0.0, draw_y=0.5)[0].tolist()
        [[0.5, 0.0, -0.5], [0.0, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    factor = drawn(x, evenly(min_zoom, max_zoom), draw, p, neutral=1.0, batch=batch)
    across = drawn(x, evenly(0, 1), draw_x, 1.0, batch=batch)
    down = drawn(x, evenly(0, 1), draw_y, 1.0, batch=batch)
    side = 1 / factor
    return affine_mat(side, 0, (1 - side) * (2 * across - 1), 0, side, (1 - side) * (2 * down - 1))


def crop_mat(left: Tensor, upper: Tensor, right: Tensor, lower: Tensor) -> Matrix:
    """(B, 3, 3) that bring a part of the picture to the whole; its edges are (B,), from -1 to 1."""
    return affine_mat(
        (right - left) / 2, 0, (right + left) / 2, 0, (lower - upper) / 2, (lower + upper) / 2
    )


def warp_mat(
    x: Tensor,
    magnitude: float = 0.2,
    p: float = 0.5,
    draw_x: Draw = None,
    draw_y: Draw = None,
    batch: bool = False,
) -> Matrix:
    """(B, 3, 3) that show a picture as seen from the side, from above or from below.

    Args:
        x: the batch, of which only the length counts.
        magnitude: greatest change of a side, as a share of half of it; below 1.
        p: probability for each picture.
        draw_x: by how much the left side grows and the right one shrinks.
        draw_y: by how much the upper side grows and the lower one shrinks.
        batch: all alike.
    """
    ranges = evenly(-magnitude, magnitude)
    # Once for both: a picture is warped or not.
    is_warped = drawn(x, lambda count: torch.ones(count, dtype=torch.float64), p=p, batch=batch)
    across = drawn(x, ranges, draw_x, 1.0, batch=batch) * is_warped
    down = drawn(x, ranges, draw_y, 1.0, batch=batch) * is_warped
    moved = torch.stack(
        [torch.stack([sx * (1 - sy * down), sy * (1 - sx * across)], -1) for sx, sy in _CORNERS],
        1,
    )  # (B, 4, 2)
    corners = torch.tensor(_CORNERS, dtype=torch.float64).expand_as(moved)
    return perspective_mat(find_coeffs(moved, corners))


def find_coeffs(p1: Tensor, p2: Tensor) -> Tensor:
    """(B, 8) numbers of the homography that brings the four points `p1` to the points `p2`.

    Args:
        p1: (B, 4, 2) points, no three of them on a line.
        p2: (B, 4, 2) where they go.

    Example:
        >>> corners = torch.tensor([[[-1.0, -1], [-1, 1], [1, -1], [1, 1]]])
        >>> find_coeffs(corners, corners / 2)[0].round(decimals=3).abs().tolist()
        [0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]
    """
    x, y = p1.unbind(-1)  # (B, 4)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    u, v = p2.unbind(-1)
    of_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    of_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    system = torch.cat([of_u, of_v], 1)  # (B, 8, 8)
    found: Tensor = torch.linalg.solve(system, torch.cat([u, v], 1))
    return found


def perspective_mat(coeffs: Tensor) -> Matrix:
    """(B, 3, 3) of the (B, 8) numbers that `find_coeffs` finds; the last number is 1."""
    return torch.cat([coeffs, torch.ones_like(coeffs[:, :1])], 1).view(-1, 3, 3)


def apply_perspective(coords: Tensor, coeffs: Tensor) -> Tensor:
    """(B, H, W, 2) coordinates moved by the (B, 8) numbers of a homography."""
    return moved(coords.flatten(1, 2), perspective_mat(coeffs)).view_as(coords)


def moved(points: Tensor, matrix: Matrix) -> Tensor:
    """(B, N, 2) points moved by (B, 3, 3) matrices."""
    matrix = matrix.to(points.device, points.dtype)
    places = points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]  # (B, N, 3)
    return places[..., :2] / places[..., 2:]


def as_3x3(found: Tensor, count: int, who: Callable[..., object] | str) -> Matrix:
    """What a user's function returned, (B, 2, 3) or (B, 3, 3), as (B, 3, 3) in 64 bits."""
    name = who if isinstance(who, str) else getattr(who, "__name__", type(who).__name__)
    if not isinstance(found, Tensor) or found.shape not in ((count, 2, 3), (count, 3, 3)):
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(
            f"{name} returned {what} for a batch of {count} pictures; it returns matrices "
            f"({count}, 3, 3), or ({count}, 2, 3), from places of the output to places of the input"
        )
    matrix = found.as_subclass(Tensor)
    if matrix.device.type != "mps":  # which has no numbers of 64 bits
        matrix = matrix.double()
    if matrix.shape[1] == 3:
        return matrix
    last = matrix.new_tensor([0.0, 0.0, 1.0]).expand(count, 1, 3)
    return torch.cat([matrix, last], 1)
