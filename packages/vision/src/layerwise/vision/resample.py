"""Cutting a box out of a picture and bringing it to a size, padded where it reaches beyond."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from PIL import Image
from torch import Tensor

from layerwise.core.errors import nearest
from layerwise.vision.io import Box

__all__ = ["PadMode", "Resized", "padded_crop", "placed", "resize_region"]

Resample = Image.Resampling

# Torch's kernels for bytes were written after Pillow's filters, and differ by one level at most.
# With vector instructions they take a third of Pillow's time; without, Pillow is the faster.
_TORCH_FILTERS = {Resample.BILINEAR: "bilinear", Resample.BICUBIC: "bicubic"}


class PadMode:
    """What is painted where a crop reaches beyond the picture."""

    Zeros = "zeros"
    Border = "border"
    Reflection = "reflection"


_NUMPY_PAD = {
    PadMode.Zeros: "constant",
    PadMode.Border: "edge",
    PadMode.Reflection: "reflect",
}


class Resized:
    """A picture that torch has resized and Pillow has not seen: made one only if it has to be.

    Args:
        pixels: (1, 4, H, W) bytes in channels-last order; the fourth channel is idle.
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[3], self.pixels.shape[2]

    def planes(self) -> Tensor:
        """(3, H, W) bytes."""
        return self.pixels[0, :3].contiguous()

    def decode(self, *_args: object) -> Image.Image:
        """As a plain Pillow image."""
        data = self.pixels.permute(0, 2, 3, 1).contiguous().numpy().data
        return Image.frombytes("RGB", self.size, data, "raw", "RGBX")


def resize_region(
    image: Image.Image, box: Box, size: tuple[int, int], resample: int = Resample.BILINEAR
) -> "Image.Image | Resized":
    """The pixels of `box` at `size` (width, height); `box` lies within `image`.

    Args:
        image: a decoded picture.
        box: left, upper, right, lower; fractions of a pixel count.
        size: of the result.
        resample: filter of Pillow.

    Example:
        >>> resize_region(Image.new("RGB", (40, 20)), (0, 0, 20, 20), (10, 10)).size
        (10, 10)
    """
    left, upper, right, lower = box
    whole = int(left), int(upper), int(right), int(lower)
    if whole == tuple(box):
        if (right - left, lower - upper) == size:
            return image.crop(whole)
        if image.mode == "RGB" and resample in _TORCH_FILTERS and _torch_is_faster():
            return _resize_bytes(image, whole, size, _TORCH_FILTERS[Resample(resample)])
    return image.resize(size, resample, box=box, reducing_gap=3.0)


def _torch_is_faster() -> bool:
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _resize_bytes(
    image: Image.Image, box: tuple[int, int, int, int], size: tuple[int, int], mode: str
) -> Resized:
    """By torch, on four bytes a pixel, which is how Pillow holds RGB."""
    width, height = box[2] - box[0], box[3] - box[1]
    # One copy of the box alone; `image.crop(box).tobytes()` makes three.
    encoder = Image._getencoder("RGB", "raw", "RGBX")
    encoder.setimage(image.im, box)
    values = np.frombuffer(encoder.encode(width * height * 4)[2], np.uint8).copy()
    pixels = torch.from_numpy(values).view(1, height, width, 4).permute(0, 3, 1, 2)
    return Resized(F.interpolate(pixels, size=size[::-1], mode=mode, antialias=True))


def placed(
    original: tuple[int, int], box: Box, size: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """How large a whole picture is when its `box` has `size`, and where the box then begins.

    Where the box reaches beyond the picture, both are whole pixels: the picture is then made that
    small first and padded after, and all that moves with it moves by the same numbers.

    Args:
        original: width and height of the picture.
        box: left, upper, right, lower in its pixels.
        size: width and height that the box gets.

    Example:
        >>> placed((100, 50), (20, 0, 60, 40), (20, 20))
        ((50.0, 25.0), (10.0, 0.0))
        >>> placed((100, 50), (0, -25, 100, 75), (33, 33))
        ((33, 16), (0, -8))
    """
    across, down = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
    inner, corner = (original[0] * across, original[1] * down), (box[0] * across, box[1] * down)
    if box[0] >= 0 and box[1] >= 0 and box[2] <= original[0] and box[3] <= original[1]:
        return inner, corner
    whole = max(1, round(inner[0])), max(1, round(inner[1]))
    return whole, (round(corner[0]), round(corner[1]))


def check_pad_mode(pad_mode: str) -> None:
    """Nothing, or an error where `pad_mode` is none of `PadMode`."""
    if pad_mode not in _NUMPY_PAD:
        raise ValueError(
            f"pad_mode={pad_mode!r}; give one of {', '.join(_NUMPY_PAD)}."
            f"{nearest(str(pad_mode), _NUMPY_PAD)}"
        )


def padded_crop(
    image: Image.Image, corner: Sequence[int], size: tuple[int, int], pad_mode: str = PadMode.Zeros
) -> Image.Image:
    """`size` (width, height) pixels from `corner` (left, upper), painted outside as told.

    Raises:
        ValueError: if `pad_mode` is none of `PadMode`.

    Example:
        >>> padded_crop(Image.new("L", (4, 4), 9), (-1, 0), (6, 4), "border").getpixel((0, 0))
        9
    """
    check_pad_mode(pad_mode)
    left, upper = corner
    right, lower = left + size[0], upper + size[1]
    inside = (left, upper, right, lower)
    if pad_mode == PadMode.Zeros or (
        left >= 0 and upper >= 0 and right <= image.width and lower <= image.height
    ):
        return image.crop(inside)  # Pillow paints zeros outside
    before = max(0, -left), max(0, -upper)
    after = max(0, right - image.width), max(0, lower - image.height)
    pixels = np.asarray(image)
    widths = [(before[1], after[1]), (before[0], after[0])] + [(0, 0)] * (pixels.ndim - 2)
    mode = _NUMPY_PAD[pad_mode]
    if min(image.size) == 1 and pad_mode == PadMode.Reflection:
        mode = "edge"  # one pixel has nothing to mirror
    wide = Image.fromarray(np.pad(pixels, widths, mode=mode))  # type: ignore[call-overload]  # a literal of numpy's
    x, y = left + before[0], upper + before[1]
    return wide.crop((x, y, x + size[0], y + size[1]))
