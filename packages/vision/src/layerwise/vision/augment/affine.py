"""`AffineCoordTfm`: what moves the pictures, masks, points and boxes of a batch along maps.

Each draws a (B, 3, 3) matrix from places of the output to places of the input, and what stands side
by side in a pipeline is one matrix and one interpolation. A new one is a function that returns such
matrices, `AffineCoordTfm(shear)`, or a subclass with a method `matrix`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.core.items import listify
from layerwise.vision.augment.draw import mask_tensor
from layerwise.vision.augment.matrix import Matrix, as_3x3
from layerwise.vision.augment.one_pass import BatchAugment
from layerwise.vision.augment.places import as_size
from layerwise.vision.augment.plan import Plan
from layerwise.vision.augment.sampling import CoordMap, Sampling
from layerwise.vision.resample import PadMode

__all__ = ["AffineCoordTfm"]

# B: pictures. C: channels. H, W: height and width.

AffineMap = Callable[[Tensor], Tensor]
"""From the (B, C, H, W) batch to (B, 2, 3) or (B, 3, 3) matrices, drawn with `generator()`."""


class AffineCoordTfm(BatchAugment):
    """Read pictures, masks, points and boxes of a batch along maps of coordinates.

    Coordinates are x, y from -1 to 1; a map leads from a place of the output to the place of the
    input that is seen there. All of a row of such transforms is one interpolation.

    Args:
        aff_fs: functions of the batch that return matrices; one or several.
        coord_fs: functions from (B, h, w, 2) coordinates to as many. They follow the matrices, and
            points move by their `inverse` where they have such an attribute, else by Newton's
            method.
        size: height and width of what comes out, or one number for both; as it was if None. With
            a size, validation is resized too, and not moved.
        mode: how pictures are interpolated: "bilinear", "nearest" or "bicubic".
        pad_mode: what is beyond the picture, of `PadMode`.
        mode_mask: how masks are interpolated; codes must not be mixed.
        align_corners: whether -1 and 1 are the middles of the outermost pixels, or their edges.
            Points and boxes, whose -1 and 1 are edges, move with the pixels either way.
        p: probability for each picture.

    Example:
        >>> from layerwise.core.random import generator
        >>> from layerwise.core.tensors import TensorImage
        >>> from layerwise.vision.augment.matrix import affine_mat
        >>> def shear(x):
        ...     by = 0.3 * torch.rand(len(x), generator=generator())
        ...     return affine_mat(1, by, 0, 0, 1, 0)
        >>> AffineCoordTfm(shear)(TensorImage(torch.rand(4, 3, 8, 8)), split_idx=0).shape
        torch.Size([4, 3, 8, 8])
    """

    order: float = 30
    stage = 1
    moves_whole_pixels: ClassVar[bool] = False

    @names_nearest
    def __init__(
        self,
        aff_fs: AffineMap | Sequence[AffineMap] | None = None,
        coord_fs: CoordMap | Sequence[CoordMap] | None = None,
        size: int | Sequence[int] | None = None,
        mode: str = "bilinear",
        pad_mode: str = PadMode.Reflection,
        mode_mask: str = "nearest",
        align_corners: bool = True,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.aff_fs, self.coord_fs = listify(aff_fs), listify(coord_fs)
        self.size = size
        self.mode, self.pad_mode, self.mode_mask = mode, pad_mode, mode_mask
        self.align_corners = align_corners
        self._target = None if size is None else as_size(size)
        self._sampling = Sampling(mode, pad_mode, mode_mask, align_corners).checked()
        if size is not None:
            self.split_idx = None  # validation has to have that size too

    @property
    def kind(self) -> Any:
        """Each that only wraps functions is of its own kind."""
        return self if type(self) is AffineCoordTfm else super().kind

    @property
    def needs(self) -> Sampling | None:
        """How pictures must be read for it; any way will do where pixels come to lie on pixels."""
        return None if self.moves_whole_pixels and self._target is None else self._sampling

    def matrix(self, x: Tensor) -> Matrix | None:
        """(B, 3, 3) or (B, 2, 3) drawn for the batch `x`; None for no change. To be overridden.

        Args:
            x: (B, C, H, W) the pictures as they come to this transform. Where an earlier one of the
                same pass changes their size, shape and device are right, and the values are 0.
        """
        found: Matrix | None = None
        for function in self.aff_fs:
            each = as_3x3(function(x), len(x), function)
            found = each if found is None else found @ each
        if found is None or self.p == 1:
            return found
        kept = mask_tensor(torch.ones(len(x)), self.p).to(found.device).bool()[:, None, None]
        return torch.where(kept, found, torch.eye(3, dtype=found.dtype, device=found.device))

    def plan(self, plan: Plan, split_idx: int | None) -> None:
        """Add the maps, in training, and the size."""
        if plan.sampling is None or self.needs is not None:
            plan.sampling = self._sampling
        if split_idx != 1:
            x = plan.seen()
            matrix = self.matrix(x)
            if matrix is not None:
                plan.add_map(as_3x3(matrix, len(x), self.name))
            for function in self.coord_fs:
                plan.add_map(self._for_some(function, len(x)))
        if self._target is not None:
            plan.resize(self._target)

    def _for_some(self, function: CoordMap, count: int) -> CoordMap:
        if self.p == 1:
            return function
        kept = mask_tensor(torch.ones(count), self.p).bool()[:, None, None, None]
        return lambda grid: torch.where(kept.to(grid.device), function(grid), grid)
