"""Augmentations as functions of a batch, for a picture, a mask, points, boxes, or a tuple of them.

Each draws for every picture of the batch, and returns what the transform of the same keywords would
in training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.vision.augment.affine import AffineCoordTfm
from layerwise.vision.augment.color import Brightness, Contrast, Hue, Saturation
from layerwise.vision.augment.draw import Draw
from layerwise.vision.augment.geometry import Dihedral, Flip, Rotate, Warp, Zoom
from layerwise.vision.augment.sampling import CoordMap
from layerwise.vision.resample import PadMode

__all__ = [
    "affine_coord",
    "brightness",
    "contrast",
    "dihedral_batch",
    "flip_batch",
    "hue",
    "rotate",
    "saturation",
    "warp",
    "zoom",
]

T = TypeVar("T")

ImageSize = int | Sequence[int] | None


@names_nearest
def affine_coord(
    x: T,
    mat: Tensor | None = None,
    coord_tfm: CoordMap | None = None,
    size: ImageSize = None,
    mode: str = "bilinear",
    pad_mode: str = PadMode.Reflection,
    align_corners: bool = True,
) -> T:
    """`x` read along a matrix and a map of coordinates; see `AffineCoordTfm`.

    Args:
        x: typed pictures, masks, points or boxes of a batch, or a tuple of them.
        mat: (B, 2, 3) or (B, 3, 3) from places of the output to places of the input.
        coord_tfm: from (B, h, w, 2) coordinates to as many.
        size: height and width of what comes out, or one number for both.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        align_corners: where -1 and 1 are.

    Example:
        >>> import torch
        >>> from layerwise.core.tensors import TensorImage
        >>> mirror = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]])
        >>> affine_coord(TensorImage(torch.arange(2.0).view(1, 1, 1, 2)), mirror).flatten().tolist()
        [1.0, 0.0]
    """
    given: Callable[[Tensor], Tensor] | None = None if mat is None else lambda _: mat
    return _done(
        AffineCoordTfm(given, coord_tfm, size, mode, pad_mode, align_corners=align_corners), x
    )


@names_nearest
def flip_batch(x: T, p: float = 0.5, draw: Draw = None, batch: bool = False) -> T:
    """`x` mirrored, left for right; see `Flip`."""
    return _done(Flip(p, draw, batch=batch), x)


@names_nearest
def dihedral_batch(x: T, p: float = 0.5, draw: Draw = None, batch: bool = False) -> T:
    """`x` in one of the eight ways in which a square can lie; see `Dihedral`."""
    return _done(Dihedral(p, draw, batch=batch), x)


@names_nearest
def rotate(
    x: T,
    size: ImageSize = None,
    mode: str = "bilinear",
    pad_mode: str = PadMode.Reflection,
    align_corners: bool = True,
    *,
    max_deg: float = 10,
    p: float = 0.5,
    draw: Draw = None,
    batch: bool = False,
) -> T:
    """`x` turned about its middle; see `Rotate`."""
    return _done(Rotate(max_deg, p, draw, size, mode, pad_mode, align_corners, batch), x)


@names_nearest
def zoom(
    x: T,
    size: ImageSize = None,
    mode: str = "bilinear",
    pad_mode: str = PadMode.Reflection,
    align_corners: bool = True,
    *,
    min_zoom: float = 1.0,
    max_zoom: float = 1.1,
    p: float = 0.5,
    draw: Draw = None,
    draw_x: Draw = None,
    draw_y: Draw = None,
    batch: bool = False,
) -> T:
    """`x` with a part of it enlarged to the whole; see `Zoom`."""
    step = Zoom(
        min_zoom, max_zoom, p, draw, draw_x, draw_y, size, mode, pad_mode, batch, align_corners
    )
    return _done(step, x)


@names_nearest
def warp(
    x: T,
    size: ImageSize = None,
    mode: str = "bilinear",
    pad_mode: str = PadMode.Reflection,
    align_corners: bool = True,
    *,
    magnitude: float = 0.2,
    p: float = 0.5,
    draw_x: Draw = None,
    draw_y: Draw = None,
    batch: bool = False,
) -> T:
    """`x` in perspective; see `Warp`."""
    step = Warp(magnitude, p, draw_x, draw_y, size, mode, pad_mode, batch, align_corners)
    return _done(step, x)


@names_nearest
def brightness(
    x: T, *, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False
) -> T:
    """`x` brightened or darkened; see `Brightness`."""
    return _done(Brightness(max_lighting, p, draw, batch), x)


@names_nearest
def contrast(
    x: T, *, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False
) -> T:
    """`x` with another contrast; see `Contrast`."""
    return _done(Contrast(max_lighting, p, draw, batch), x)


@names_nearest
def saturation(
    x: T, *, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False
) -> T:
    """`x` with stronger or weaker colours; see `Saturation`."""
    return _done(Saturation(max_lighting, p, draw, batch), x)


@names_nearest
def hue(
    x: T, *, max_hue: float = 0.1, p: float = 0.75, draw: Draw = None, batch: bool = False
) -> T:
    """`x` with other hues; see `Hue`."""
    return _done(Hue(max_hue, p, draw, batch), x)


def _done(step: AffineCoordTfm | Brightness | Contrast | Saturation | Hue, x: T) -> T:
    result: T = step(x, split_idx=0)
    return result
