"""Picture files: reading the header now and the pixels when they are needed, at the scale needed.

A file that cannot be read names itself. Nothing of Pillow's settings is changed: the limit on
pixels is Pillow's own `Image.MAX_IMAGE_PIXELS`, taken here as a limit and not as a warning.
"""

import io
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from layerwise.core.errors import BadItemError

__all__ = ["Box", "ImageSource", "load_image", "to_codes", "to_mode"]

Box = tuple[float, float, float, float]
"""Left, upper, right, lower, in pixels."""

Converter = Callable[[Image.Image, str], Image.Image]

_ORIENTATION = 0x0112  # the EXIF tag


class _Turn(NamedTuple):
    """How pixels as stored become the picture as seen, and which axes run backwards then."""

    method: Image.Transpose
    swaps_sides: bool
    flips_x: bool
    flips_y: bool


_TURNS = {
    2: _Turn(Image.Transpose.FLIP_LEFT_RIGHT, False, True, False),
    3: _Turn(Image.Transpose.ROTATE_180, False, True, True),
    4: _Turn(Image.Transpose.FLIP_TOP_BOTTOM, False, False, True),
    5: _Turn(Image.Transpose.TRANSPOSE, True, False, False),
    6: _Turn(Image.Transpose.ROTATE_270, True, True, False),
    7: _Turn(Image.Transpose.TRANSVERSE, True, True, True),
    8: _Turn(Image.Transpose.ROTATE_90, True, False, True),
}


