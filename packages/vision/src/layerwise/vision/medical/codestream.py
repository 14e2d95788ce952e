"""How much comes of what is compressed, found before it is decoded.

A few hundred bytes can promise more pixels than fit into memory, whatever the tags around them say.
"""

import os
import zlib
from typing import Any, BinaryIO

__all__: list[str] = []

_JPEG2000 = b"\xff\x4f\xff\x51"
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
# Start of a frame, of any kind of JPEG (three of these numbers mean something else) and of JPEG-LS.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}


def _size_of(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 picture; None for anything else.

    Example:
        >>> _size_of(bytes.fromhex("ff4fff51002f0000 00000100 00000080 00000000 00000000"))
        (128, 256)
    """
    if data[4:8] == b"jP  ":  # JPEG 2000 in boxes, which do not belong here and are found
        data = data[max(0, data.find(_JPEG2000)) :]
    if data[:4] == _JPEG2000 and len(data) >= 24:
        numbers = (int.from_bytes(data[i : i + 4], "big") for i in (8, 12, 16, 20))
        right, lower, left, upper = numbers
        return lower - upper, right - left
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind in _FRAMES:  # length, depth, rows, columns
            rows, columns = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            return rows, columns
        if kind == 0xFF or kind in _WITHOUT_LENGTH:
            at += 1 if kind == 0xFF else 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


_DEFLATED = b"1.2.840.10008.1.2.1.99"
_INFLATED = 2**28  # bytes that a deflated dataset may come to at any ratio
_RATIO = 100  # of pictures it is 10, of empty masks more, but those are small
_CHUNK = 2**20


def check_deflated(file: BinaryIO) -> None:
    """Raise if the dataset in a DICOM file is deflated and comes to more than is sensible.

    Raises:
        ValueError: with the size of the file.
    """
    head = file.read(1024)
    size = os.fstat(file.fileno()).st_size if hasattr(file, "name") else len(file.read()) + 1024
    if _DEFLATED in head and size * 1032 > _INFLATED:  # what deflating can save at most
        inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
        # Behind mark and length comes as much as the length says, and then the dataset.
        file.seek(144 + int.from_bytes(head[140:144], "little"))
        # At the end of the stream, a byte of padding would be offered again and again.
        while not inflater.eof and (data := inflater.unconsumed_tail or file.read(_CHUNK)):
            total += len(inflater.decompress(data, _CHUNK))
            if total > max(_INFLATED, _RATIO * size):
                raise ValueError(f"{size} bytes inflate to over {total}")
    file.seek(0)


def check_frames(dataset: Any, frame: int | None, count: int) -> None:
    """Raise unless the compressed frames of `dataset` are no larger than its tags say.

    Args:
        dataset: of pydicom, compressed.
        frame: the one that will be decoded; all when None.
        count: of frames.

    Raises:
        ValueError: with both sizes.
    """
    from pydicom.encaps import generate_frames, get_frame

    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if frame is None:
        frames = generate_frames(dataset.PixelData, number_of_frames=count)
    else:
        frames = iter([get_frame(dataset.PixelData, frame, number_of_frames=count)])
    for data in frames:
        size = _size_of(data)
        if size is not None and size[0] * size[1] > rows * columns:
            raise ValueError(
                f"what is compressed has {size[1]} x {size[0]} pixels, the tags say "
                f"{columns} x {rows}"
            )
