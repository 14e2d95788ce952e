"""Augmentations that see one picture at a time, with its mask: cropping, resizing, mirroring.

Whatever is random is drawn once a call in `before_call`, from the picture's size and the generator
of the item; so a picture and its mask are cut alike, and a key gives the same crop every time.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError, names_nearest, nearest
from layerwise.core.random import generator
from layerwise.core.tensors import TensorImageBase, dress
from layerwise.core.transforms.random import RandTransform
from layerwise.vision.io import Box
from layerwise.vision.resample import PadMode
from layerwise.vision.types import PILBase, PILMask

__all__ = [
    "CropPad",
    "DihedralItem",
    "FlipItem",
    "RandomCrop",
    "RandomResizedCrop",
    "Resize",
    "ResizeMethod",
]

Size = tuple[int, int]  # width, height, as Pillow has it

_BILINEAR, _NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


class ResizeMethod:
    """How a picture of other proportions is brought to a size."""

    Squish = "squish"
    Crop = "crop"
    Pad = "pad"


def _target(size: int | Sequence[int]) -> Size:
    """(width, height) from one number or (height, width)."""
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"size={size!r}; a picture has one pixel at least")
    return width, height


def _size_of(b: Any) -> Size:
    """Width and height of the first picture of a sample."""
    for x in b if isinstance(b, tuple) else (b,):
        if isinstance(x, PILBase):
            return x.size
        if isinstance(x, TensorImageBase):
            return x.shape[-1], x.shape[-2]
    names = ", ".join(type(x).__name__ for x in (b if isinstance(b, tuple) else (b,)))
    raise DataError(
        f"no picture to crop in a sample of {names}; start from a block of pictures (ImageBlock)"
    )


def _filter_for(x: PILBase, resamples: Sequence[int]) -> int:
    """The second filter for masks, whose codes must not be mixed; the first for pictures."""
    return resamples[1] if isinstance(x, PILMask) else resamples[0]


def _scaled(box: Box, drawn_for: Size, size: Size) -> Box:
    """`box` on a member of the sample that has another size than the one it was drawn for."""
    if drawn_for == size:
        return box
    across, down = size[0] / drawn_for[0], size[1] / drawn_for[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


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
    def _(self, x: PILBase) -> PILBase:
        return x.flip_lr()

    @encodes.register
    def _(self, x: TensorImageBase) -> TensorImageBase:
        return dress(x.as_plain().flip(-1), x)


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
        self._k = int(_draws(1)[0] * 8)

    def encodes(self, x: PILBase) -> PILBase:
        """Turned and mirrored as drawn."""
        return x.dihedral(self._k)


class _BoxTransform(RandTransform):
    """Cuts a box that `before_call` has set, and brings it to `final_size`."""

    split_idx: int | None = None  # validation is cropped too, in the middle

    def __init__(self, size: int | Sequence[int], resamples: Sequence[int]) -> None:
        super().__init__(p=1.0)
        self.size, self._wh = size, _target(size)
        self.resamples = tuple(resamples)

    def _set(self, original: Size, box: Box) -> None:
        self._drawn_for, self._box = original, box

    def _cut(self, x: PILBase) -> PILBase:
        box = _scaled(self._box, self._drawn_for, x.size)
        return x.resized_crop(box, self._wh, _filter_for(x, self.resamples))


class RandomCrop(_BoxTransform):
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
        super().__init__(size, (_BILINEAR, _NEAREST))

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw the corner."""
        self._drawn_for = _size_of(b)
        sizes = self._drawn_for, self._wh
        self._corner = _middle(*sizes) if split_idx else _place(*sizes, _draws(2))

    def encodes(self, x: PILBase) -> PILBase:
        """The crop."""
        return x.crop_pad(self._wh, self._corner)