class ImageSource:
    """A picture of which the header is read and the pixels are not.

    The compressed bytes are kept, not the open file, so that thousands of undecoded pictures need
    no file handles and can be pickled.

    Args:
        data: a path, or the contents of a file.
        exif: turn the picture as its EXIF orientation says.

    Raises:
        BadItemError: when the header is that of no picture, or promises more than
            `PIL.Image.MAX_IMAGE_PIXELS` pixels.
        TypeError: when `data` is neither.
        FileNotFoundError: (or another OSError of the system) when the file cannot be opened.
    """

    def __init__(self, data: str | os.PathLike[str] | bytes, *, exif: bool = True) -> None:
        if not isinstance(data, str | os.PathLike | bytes | bytearray | memoryview):
            raise TypeError(
                "a picture is read from a path or the bytes of a file, not from the "
                f"{type(data).__name__} {data!r:.40}; PILImage.create also makes one of a Pillow "
                "image, an array or a tensor"
            )
        if isinstance(data, bytes | bytearray | memoryview):
            self.data, self.name = bytes(data), f"<{len(data)} bytes in memory>"
        else:
            self.name = os.fspath(data)
            with open(data, "rb", buffering=0) as file:  # noqa: PTH123 - a path costs as much again
                self.data = file.read()
        self.exif, self.scale = exif, 1
        opened = self._open()
        self.stored_size = opened.size
        self.mode = opened.mode
        self.can_draft = isinstance(opened, JpegImageFile)
        self.turn = self._turn_of(opened)
        self._file: Image.Image | None = opened

    @property
    def full_size(self) -> tuple[int, int]:
        """Width and height of the whole picture as seen."""
        width, height = self.stored_size
        return (height, width) if self.turn and self.turn.swaps_sides else (width, height)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that decoding gives at the chosen scale."""
        width, height = self.full_size
        return -(-width // self.scale), -(-height // self.scale)

    def drafted(self, width: float, height: float) -> "ImageSource":
        """The same picture at 1/8, 1/4, 1/2 or 1: the smallest with `width` x `height` at least.

        Only JPEG can be decoded at a smaller scale; others come back as they are.
        """
        if not self.can_draft:
            return self
        full_width, full_height = self.full_size
        fits = [s for s in (8, 4, 2) if full_width >= s * width and full_height >= s * height]
        scale = fits[0] if fits else 1
        if scale == self.scale:
            return self
        other = ImageSource.__new__(ImageSource)
        other.__dict__.update(self.__dict__, scale=scale)
        self._file = None  # an open file can be drafted once
        return other

    def box(self, box: Box) -> Box:
        """`box`, given in pixels of the whole picture, in pixels of the drafted one."""
        if self.scale == 1:
            return box
        width, height = self.full_size
        new_width, new_height = self.size
        # What rounding up adds lies at the end of a stored row; turned, at its beginning.
        dx = new_width - width / self.scale if self.turn and self.turn.flips_x else 0.0
        dy = new_height - height / self.scale if self.turn and self.turn.flips_y else 0.0
        left, upper, right, lower = (v / self.scale for v in box)
        return (
            left + dx,
            upper + dy,
            min(right + dx, new_width),
            min(lower + dy, new_height),
        )

    def decode(self, mode: str | None = None, convert: "Converter | None" = None) -> Image.Image:
        """The pixels as a plain Pillow image, turned and of `mode` (that of the file when None).

        Args:
            mode: of the result.
            convert: makes an image of `mode` from any other; `to_mode` by default.

        Raises:
            BadItemError: when the file is truncated or corrupt.
        """
        file, self._file = self._file or self._open(), None
        try:
            if self.can_draft and (self.scale > 1 or mode == "L"):
                width, height = self.stored_size
                file.draft(mode, (width // self.scale, height // self.scale))
            file.load()
            # PNG may state its orientation behind the pixels.
            turn = self._turn_of(file) if file.format == "PNG" else self.turn
            image: Image.Image = file.transpose(turn.method) if turn else file
            image = (convert or to_mode)(image, mode) if mode else image
        except Exception as error:
            raise self._bad(error) from error
        if turn:
            image.info.pop("exif", None)  # it would turn the picture a second time
        return image

    def _open(self) -> Image.Image:
        limit = Image.MAX_IMAGE_PIXELS
        try:
            file = Image.open(io.BytesIO(self.data))
        except Exception as error:
            raise self._bad(error) from error
        width, height = file.size
        if limit is not None and width * height > limit:
            raise BadItemError(
                f"the picture {self.name} has {width} x {height} pixels, over the limit of "
                f"{limit}; remove it, or raise PIL.Image.MAX_IMAGE_PIXELS if it can be trusted"
            )
        return file

    def _turn_of(self, file: Image.Image) -> _Turn | None:
        # Pillow turns TIFF itself. Looking for EXIF in a PNG that has none would decode it.
        if not self.exif or file.format == "TIFF" or "exif" not in file.info:
            return None
        try:
            return _TURNS.get(file.getexif().get(_ORIENTATION, 1))
        except Exception:
            return None  # broken metadata is no reason to refuse the pixels

    def _bad(self, error: Exception) -> BadItemError:
        empty = "the file is empty" if not self.data else str(error) or type(error).__name__
        # Pillow's text names the buffer in memory, which tells nobody anything.
        reason = "it is in no format that Pillow reads" if "BytesIO" in empty else empty
        return BadItemError(f"cannot read the picture {self.name}: {reason}. Replace or remove it.")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def load_image(
    fn: str | os.PathLike[str] | bytes,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    *,
    exif: bool = True,
) -> Image.Image:
    """The picture in `fn` as a plain Pillow image with its pixels decoded.

    Args:
        fn: a path, or the contents of a file. Of several frames the first is read.
        mode: Pillow's name for the kind of pixels, for example "RGB" or "L"; the file's own if
            None.
        size: width and height that are enough; a JPEG is then decoded at 1/2, 1/4 or 1/8 when it
            has that many pixels even so. The result is no smaller than this and may be much larger.
        exif: turn the picture as its EXIF orientation says.

    Raises:
        BadItemError: when the file is no picture, truncated, corrupt or too large; it is named.

    Example:
        >>> buffer = io.BytesIO()
        >>> Image.new("RGB", (64, 32)).save(buffer, "JPEG")
        >>> load_image(buffer.getvalue(), size=(20, 10)).size
        (32, 16)
    """
    source = ImageSource(fn, exif=exif)
    if size is not None:
        source = source.drafted(*size)
    return source.decode(mode)


def to_mode(image: Image.Image, mode: str) -> Image.Image:
    """`image` in `mode`; 16 bits a channel become 8, transparency is left out.

    Raises:
        ValueError: for pixels that are numbers beyond 16 bits or floats outside 0 to 1, which have
            no one meaning in 8 bits.

    Example:
        >>> to_mode(Image.fromarray(np.full((1, 1), 65535, np.uint16)), "RGB").getpixel((0, 0))
        (255, 255, 255)
    """
    if image.mode == mode:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        image = image.convert("RGBA")
    if image.mode in ("HSV", "LAB") and mode != "RGB":
        image = image.convert("RGB")  # Pillow has no other way from there
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if values.dtype.itemsize == 2:  # "I;16", of either byte order
        return (values >> 8).astype(np.uint8)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.round(values * 255).astype(np.uint8)
    if low >= 0 and high <= 255:
        return np.round(values).astype(np.uint8)
    if values.dtype.kind != "f" and low >= 0 and high <= 65535:
        return (values >> 8).astype(np.uint8)
    raise ValueError(
        f"pixels from {low} to {high} have no one meaning in 8 bits; scale them to 0-255 first and "
        "pass the array"
    )


def to_codes(image: Image.Image, mode: str = "L") -> Image.Image:
    """`image` in `mode` with its class codes kept: what a mask needs.

    A palette of colours only paints the codes, so the indices are taken; one of greys holds them.

    Raises:
        ValueError: when a code is over 255.
    """
    if image.mode == "P" and not _is_grey(image):
        return Image.frombytes("L", image.size, image.tobytes())
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 255:
            raise ValueError(
                f"a mask holds codes from 0 to 255, this one goes up to {values.max()}"
            )
        return Image.fromarray(values.astype(np.uint8))
    return to_mode(image, mode)


def _is_grey(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette() or [], np.uint8).reshape(-1, 3)
    used = np.unique(np.asarray(image))
    colours = palette[used[used < len(palette)]]
    return bool((colours == colours[:, :1]).all())
