"""DICOM files found and read, and the pixels stored in them decoded; pydicom does the work.

Whatever is wrong with a file is a `BadItemError` that names it; a missing decoder is named with
what to install.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layerwise.core.data.source import get_files
from layerwise.core.errors import BadItemError, MissingDependencyError
from layerwise.core.items import L
from layerwise.core.types import PathLike
from layerwise.vision.medical.codestream import check_deflated, check_frames

__all__ = ["get_dicom_files"]

_EXTRA = "layerwise-vision[medical]"
_HTJ2K = "1.2.840.10008.1.2.4.20"  # .201 to .203, which GDCM does not know
_FRAMES_AT_ONCE = 2**31  # bytes that a file without compression could hold in one element
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def get_dicom_files(
    path: PathLike, recurse: bool = True, folders: str | Iterable[str] | None = None
) -> L[Path]:
    """The files below `path` that end in .dcm or .dicom, sorted; see `get_files`.

    Scanners also write files without any ending; `get_files(path)` lists those.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "1.DCM").touch()
        ...     get_dicom_files(folder).attrgot("name")
        (#1) ['1.DCM']
    """
    return get_files(path, (".dcm", ".dicom"), recurse, folders)


def pydicom_of(needed_for: str) -> Any:
    """The library pydicom.

    Raises:
        MissingDependencyError: if it does not import; says what to install.
    """
    try:
        import pydicom
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of("pydicom", needed_for=needed_for, install=_EXTRA) from error
    return pydicom


def read_dataset(fn: PathLike | bytes, force: bool = False, *, header: bool = False) -> Any:
    """The dataset of pydicom in `fn`.

    Args:
        fn: a path, or the contents of a file.
        force: read files that lack the mark of DICOM.
        header: stop before the pixels.

    Raises:
        BadItemError: when the file is no DICOM, or broken; it is named.
        FileNotFoundError: (or another OSError of the system) when it cannot be opened.
    """
    pydicom = pydicom_of("DICOM files")
    name = _name_of(fn)
    with _opened(fn) as file:
        try:
            check_deflated(file)
            return pydicom.dcmread(file, force=force, stop_before_pixels=header)
        except pydicom.errors.InvalidDicomError as error:
            raise BadItemError(
                f"{name} is no DICOM file: it lacks the mark at byte 128. Remove it; or pass "
                "force=True if it is one without its header"
            ) from error
        except Exception as error:
            raise _broken(name, error) from error


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Whatever goes wrong inside with the contents of a file is a `BadItemError` that names it."""
    try:
        yield
    except (BadItemError, MissingDependencyError):
        raise
    except Exception as error:
        raise _broken(name, error) from error


def _opened(fn: PathLike | bytes) -> BinaryIO:
    if isinstance(fn, bytes):
        from io import BytesIO

        return BytesIO(fn)
    return Path(fn).open("rb")


def _name_of(fn: PathLike | bytes) -> str:
    return f"<{len(fn)} bytes in memory>" if isinstance(fn, bytes) else os.fspath(fn)


def _broken(name: str, error: Exception) -> BadItemError:
    said = " ".join(str(error).split()) or type(error).__name__
    return BadItemError(f"cannot read the DICOM file {name}: {said}. Replace or remove it.")


def stored_pixels(dataset: Any, name: str, frame: int | None = None) -> NDArray[Any]:
    """The values stored in `dataset`, decompressed; colours as RGB, palettes looked up.

    Args:
        dataset: of pydicom.
        name: of its file, for messages.
        frame: which one of several; all when None.

    Returns:
        (H, W), (N, H, W) for several frames; (H, W, 3) or (N, H, W, 3) for colours. Bits outside
        those that the header calls stored are cleared.

    Raises:
        BadItemError: without pixels, with fewer than promised, or with more than is sensible.
        MissingDependencyError: if no decoder for the compression is installed; says which.
        IndexError: if there is no such frame.
    """
    pydicom_of("DICOM files")
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    _check_size(dataset, name, frame)
    with named_errors(name):
        _check_decoder(dataset, name, frame)
        if _is_wide_jpeg(dataset):
            from layerwise.vision.medical.wide_jpeg import decode_frames

            values = decode_frames(dataset, frame)
        else:
            values = pixel_array(dataset, index=frame, correct_unused_bits=False)
        if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            values = apply_color_lut(values, dataset)
        return _stored_bits(values, dataset)


def frame_count(dataset: Any) -> int:
    """How many frames a dataset of pydicom says it has."""
    return int(dataset.get("NumberOfFrames") or 1)


def _check_size(dataset: Any, name: str, frame: int | None) -> None:
    if not any(kind in dataset for kind in _PIXELS):
        kind = getattr(dataset.get("SOPClassUID"), "name", "a dataset")
        raise BadItemError(f"{name} has no pixels: it is {kind}. Leave it out.")
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames, depth = frame_count(dataset), int(dataset.get("BitsAllocated") or 8)
        samples = int(dataset.get("SamplesPerPixel") or 1)
    except (AttributeError, TypeError, ValueError) as error:
        raise _broken(name, error) from error
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and rows * columns > limit:
        raise BadItemError(
            f"the DICOM file {name} has {columns} x {rows} pixels, over the limit of {limit}; "
            "remove it, or raise PIL.Image.MAX_IMAGE_PIXELS if it can be trusted"
        )
    if frame is None and frames * rows * columns * samples * depth // 8 > _FRAMES_AT_ONCE:
        raise BadItemError(
            f"the {frames} frames of {name} take over {_FRAMES_AT_ONCE >> 30} GiB; "
            "name one, as in frame=0"
        )
    if frame is not None and not 0 <= frame < frames:
        raise IndexError(f"frame={frame} of {name}, which has {frames}; the first is 0")


def _check_decoder(dataset: Any, name: str, frame: int | None) -> None:
    """Raise unless what compressed the pixels can be undone here, in the memory it should take."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None or not syntax.is_compressed or syntax.is_deflated:
        return
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise BadItemError(
            f"the pixels of {name} are compressed as {syntax.name}, which no library here "
            "decodes; convert the file, or remove it"
        ) from error
    if not decoder.is_available:
        install = "pylibjpeg-openjpeg" if syntax.startswith(_HTJ2K) else _EXTRA
        library = "pylibjpeg" if syntax.startswith(_HTJ2K) else "python-gdcm"
        raise MissingDependencyError.of(
            library, needed_for=f"pixels compressed as {syntax.name} ({name})", install=install
        )
    check_frames(dataset, frame, frame_count(dataset))


def _is_wide_jpeg(dataset: Any) -> bool:
    """JPEG Extended with 12 bits, which GDCM decodes and pydicom does not let it."""
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    return syntax == "1.2.840.10008.1.2.4.51" and int(dataset.get("BitsStored") or 8) > 8


def _stored_bits(values: NDArray[Any], dataset: Any) -> NDArray[Any]:
    """`values` without the bits beside those stored, where old files keep overlays."""
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    depth = values.dtype.itemsize * 8
    stored = int(dataset.get("BitsStored") or depth)
    if values.dtype.kind not in "iu" or values.shape[-1:] == (3,) or not 1 < stored < depth:
        return values
    high = int(dataset.get("HighBit", stored - 1))
    left = depth - 1 - high
    # A right shift of signed numbers brings the sign along.
    return (values << left) >> (depth - stored)
