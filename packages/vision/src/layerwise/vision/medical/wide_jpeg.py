"""JPEG Extended with 12 bits a pixel, by GDCM itself.

pydicom (3.0) does not hand such frames to GDCM; this can go when it does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.errors import MissingDependencyError

__all__: list[str] = []


def decode_frames(dataset: Any, frame: int | None = None) -> NDArray[Any]:
    """The values of one frame (H, W) of `dataset`, or of all when None: (N, H, W) if several.

    Raises:
        MissingDependencyError: if GDCM does not import.
        ValueError: if it cannot decode a frame.
    """
    from pydicom.encaps import generate_frames, get_frame

    count = int(dataset.get("NumberOfFrames") or 1)
    data = dataset.PixelData
    if frame is not None:
        return _decode(get_frame(data, frame, number_of_frames=count), dataset)
    frames = [_decode(part, dataset) for part in generate_frames(data, number_of_frames=count)]
    return frames[0] if count == 1 else np.stack(frames)


def _decode(data: bytes, dataset: Any) -> NDArray[Any]:
    try:
        import gdcm  # type: ignore[import-untyped]  # it has none
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "python-gdcm",
            needed_for="pixels compressed as 12-bit JPEG",
            install="layerwise-vision[medical]",
        ) from error
    values = _image(gdcm, data, dataset).GetBuffer()
    if not values:
        raise ValueError("GDCM cannot decode this JPEG of 12 bits")
    pixels = np.frombuffer(
        values.encode("utf-8", "surrogateescape"),  # how SWIG hands over bytes
        np.int16 if dataset.PixelRepresentation else np.uint16,
    )
    return pixels.reshape(dataset.Rows, dataset.Columns)


def _image(gdcm: Any, data: bytes, dataset: Any) -> Any:
    """An image of GDCM around one compressed frame."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((int(dataset.Columns), int(dataset.Rows), 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(dataset.PhotometricInterpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    syntax = gdcm.TransferSyntax.GetTSType(str(dataset.file_meta.TransferSyntaxUID))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    depth = [int(dataset[name].value) for name in ("BitsAllocated", "BitsStored", "HighBit")]
    image.SetPixelFormat(gdcm.PixelFormat(1, *depth, int(dataset.PixelRepresentation)))
    return image