class CropPad(RandTransform):
    """The middle of a picture, cropped or padded to `size`; in training and validation alike.

    Args:
        size: one number, or (height, width).
        pad_mode: what is painted outside, of `PadMode`.
    """

    split_idx: int | None = None
    order: float = 0

    @names_nearest
    def __init__(self, size: int | Sequence[int], pad_mode: str = PadMode.Zeros) -> None:
        super().__init__(p=1.0)
        self.size, self._wh, self.pad_mode = size, _target(size), pad_mode

    def encodes(self, x: PILBase) -> PILBase:
        """The middle, padded where it leaves the picture."""
        return x.crop_pad(self._wh, pad_mode=self.pad_mode)


def _draws(count: int) -> list[float]:
    """Numbers from [0, 1), drawn at once since each call costs more than each number."""
    numbers: list[float] = torch.rand(count, generator=generator(), dtype=torch.float64).tolist()
    return numbers


def _place(original: Size, crop: Size, at: Sequence[float]) -> Size:
    """Left and upper edge of a crop, negative where it is the larger; `at` goes from 0 to 1."""
    left, upper = (
        int(share * (abs(spare) + 1)) * (1 if spare > 0 else -1)
        for share, spare in zip(at, (original[0] - crop[0], original[1] - crop[1]), strict=True)
    )
    return left, upper


def _middle(original: Size, crop: Size) -> Size:
    return (original[0] - crop[0]) // 2, (original[1] - crop[1]) // 2


class Resize(_BoxTransform):
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
        resamples: Sequence[int] = (_BILINEAR, _NEAREST),
    ) -> None:
        super().__init__(size, resamples)
        methods = (ResizeMethod.Squish, ResizeMethod.Crop, ResizeMethod.Pad)
        if method not in methods:
            raise ValueError(
                f"method={method!r}; give one of {', '.join(methods)}."
                f"{nearest(str(method), methods)}"
            )
        self.method, self.pad_mode = method, pad_mode

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw the place of the crop, or of the picture within the padding."""
        width, height = original = _size_of(b)
        if self.method == ResizeMethod.Squish:
            self._set(original, (0, 0, width, height))
            return
        ratios = width / self._wh[0], height / self._wh[1]
        ratio = max(ratios) if self.method == ResizeMethod.Pad else min(ratios)
        crop = max(1, round(self._wh[0] * ratio)), max(1, round(self._wh[1] * ratio))
        left, upper = _middle(original, crop) if split_idx else _place(original, crop, _draws(2))
        self._set(original, (left, upper, left + crop[0], upper + crop[1]))

    def encodes(self, x: PILBase) -> PILBase:
        """The picture at the size."""
        if self.method != ResizeMethod.Pad:
            return self._cut(x)
        left, upper, right, lower = map(round, _scaled(self._box, self._drawn_for, x.size))
        return x.crop_pad(
            (right - left, lower - upper),
            (left, upper),
            pad_mode=self.pad_mode,
            resize_mode=_filter_for(x, self.resamples),
            resize_to=self._wh,
        )


class RandomResizedCrop(_BoxTransform):
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
        resamples: Sequence[int] = (_BILINEAR, _NEAREST),
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
        original = _size_of(b)
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
            share, shape, *at = _draws(4)
            scale = self.min_scale + share * (self.max_scale - self.min_scale)
            area = scale * original[0] * original[1]
            ratio = (
                self.ratio[0] * (self.ratio[1] / self.ratio[0]) ** shape
            )  # even in its logarithm
            crop = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < crop[0] <= original[0] and 0 < crop[1] <= original[1]:
                left, upper = _place(original, crop, at)
                return left, upper, left + crop[0], upper + crop[1]
        # Hardly any part of a very long picture has such proportions: as much as has.
        width = max(1, min(original[0], int(original[1] * self.ratio[1])))
        height = max(1, min(original[1], int(original[0] / self.ratio[0])))
        left, upper = _middle(original, (width, height))
        return left, upper, left + width, upper + height

    def encodes(self, x: PILBase) -> PILBase:
        """The part at the size."""
        return self._cut(x)
