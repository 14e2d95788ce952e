"""Tags as plain values, and which of them say nothing about a patient.

What is not in the list below is left out unless it is asked for by name: names, numbers, dates,
places, devices, texts that people type, unique identifiers, private tags and all that is nested.
"""

from collections.abc import Iterable
from typing import Any

from layerwise.core.errors import nearest

__all__ = ["SAFE_TAGS", "DcmMultiValue", "DcmTag"]

SAFE_TAGS: tuple[str, ...] = (
    "AcquisitionNumber", "BitsAllocated", "BitsStored", "BodyPartExamined", "BurnedInAnnotation",
    "Columns", "ConvolutionKernel", "EchoTime", "Exposure", "ExposureTime", "FlipAngle",
    "GantryDetectorTilt", "HighBit", "ImageLaterality", "ImageOrientationPatient",
    "ImagePositionPatient", "ImageType", "ImagerPixelSpacing", "InstanceNumber", "KVP",
    "Laterality", "LossyImageCompression", "LossyImageCompressionRatio", "MagneticFieldStrength",
    "Manufacturer", "ManufacturerModelName", "Modality", "NumberOfFrames", "PatientPosition",
    "PhotometricInterpretation", "PixelPaddingValue", "PixelRepresentation", "PixelSpacing",
    "RepetitionTime", "RescaleIntercept", "RescaleSlope", "RescaleType", "Rows",
    "SamplesPerPixel", "SeriesNumber", "SliceLocation", "SliceThickness",
    "SpacingBetweenSlices", "ViewPosition", "WindowCenter", "WindowWidth", "XRayTubeCurrent",
)  # fmt: skip
"""Tags that describe the picture and how it was taken, by their names in pydicom."""


class _OfPydicom(type):
    """A class that stands for one of pydicom, which need not be imported for it."""

    def __instancecheck__(cls, instance: object) -> bool:
        return type(instance).__module__.startswith("pydicom.") and isinstance(
            instance,
            cls.original(),  # type: ignore[attr-defined]  # as above
        )


class DcmTag(metaclass=_OfPydicom):
    """The number of a tag: stands for `pydicom.tag.BaseTag`, and is made as `pydicom.tag.Tag` does.

    Example:
        >>> tag = DcmTag("PatientID")
        >>> isinstance(tag, DcmTag), tag == 0x00100020
        (True, True)
    """

    @staticmethod
    def original() -> Any:
        """The class of pydicom."""
        from pydicom.tag import BaseTag

        return BaseTag

    def __new__(cls, *numbers: Any) -> Any:
        """A tag of pydicom, from its number, its two halves or its name."""
        from pydicom.tag import Tag

        return Tag(*numbers)


class DcmMultiValue(metaclass=_OfPydicom):
    """Several values of one tag: stands for `pydicom.multival.MultiValue`.

    Example:
        >>> isinstance(DcmMultiValue(float, [0.5, 0.5]), DcmMultiValue)
        True
    """

    @staticmethod
    def original() -> Any:
        """The class of pydicom."""
        from pydicom.multival import MultiValue

        return MultiValue

    def __new__(cls, kind: Any, values: Iterable[Any]) -> Any:
        """Several values of pydicom, each made by `kind`."""
        return cls.original()(kind, values)


def plain_tags(dataset: Any, keep: Iterable[str] = ()) -> dict[str, Any]:
    """{name: value} of the safe tags of a dataset of pydicom, and of those in `keep`.

    Of several values each has an entry: `PixelSpacing`, `PixelSpacing1`, and `MultiPixelSpacing`
    of 1. `keep` has to have passed `check_keep`.
    """
    found: dict[str, Any] = {}
    for name in sorted({*SAFE_TAGS, *keep}):
        if name not in dataset:
            continue
        value = dataset[name].value
        if not _is_several(value):
            found[name] = _plain(value)
            continue
        for i, one in enumerate(value):
            found[f"{name}{i or ''}"] = _plain(one)
        found[f"Multi{name}"] = 1
    return found


def check_keep(keep: Iterable[str]) -> tuple[str, ...]:
    """`keep`, if all of it are names of tags with plain values."""
    from pydicom.datadict import dictionary_VR, keyword_dict

    names = (keep,) if isinstance(keep, str) else tuple(keep)
    for name in names:
        if name not in keyword_dict:
            raise ValueError(
                f"keep={name!r} is the name of no tag.{nearest(str(name), keyword_dict)} Private "
                "tags cannot be kept; read them with dcmread"
            )
        if dictionary_VR(keyword_dict[name]) in ("SQ", "OB", "OW", "OD", "OF", "OL", "UN"):
            raise ValueError(
                f"keep={name!r} is a sequence or raw data, which has no plain value and may hold "
                "names of patients deeper down; read what you need with dcmread"
            )
    return names


def _is_several(value: Any) -> bool:
    return isinstance(value, list | tuple) or type(value).__name__ == "MultiValue"


def _plain(value: Any) -> Any:
    """A number, text or None for a value of pydicom."""
    if value is None or type(value) in (int, float, str):
        return value
    if isinstance(value, float | int):
        return float(value) if isinstance(value, float) else int(value)
    return float(value) if type(value).__name__ == "DSdecimal" else str(value)
