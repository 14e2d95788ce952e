"""Pictures and masks as PNG files, written without an image library.

H: height. W: width. C: channels.
"""

from __future__ import annotations

import struct
import zlib

import torch
from torch import Tensor

__all__ = ["png_of"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # grey, RGB, RGB with transparency: by their channels


def png_of(pixels: Tensor) -> bytes:
    """The contents of a PNG file of 8 bits a channel; of 16 for one channel that needs them.

    Args:
        pixels: (H, W), or (C, H, W) of 1, 3 or 4 channels, of whole numbers from 0 to 255; one
            channel may go up to 65535, as codes of many classes do.

    Raises:
        ValueError: for another shape, for fractions, or for numbers outside.

    Example:
        >>> png_of(torch.zeros(2, 3, dtype=torch.uint8))[1:4]
        b'PNG'
    """
    values = pixels.detach().cpu()
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or len(values) not in _COLOUR_TYPES or not values.numel():
        raise ValueError(
            f"a picture of shape {tuple(pixels.shape)}; give (H, W), or (C, H, W) with 1, 3 or 4 "
            "channels"
        )
    if values.is_floating_point():
        raise ValueError("a picture of fractions; give whole numbers, (x * 255).round().byte()")
    low, high = int(values.min()), int(values.max())
    largest = 65535 if len(values) == 1 else 255
    if low < 0 or high > largest:
        raise ValueError(f"a picture with numbers from {low} to {high}; give 0 to {largest}")
    depth = 16 if high > 255 else 8
    rows = values.permute(1, 2, 0).flatten(1).int()  # (C, H, W) -> (H, W * C)
    if depth == 16:  # the higher byte first
        rows = torch.stack([rows >> 8, rows & 255], 2).flatten(1)
    # Each row starts with the number of its filter, and 0 is none.
    lines = torch.nn.functional.pad(rows, (1, 0)).to(torch.uint8)
    head = struct.pack(
        ">IIBBBBB", values.shape[2], values.shape[1], depth, _COLOUR_TYPES[len(values)], 0, 0, 0
    )
    data = zlib.compress(lines.contiguous().numpy().tobytes(), 6)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
