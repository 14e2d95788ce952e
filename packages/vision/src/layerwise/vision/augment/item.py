"""Augmentations that see one picture at a time, with all that lies on it: resizing and mirroring.

Whatever is random is drawn once a call in `before_call`, from the picture's size and the generator
of the item; so a picture, its mask and its points are cut alike, and a key gives the same crop
every time.
"""

import math
from collections.abc import Sequence
from typing import Any

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import names_nearest, nearest
from layerwise.core.tensors import TensorImageBase
from layerwise.core.transforms.random import RandTransform
from layerwise.vision.augment.places import (
    BILINEAR,
    NEAREST,
    BoxTransform,
    Size,
    draws,
    filter_for,
    middle,
    place,
    scaled,
    size_of,
)
from layerwise.vision.coords import TensorPoint
from layerwise.vision.io import Box
from layerwise.vision.resample import PadMode, check_pad_mode
from layerwise.vision.types import PILBase

__all__ = [
    "DihedralItem",
    "FlipItem",
    "RandomResizedCrop",
    "RatioResize",
    "Resize",
    "ResizeMethod",
]


class ResizeMethod:
    """How a picture of other proportions is brought to a size."""

    Squish = "squish"
    Crop = "crop"
    Pad = "pad"


class FlipItem(RandTransform):
    """Mirror left for right with probability `p`, in training.

    Args:
        p: probability.
    """

    @names_nearest
    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: PILBase | TensorImageBase | TensorPoint) -> Any:
        return x.flip_lr()


class DihedralItem(RandTransform):
    """One of the eight ways in which a square can lie, with probability `p`, in training.

    Args:
        p: probability that one is drawn at all; it may be the one in which nothing changes.
    """

    @names_nearest
    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw one of the eight."""
        super().before_call(b, split_idx)
        self._k = int(draws(1)[0] * 8)

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: PILBase | TensorImageBase | TensorPoint) -> Any:
        return x.dihedral(self._k)


class Resize(BoxTransform):
    """Every picture at `size`, from a JPEG decoded no finer than that needs.

    Args:
        size: one number, or (height, width).
        method: of `ResizeMethod`. `Crop` fills the size and cuts off what is too much, at a random
            place in training and evenly in validation; `Pad` shows all and paints the rest, placed
            likewise; `Squish` gives up the proportions.
        pad_mode: what `Pad` paints, of `PadMode`.
        resamples: filters of Pillow, for pictures and for masks.

    Raises:
        ValueError: if `method` is none of `ResizeMethod`.

    Example:
        >>> from layerwise.vision.types import PILImage
        >>> import numpy as np
        >>> Resize(4)(PILImage.create(np.zeros((8, 12, 3), np.uint8)), split_idx=1).size
        (4, 4)
    """

    order: float = 1

    @names_nearest
    def __init__(
        self,
        size: int | Sequence[int],
        method: str = ResizeMethod.Crop,
        pad_mode: str = PadMode.Reflection,
        resamples: Sequence[int] = (BILINEAR, NEAREST),
    ) -> None:
        super().__init__(size, resamples)
        methods = (ResizeMethod.Squish, ResizeMethod.Crop, ResizeMethod.Pad)
        if method not in methods:
            raise ValueError(
                f"method={method!r}; give one of {', '.join(methods)}."
                f"{nearest(str(method), methods)}"
            )
        check_pad_mode(pad_mode)
        self.method, self.pad_mode = method, pad_mode

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw the place of the crop, or of the picture within the padding."""
        width, height = original = size_of(b)
        if self.method == ResizeMethod.Squish:
            self._set(original, (0, 0, width, height))
            return
        ratios = width / self._wh[0], height / self._wh[1]
        ratio = max(ratios) if self.method == ResizeMethod.Pad else min(ratios)
        crop = max(1, round(self._wh[0] * ratio)), max(1, round(self._wh[1] * ratio))
        left, upper = middle(original, crop) if split_idx else place(original, crop, draws(2))
        self._set(original, (left, upper, left + crop[0], upper + crop[1]))

    encodes = Dispatch()

    @encodes.register
    def _(self, x: PILBase) -> PILBase:
        box = scaled(self._box, self._drawn_for, x.size)
        if self.method != ResizeMethod.Pad:
            return x.resized_crop(box, self._wh, filter_for(x, self.resamples))
        left, upper, right, lower = map(round, box)
        return x.crop_pad(
            (right - left, lower - upper),
            (left, upper),
            pad_mode=self.pad_mode,
            resize_mode=filter_for(x, self.resamples),
            resize_to=self._wh,
        )


