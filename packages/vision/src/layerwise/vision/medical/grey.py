"""What stored values mean (modality) and how they are to be looked at (values of interest).

After DICOM PS3.3, C.11.1 and C.11.2. Rescaling happens wherever the tags are there, whatever the
modality.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__: list[str] = []

_TAGS = (
    "BitsStored", "ModalityLUTSequence", "PhotometricInterpretation", "RescaleIntercept",
    "RescaleSlope", "VOILUTFunction", "VOILUTSequence", "WindowCenter", "WindowWidth",
)  # fmt: skip

Array = NDArray[Any]


_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_OF_GREYS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def has_groups(dataset: Any) -> bool:
    """Whether tags are given for frames, as in the enhanced kinds of files."""
    return any(group in dataset for group in _GROUPS)


def tags_of_frame(dataset: Any, frame: int) -> Mapping[str, Any]:
    """The tags of greys that hold for one frame: its own, then those of all frames."""
    found = {name: dataset.get(name) for name in _TAGS if name in dataset}
    for group, place in zip(_GROUPS, (0, frame), strict=True):
        sequence = dataset.get(group) or []
        if place < len(sequence):
            for inner in _OF_GREYS:
                item = _first(sequence[place].get(inner))
                if item is not None:
                    found |= {name: item.get(name) for name in _TAGS if name in item}
    return found


def rescaled(values: Array, dataset: Any) -> Array:
    """Stored `values` in units of the modality, for CT in Hounsfield units; as floats.

    By the lookup table of the dataset if it has one, else by slope and intercept, else unchanged.
    """
    table = _first(dataset.get("ModalityLUTSequence"))
    if table is not None:
        found, _ = _looked_up(values, table)
        return found.astype(np.float64)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    # Floats of 32 bits hold each number of 16 exactly.
    done: Array = values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    if slope is not None and slope != 1:
        done = done * float(slope)
    if intercept is not None and intercept != 0:
        done = done + float(intercept)
    return done


def shown_by_tags(stored: Array, dataset: Any) -> Array:
    """Stored values from 0 to 1, as the dataset says that they are to be shown.

    By its lookup table for values of interest if it has one, else by the first of its windows,
    else from the least value to the largest. Of MONOCHROME1, in which low values are bright, the
    result is inverted: 0 is black always.
    """
    values = rescaled(stored, dataset)
    table = _first(dataset.get("VOILUTSequence"))
    centre, width = (_first(dataset.get(f"Window{what}")) for what in ("Center", "Width"))
    if table is not None:
        found, depth = _looked_up(np.round(values).astype(np.int64), table)
        done = found / (2.0**depth - 1)
    elif centre is not None and width is not None:
        function = str(dataset.get("VOILUTFunction") or "LINEAR")
        done = _through_window(values, float(centre), float(width), function)
    else:
        low, high = float(values.min()), float(values.max())
        done = (values - low) / ((high - low) or 1.0)
    return 1 - done if is_inverted(dataset) else done


def colour_bits(values: Array, dataset: Any) -> int:
    """How many bits stand for white in colours that are stored, or looked up in a palette."""
    is_looked_up = int(dataset.get("SamplesPerPixel") or 1) == 1
    stored = None if is_looked_up else dataset.get("BitsStored")
    return int(stored or values.dtype.itemsize * 8)


def is_inverted(dataset: Any) -> bool:
    """Whether low values are bright."""
    return bool(dataset.get("PhotometricInterpretation") == "MONOCHROME1")


def turned_over(values: Array, dataset: Any) -> Array:
    """Stored whole numbers with the least of their range for the largest, and so on."""
    if values.dtype.kind not in "iu":
        return -values
    bits = int(dataset.get("BitsStored") or values.dtype.itemsize * 8)
    both_ends = -1 if values.dtype.kind == "i" else 2**bits - 1  # their sum
    return both_ends - values.astype(np.int64)


def _through_window(x: Array, centre: float, width: float, function: str) -> Array:
    if function == "SIGMOID":
        shown: Array = (1 + np.tanh(2 * (x - centre) / width)) / 2  # without exp, no overflow
        return shown
    if function == "LINEAR":  # half a grey beside what one would expect: so it is written there
        centre, width = centre - 0.5, width - 1
    if width <= 0:
        return (x > centre).astype(np.float64)
    return ((x - centre) / width + 0.5).clip(0, 1)


def _looked_up(values: Array, table: Any) -> tuple[Array, int]:
    """What stands for `values` in a lookup table, and with how many bits."""
    count, first, depth = (int(number) for number in table.LUTDescriptor)
    if values.dtype.kind == "i" and first > 32767:
        first -= 65536  # written as unsigned, meant as the pixels are
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2" if depth > 8 else np.uint8)
    entries = np.asarray(data, np.int64) & 0xFFFF
    places = np.clip(values.astype(np.int64) - first, 0, (count or 65536) - 1)
    return entries[np.minimum(places, len(entries) - 1)], depth


def _first(value: Any) -> Any:
    """The first of several values, the value itself if it is one, None if there is none."""
    if value is None or isinstance(value, str):
        return value or None
    if hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        return value[0] if len(value) else None
    return value
