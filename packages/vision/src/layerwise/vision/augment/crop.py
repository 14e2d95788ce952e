"""Crops of one picture at its own resolution, padded where they reach beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.transforms.random import RandTransform
from layerwise.vision.augment.places import draws, middle, place, size_of, target_size
from layerwise.vision.coords import TensorPoint
from layerwise.vision.resample import PadMode, check_pad_mode
from layerwise.vision.types import PILBase

__all__ = ["CropPad", "OldRandomCrop", "RandomCrop"]


class _Crop(RandTransform):
    """Cuts a box of `size` at the corner that `_corner_of` finds, in training and validation."""

    split_idx: int | None = None
    pad_mode: str = PadMode.Zeros

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__(p=1.0)
        self.size, self._wh = size, target_size(size)

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Find the corner."""
        self._drawn_for = size_of(b)
        sizes = self._drawn_for, self._wh
        is_drawn = self._is_drawn and not split_idx
        self._corner = place(*sizes, draws(2)) if is_drawn else middle(*sizes)

    _is_drawn: bool = True

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: PILBase) -> PILBase:
        if x.size != self._drawn_for:
            raise DataError(
                f"a {type(x).__name__} of {x.width} x {x.height} pixels lies over a picture of "
                f"{self._drawn_for[0]} x {self._drawn_for[1]}; {type(self).__name__} cuts the same "
                "pixels from both. Bring them to one size first (Resize)"
            )
        return x.crop_pad(self._wh, self._corner, pad_mode=self.pad_mode)

    @encodes.register
    def _(self, x: TensorPoint) -> TensorPoint:
        return x.crop_pad(self._wh, self._corner, self._drawn_for)


class RandomCrop(_Crop):
    """A crop of `size` at its own resolution: anywhere in training, in the middle in validation.

    A picture that is too small is padded with zeros.

    Args:
        size: one number, or (height, width).

    Example:
        >>> from layerwise.vision.types import PILImage
        >>> import numpy as np
        >>> RandomCrop((2, 3))(PILImage.create(np.zeros((8, 8, 3), np.uint8)), split_idx=0).size
        (3, 2)
    """

    order: float = 1  # as `Resize` has it: the two come in the order in which they are given

    @names_nearest
    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__(size)


class OldRandomCrop(_Crop):
    """`RandomCrop` with a choice of padding, and before the transforms that resize.

    Args:
        size: one number, or (height, width).
        pad_mode: what is painted outside, of `PadMode`.
    """

    order: float = 0

    @names_nearest
    def __init__(self, size: int | Sequence[int], pad_mode: str = PadMode.Zeros) -> None:
        super().__init__(size)
        check_pad_mode(pad_mode)
        self.pad_mode = pad_mode


class CropPad(_Crop):
    """The middle of a picture, cropped or padded to `size`; in training and validation alike.

    Args:
        size: one number, or (height, width).
        pad_mode: what is painted outside, of `PadMode`.
    """

    order: float = 0
    _is_drawn = False

    @names_nearest
    def __init__(self, size: int | Sequence[int], pad_mode: str = PadMode.Zeros) -> None:
        super().__init__(size)
        check_pad_mode(pad_mode)
        self.pad_mode = pad_mode
