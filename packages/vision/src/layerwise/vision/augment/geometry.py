"""Batches mirrored, turned, zoomed and seen from the side, each picture by numbers of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.vision.augment.affine import AffineCoordTfm
from layerwise.vision.augment.draw import DeterministicDraw, Draw
from layerwise.vision.augment.matrix import (
    Matrix,
    dihedral_mat,
    flip_mat,
    rotate_mat,
    warp_mat,
    zoom_mat,
)
from layerwise.vision.resample import PadMode

__all__ = [
    "DeterministicDihedral",
    "DeterministicFlip",
    "Dihedral",
    "Flip",
    "Rotate",
    "Warp",
    "Zoom",
]

# B: pictures. C: channels. H, W: height and width.


class Flip(AffineCoordTfm):
    """Mirror each picture of a batch, left for right, with probability `p`.

    Args:
        p: probability for each picture.
        draw: 1 for a picture that is mirrored, 0 for others, see `Draw`; `p` holds besides.
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        align_corners: where -1 and 1 are.
        batch: draw once, for all pictures alike.

    Example:
        >>> import torch
        >>> from layerwise.core.tensors import TensorImage
        >>> x = TensorImage(torch.arange(4.0).view(2, 1, 1, 2))
        >>> Flip(p=1.0)(x, split_idx=0).flatten().tolist()
        [1.0, 0.0, 3.0, 2.0]
    """

    moves_whole_pixels = True

    @names_nearest
    def __init__(
        self,
        p: float = 0.5,
        draw: Draw = None,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        align_corners: bool = True,
        batch: bool = False,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners, p=p)
        self.draw, self.batch = draw, batch

    def matrix(self, x: Tensor) -> Matrix:
        """(B, 3, 3) mirrored or not."""
        return flip_mat(x, self.p, self.draw, self.batch)


class DeterministicFlip(Flip):
    """As it is and mirrored, in turn: all pictures of one batch alike.

    Args:
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        align_corners: where -1 and 1 are.
    """

    @names_nearest
    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        align_corners: bool = True,
    ) -> None:
        turn = DeterministicDraw([0, 1])
        super().__init__(1.0, turn, size, mode, pad_mode, align_corners)


class Dihedral(AffineCoordTfm):
    """Bring each picture of a batch to one of the eight ways in which a square can lie.

    Args:
        p: probability that one is drawn for a picture; it may be that in which nothing changes.
        draw: 0 to 7, numbered as in `TensorImageBase.dihedral`, see `Draw`; `p` holds besides.
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        batch: draw once, for all pictures alike.
        align_corners: where -1 and 1 are.
    """

    moves_whole_pixels = True

    @names_nearest
    def __init__(
        self,
        p: float = 0.5,
        draw: Draw = None,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        batch: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners, p=p)
        self.draw, self.batch = draw, batch

    def matrix(self, x: Tensor) -> Matrix:
        """(B, 3, 3) turned and mirrored."""
        return dihedral_mat(x, self.p, self.draw, self.batch)


class DeterministicDihedral(Dihedral):
    """The eight ways in which a square can lie, in turn: all pictures of one batch alike.

    Args:
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        align_corners: where -1 and 1 are.
    """

    @names_nearest
    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        align_corners: bool = True,
    ) -> None:
        turn = DeterministicDraw(range(8))
        super().__init__(1.0, turn, size, mode, pad_mode, align_corners=align_corners)


class Rotate(AffineCoordTfm):
    """Turn each picture of a batch about its middle, by its own angle.

    Args:
        max_deg: greatest angle to either side, in degrees.
        p: probability for each picture.
        draw: angles in degrees, with the clock where positive, see `Draw`; `p` holds besides.
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        align_corners: where -1 and 1 are.
        batch: draw once, for all pictures alike.
    """

    @names_nearest
    def __init__(
        self,
        max_deg: float = 10,
        p: float = 0.5,
        draw: Draw = None,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        align_corners: bool = True,
        batch: bool = False,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners, p=p)
        if not math.isfinite(max_deg):
            raise ValueError(f"max_deg={max_deg}; give an angle in degrees")
        self.max_deg, self.draw, self.batch = max_deg, draw, batch

    def matrix(self, x: Tensor) -> Matrix:
        """(B, 3, 3) turned."""
        return rotate_mat(x, self.max_deg, self.p, self.draw, self.batch)


class Zoom(AffineCoordTfm):
    """Enlarge a part of each picture of a batch to the whole, anywhere in it.

    Args:
        min_zoom: least factor; below 1 the picture gets smaller.
        max_zoom: greatest factor.
        p: probability for each picture.
        draw: factors, see `Draw`; `p` holds besides.
        draw_x: where the part lies, from 0 (left) to 1 (right).
        draw_y: from 0 (up) to 1 (down).
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        batch: draw once, for all pictures alike.
        align_corners: where -1 and 1 are.
    """

    @names_nearest
    def __init__(
        self,
        min_zoom: float = 1.0,
        max_zoom: float = 1.1,
        p: float = 0.5,
        draw: Draw = None,
        draw_x: Draw = None,
        draw_y: Draw = None,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        batch: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners, p=p)
        if not 0 < min_zoom <= max_zoom:
            raise ValueError(
                f"min_zoom={min_zoom}, max_zoom={max_zoom}; factors above 0, the least first"
            )
        self.min_zoom, self.max_zoom = min_zoom, max_zoom
        self.draw, self.draw_x, self.draw_y, self.batch = draw, draw_x, draw_y, batch

    def matrix(self, x: Tensor) -> Matrix:
        """(B, 3, 3) zoomed."""
        draws = self.draw, self.draw_x, self.draw_y
        return zoom_mat(x, self.min_zoom, self.max_zoom, self.p, *draws, self.batch)


class Warp(AffineCoordTfm):
    """Show each picture of a batch in perspective: seen from a side, from above or below.

    Args:
        magnitude: greatest change of a side of the picture, as a share of half of it.
        p: probability for each picture.
        draw_x: by how much the left side grows and the right one shrinks, see `Draw`.
        draw_y: by how much the upper side grows and the lower one shrinks.
        size: see `AffineCoordTfm`, as the following.
        mode: how pictures are interpolated.
        pad_mode: what is beyond the picture.
        batch: draw once, for all pictures alike.
        align_corners: where -1 and 1 are.
    """

    @names_nearest
    def __init__(
        self,
        magnitude: float = 0.2,
        p: float = 0.5,
        draw_x: Draw = None,
        draw_y: Draw = None,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        batch: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__(size=size, mode=mode, pad_mode=pad_mode, align_corners=align_corners, p=p)
        if not 0 <= magnitude < 1:
            raise ValueError(f"magnitude={magnitude}; a side changes by a share of 0 to 1 of it")
        self.magnitude, self.batch = magnitude, batch
        self.draw_x, self.draw_y = draw_x, draw_y

    def matrix(self, x: Tensor) -> Matrix:
        """(B, 3, 3) warped."""
        return warp_mat(x, self.magnitude, self.p, self.draw_x, self.draw_y, self.batch)
