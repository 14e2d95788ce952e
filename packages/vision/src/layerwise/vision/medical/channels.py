"""Slices with a window in each channel, and files of them: JPEG of 8 bits, TIFF and PNG of 16.

No tag of a DICOM file goes into any of these files.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from layerwise.core.files.atomic import write_whole
from layerwise.core.tensors import TensorBase
from layerwise.core.types import PathLike
from layerwise.vision.io import ImageSource
from layerwise.vision.medical.histogram import hist_scaled
from layerwise.vision.medical.tensors import TensorCTScan
from layerwise.vision.medical.windows import Window, windowed

__all__ = ["png16read", "save_jpg", "save_tif16", "to_3chan", "to_nchan", "to_uint16"]

Bins = Tensor | int | None
"""Breaks for `hist_scaled`, None for those of the picture itself, 0 for no such channel."""


def to_nchan(x: Tensor, wins: Sequence[Window], bins: Bins = None) -> TensorCTScan:
    """A channel for each window, and one with the pixels spread evenly.

    Args:
        x: (H, W) or (B, H, W) Hounsfield units.
        wins: windows, pairs (width, level).
        bins: breaks for `hist_scaled`, from `freqhist_bins`; those of `x` when None. 0 leaves that
            channel out.

    Returns:
        (C, H, W) or (B, C, H, W) floats from 0 to 1.

    Example:
        >>> to_nchan(torch.zeros(8, 8), [(80, 40), (254, 100)]).shape
        torch.Size([3, 8, 8])
    """
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    if plain.ndim not in (2, 3):
        raise ValueError(f"pixels of shape {tuple(plain.shape)}; give (H, W) or (B, H, W)")
    if isinstance(bins, int) and bins != 0:
        raise ValueError(f"bins={bins}; give breaks, None to find them, or 0 for no such channel")
    channels = [windowed(plain, *win) for win in wins]
    if not isinstance(bins, int):
        channels.append(hist_scaled(plain, bins))
    if not channels:
        raise ValueError("no window and bins=0 leave no channel; give one of them")
    return TensorCTScan(torch.stack(channels, dim=plain.ndim - 2))


def to_3chan(x: Tensor, win1: Window, win2: Window, bins: Tensor | None = None) -> TensorCTScan:
    """Two windows and the pixels spread evenly: three channels, for models that want colours.

    Args:
        x: (H, W) or (B, H, W) Hounsfield units.
        win1: window of the first channel.
        win2: window of the second.
        bins: breaks for the third; see `to_nchan`.
    """
    return to_nchan(x, [win1, win2], bins)


def to_uint16(x: Tensor, bins: Tensor | None = None) -> NDArray[np.uint16]:
    """The pixels spread evenly over 0 to 65535, as an array.

    Args:
        x: pixels of any shape.
        bins: breaks for `hist_scaled`; those of `x` when None.

    Example:
        >>> to_uint16(torch.tensor([0.0, 5, 10]), torch.tensor([0, 10])).tolist()
        [0, 32768, 65535]
    """
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    return (hist_scaled(plain, bins) * 65535).round().cpu().numpy().astype(np.uint16)


def save_jpg(
    x: Tensor, path: PathLike, wins: Sequence[Window], bins: Bins = None, quality: int = 90
) -> None:
    """Write `to_nchan(x, wins, bins)` as a JPEG; the name ends in .jpg, whatever it ended in.

    Args:
        x: (H, W) Hounsfield units.
        path: of the file.
        wins: windows, pairs (width, level).
        bins: see `to_nchan`.
        quality: of the JPEG, to 95. Channels are neighbours of each other in it: details of one
            are seen in the others, as with colours.

    Raises:
        ValueError: unless one, three or four channels come of it.
    """
    channels = (to_nchan(x, wins, bins).as_plain() * 255).round().byte().cpu()
    modes = {1: "L", 3: "RGB", 4: "CMYK"}
    if channels.ndim != 3 or channels.shape[0] not in modes:
        raise ValueError(
            f"channels of shape {tuple(channels.shape)}; a JPEG holds one slice with 1, 3 or 4: "
            "choose windows and bins that make as many"
        )
    mode = modes[channels.shape[0]]
    pixels = channels.permute(1, 2, 0).contiguous().numpy().tobytes()
    image = Image.frombytes(mode, (channels.shape[2], channels.shape[1]), pixels)
    _write(image, Path(path).with_suffix(".jpg"), "JPEG", quality=quality)


def save_tif16(
    x: Tensor, path: PathLike, bins: Tensor | None = None, compress: bool = True
) -> None:
    """Write `to_uint16(x, bins)` as a TIFF; the name ends in .tif, whatever it ended in.

    Args:
        x: (H, W) pixels.
        path: of the file.
        bins: see `to_uint16`.
        compress: by deflate, without loss.
    """
    if x.ndim != 2:
        raise ValueError(f"pixels of shape {tuple(x.shape)}; a file holds one picture (H, W)")
    settings = {"compression": "tiff_deflate"} if compress else {}
    image = Image.fromarray(to_uint16(x, bins))
    _write(image, Path(path).with_suffix(".tif"), "TIFF", **settings)


def png16read(path: PathLike) -> NDArray[np.uint16]:
    """(H, W) array of a PNG (or TIFF) of 16 bits; one of 8 bits is read as it is.

    Raises:
        BadItemError: when the file is no picture.
    """
    return np.array(ImageSource(path).decode(), dtype=np.uint16)


def _write(image: Image.Image, path: Path, kind: str, **settings: Any) -> None:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **settings)
    write_whole(path, [buffer.getvalue()])
