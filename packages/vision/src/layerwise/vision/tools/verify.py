"""Which files are pictures: each is decoded to its last pixel, since headers tell little.

Pillow's own `verify` is content with a JPEG of which half is missing.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from layerwise.core.errors import BadItemError, MissingDependencyError
from layerwise.core.items import L
from layerwise.core.types import PathLike
from layerwise.vision.io import ImageSource
from layerwise.vision.tools.threads import core_count, in_threads

__all__ = ["image_error", "verify_image", "verify_images"]


def image_error(fn: PathLike | bytes, *, strict: bool = False) -> str | None:
    """Why `fn` is no picture that can be read to its end; None if it is one.

    Args:
        fn: a path, or the contents of a file.
        strict: a JPEG has to be without damage as well. Pillow (and so a `DataLoader`) paints
            something where data in the middle are damaged; the library simplejpeg tells.

    Raises:
        MissingDependencyError: if `strict` and simplejpeg is not there.

    Example:
        >>> image_error(b"")
        'cannot read the picture <0 bytes in memory>: the file is empty. Replace or remove it.'
    """
    decode_strictly = _strict_decoder() if strict else None
    try:
        source = ImageSource(fn)
        # Numbers without a meaning in 8 bits make no picture either.
        source.decode("RGB" if source.mode[0] in "FI" else None)
        if source.can_draft and decode_strictly is not None:
            _check_strictly(source, decode_strictly)
    except (BadItemError, OSError) as error:
        return str(error)
    return None


def verify_image(fn: PathLike, *, strict: bool = False) -> bool:
    """Whether the file `fn` is a picture that can be read to its end; see `image_error`.

    Example:
        >>> verify_image("/there/is/no.jpg")
        False
    """
    return image_error(fn, strict=strict) is None


def verify_images(
    fns: Iterable[PathLike], *, strict: bool = False, n_workers: int | None = None
) -> L[Path]:
    """The files among `fns` that are no pictures or broken ones, in the order given.

    `verify_images(get_image_files(path)).map(Path.unlink)` removes them.

    Args:
        fns: paths.
        strict: see `image_error`.
        n_workers: threads; one for each core when None.

    Example:
        >>> verify_images(["/there/is/no.jpg"]).attrgot("name")
        (#1) ['no.jpg']
    """
    files = [Path(fn) for fn in fns]
    if strict:
        _strict_decoder()
    check = partial(verify_image, strict=strict)
    checked = in_threads(check, files, core_count(n_workers), "verify")
    return L([files[i] for i in sorted(i for i, is_good in checked if not is_good)])


def _strict_decoder() -> Any:
    try:
        from simplejpeg import decode_jpeg
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "simplejpeg", needed_for="strict checks of JPEG files", install="simplejpeg"
        ) from error
    return decode_jpeg


def _check_strictly(source: ImageSource, decode: Any) -> None:
    grey = source.mode == "L"
    if source.mode not in ("L", "RGB"):
        return  # CMYK, which simplejpeg cannot turn into colours
    try:
        decode(source.data, colorspace="GRAY" if grey else "RGB", strict=True)
    except ValueError as error:
        raise BadItemError(
            f"the picture {source.name} is damaged: {error}. Replace or remove it."
        ) from error