class RandomResizedCrop(BoxTransform):
    """A part of the picture, of random area and proportions, at `size` (Szegedy et al., 2015).

    In validation it is the middle: the picture squished to `size` and a margin, without the margin.
    The box is drawn on the whole picture and then decoded and resized in one go.

    Args:
        size: one number, or (height, width).
        min_scale: least share of the area that is taken.
        ratio: least and largest width over height of the part.
        resamples: filters of Pillow, for pictures and for masks.
        val_xtra: the margin in validation, as a share of the size.
        max_scale: largest share of the area that is taken.
    """

    order: float = 1

    @names_nearest
    def __init__(
        self,
        size: int | Sequence[int],
        min_scale: float = 0.08,
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        resamples: Sequence[int] = (BILINEAR, NEAREST),
        val_xtra: float = 0.14,
        max_scale: float = 1.0,
    ) -> None:
        super().__init__(size, resamples)
        if not 0 < min_scale <= max_scale <= 1:
            raise ValueError(
                f"min_scale={min_scale}, max_scale={max_scale}; shares of the area go from above "
                "0 to 1, the least first"
            )
        if not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f"ratio={ratio}; give least and largest width over height")
        self.min_scale, self.max_scale = min_scale, max_scale
        self.ratio, self.val_xtra = ratio, val_xtra

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw the part."""
        original = size_of(b)
        self._set(original, self._without_margin(original) if split_idx else self._part(original))

    def _without_margin(self, original: Size) -> Box:
        extra = math.ceil(max(self._wh) * self.val_xtra / 8) * 8
        width, height = original
        # Whole pixels, so that the fast path of `resize_region` is open.
        across, down = (
            min(round(side * extra / (target + extra) / 2), (side - 1) // 2)
            for side, target in zip(original, self._wh, strict=True)
        )
        return across, down, width - across, height - down

    def _part(self, original: Size) -> Box:
        for _attempt in range(10):
            share, shape, *at = draws(4)
            scale = self.min_scale + share * (self.max_scale - self.min_scale)
            area = scale * original[0] * original[1]
            ratio = (
                self.ratio[0] * (self.ratio[1] / self.ratio[0]) ** shape
            )  # even in its logarithm
            crop = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < crop[0] <= original[0] and 0 < crop[1] <= original[1]:
                left, upper = place(original, crop, at)
                return left, upper, left + crop[0], upper + crop[1]
        # Hardly any part of a very long picture has such proportions: as much as has.
        width = max(1, min(original[0], int(original[1] * self.ratio[1])))
        height = max(1, min(original[1], int(original[0] / self.ratio[0])))
        left, upper = middle(original, (width, height))
        return left, upper, left + width, upper + height


class RatioResize(BoxTransform):
    """Every picture made so large that its longer side is `max_sz`, in proportion.

    Args:
        max_sz: the longer side in pixels.
        resamples: filters of Pillow, for pictures and for masks.

    Example:
        >>> from layerwise.vision.types import PILImage
        >>> import numpy as np
        >>> RatioResize(6)(PILImage.create(np.zeros((8, 12, 3), np.uint8))).size
        (6, 4)
    """

    order: float = 1

    @names_nearest
    def __init__(self, max_sz: int, resamples: Sequence[int] = (BILINEAR, NEAREST)) -> None:
        super().__init__(max_sz, resamples)
        self.max_sz = max_sz

    def before_call(self, b: Any, split_idx: int | None) -> None:  # noqa: ARG002 - nothing is drawn
        """Find the size that this picture gets."""
        width, height = original = size_of(b)
        ratio = self.max_sz / max(original)
        self._wh = max(1, round(width * ratio)), max(1, round(height * ratio))
        self._set(original, (0, 0, width, height))
