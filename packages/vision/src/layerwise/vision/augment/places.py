"""Where a crop lies in a picture, drawn or in the middle, for all members of a sample at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError
from layerwise.core.items import is_iter
from layerwise.core.random import generator
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.random import RandTransform
from layerwise.vision.coords import TensorPoint, picture_size
from layerwise.vision.io import Box
from layerwise.vision.types import PILBase, PILMask

__all__: list[str] = []

Size = tuple[int, int]  # width, height, as Pillow has it

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


def target_size(size: int | Sequence[int]) -> Size:
    """(width, height) from one number or (height, width)."""
    height, width = as_size(size)
    return width, height


def as_size(size: int | Sequence[int] | None) -> tuple[int, int]:
    """(height, width) from one number or both.

    Raises:
        ValueError: for what is neither, and for less than a pixel.
    """
    number = int | np.integer
    sides: Any = (size, size) if isinstance(size, number) else size
    if not is_iter(sides) or len(sides) != 2 or not all(isinstance(x, number) for x in sides):
        raise ValueError(f"size={size!r}; give one number of pixels, or (height, width)")
    height, width = map(int, sides)
    if min(height, width) < 1:
        raise ValueError(f"size={size!r}; a picture has one pixel at least")
    return height, width


def size_of(sample: Any) -> Size:
    """Width and height of the first picture of a sample, or of one that a member belongs to.

    Raises:
        DataError: if there is none, if it is a tensor and would not be cut with its points, if
            it is a batch, or if a mask has other proportions than its picture.
    """
    members = sample if isinstance(sample, tuple) else (sample,)
    names = ", ".join(type(x).__name__ for x in members)
    _refuse_batch(members)
    size = picture_size(sample)
    if size is None:
        size = next((x.img_size for x in members if getattr(x, "img_size", None)), None)
    if size is None:
        raise DataError(
            f"no picture to crop in a sample of {names}; start from a block of pictures "
            "(ImageBlock)"
        )
    _refuse_mask_of_another_shape(members, size)
    has_points = any(isinstance(x, TensorPoint) for x in members)
    if has_points and any(isinstance(x, TensorImage) for x in members):
        raise DataError(
            f"a sample of {names}: only pictures of Pillow are cut and resized one by one, and "
            "points must not move alone; read the picture as PILImage (ImageBlock), or resize "
            "whole batches"
        )
    return size


def _refuse_batch(members: Sequence[Any]) -> None:
    batch = next((x for x in members if isinstance(x, TensorImage) and x.ndim > 3), None)
    if batch is not None:
        raise DataError(
            f"a batch of shape {tuple(batch.shape)}: pictures are cropped and resized one by one, "
            "so give this as item_tfms=; batches are resized by aug_transforms(size=...)"
        )


def _refuse_mask_of_another_shape(members: Sequence[Any], size: Size) -> None:
    for mask in members:
        if isinstance(mask, PILMask):
            # A mask at a fraction of the picture's size may be off by what was rounded.
            apart = abs(size[0] * mask.height - size[1] * mask.width)
            if apart > max(*size, *mask.size):
                raise DataError(
                    f"a mask of {mask.width}x{mask.height} for a picture of {size[0]}x{size[1]}, "
                    "which has other proportions; one of the files belongs to another picture, or "
                    "was turned or cropped alone"
                )


def filter_for(x: PILBase, resamples: Sequence[int]) -> int:
    """The second filter for masks, whose codes must not be mixed; the first for pictures."""
    return resamples[1] if isinstance(x, PILMask) else resamples[0]


def scaled(box: Box, drawn_for: Size, size: Size) -> Box:
    """`box` on a member of the sample that has another size than the one it was drawn for."""
    if drawn_for == size:
        return box
    across, down = size[0] / drawn_for[0], size[1] / drawn_for[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def draws(count: int) -> list[float]:
    """Numbers from [0, 1), drawn at once since each call costs more than each number."""
    numbers: list[float] = torch.rand(count, generator=generator(), dtype=torch.float64).tolist()
    return numbers


def place(original: Size, crop: Size, at: Sequence[float]) -> Size:
    """Left and upper edge of a crop, negative where it is the larger; `at` goes from 0 to 1."""
    left, upper = (
        int(share * (abs(spare) + 1)) * (1 if spare > 0 else -1)
        for share, spare in zip(at, (original[0] - crop[0], original[1] - crop[1]), strict=True)
    )
    return left, upper


def middle(original: Size, crop: Size) -> Size:
    """Left and upper edge of a crop in the middle."""
    return (original[0] - crop[0]) // 2, (original[1] - crop[1]) // 2


class BoxTransform(RandTransform):
    """Cuts a box that `before_call` has set, and brings it to a size."""

    split_idx: int | None = None  # validation is cropped too, in the middle

    def __init__(self, size: int | Sequence[int], resamples: Sequence[int]) -> None:
        super().__init__(p=1.0)
        self.size, self._wh = size, target_size(size)
        self.resamples = tuple(resamples)

    def _set(self, original: Size, box: Box) -> None:
        self._drawn_for, self._box = original, box

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: PILBase) -> PILBase:
        box = scaled(self._box, self._drawn_for, x.size)
        return x.resized_crop(box, self._wh, filter_for(x, self.resamples))

    @encodes.register
    def _(self, x: TensorPoint) -> TensorPoint:
        left, upper, right, lower = self._box
        return x.crop_pad(
            (right - left, lower - upper), (left, upper), self._drawn_for, resize_to=self._wh
        )
