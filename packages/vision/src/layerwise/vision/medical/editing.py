"""Other pixels for a dataset of pydicom: set, or made larger and smaller."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from numpy.typing import NDArray
from torch import Tensor

__all__: list[str] = []


def put_pixels(dataset: Any, px: Any) -> None:
    """Put `px`, an (H, W) array or tensor of whole numbers, into `dataset`, uncompressed.

    Raises:
        ValueError: for another shape, or values that do not fit into the bits of the dataset.
    """
    from pydicom.uid import ExplicitVRLittleEndian

    values = px.detach().cpu().numpy() if isinstance(px, Tensor) else np.asarray(px)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"pixels of shape {values.shape}; give one picture in greys, (H, W)")
    kind = _kind_of(dataset)
    limits = np.iinfo(kind)
    if (values != np.round(values)).any() or values.min() < limits.min or values.max() > limits.max:
        raise ValueError(
            f"pixels from {values.min()} to {values.max()}; this dataset holds whole numbers from "
            f"{limits.min} to {limits.max}, so round and clip them first"
        )
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.BitsAllocated = 1, kind.itemsize * 8
    if dataset.get("BitsStored", 0) < _bits_needed(values, kind):
        dataset.BitsStored, dataset.HighBit = kind.itemsize * 8, kind.itemsize * 8 - 1
    for name in ("NumberOfFrames", "PlanarConfiguration"):
        if name in dataset:
            delattr(dataset, name)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelData = values.astype(kind.newbyteorder("<")).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset["PixelData"].is_undefined_length = False


def _kind_of(dataset: Any) -> np.dtype[Any]:
    depth = max(8, int(dataset.get("BitsAllocated") or 16))
    return np.dtype(f"{'i' if dataset.get('PixelRepresentation') else 'u'}{depth // 8}")


def _bits_needed(values: NDArray[Any], kind: np.dtype[Any]) -> int:
    largest = max(int(values.max()), -int(values.min()) - 1)
    return largest.bit_length() + (kind.kind == "i")


def zoomed(values: NDArray[Any], size: Sequence[int]) -> NDArray[Any]:
    """(H, W) whole numbers at another (height, width): smoothed where it is smaller, bilinear."""
    picture = torch.from_numpy(values.astype(np.float64))[None, None]
    done = F.interpolate(picture, size=tuple(size), mode="bilinear", antialias=True)[0, 0]
    found: NDArray[Any] = done.round().numpy().astype(values.dtype)
    return found


def scale_spacing(dataset: Any, before: Sequence[int], after: Sequence[int]) -> None:
    """Let the tags of where pixels are follow a change of size, where they are there.

    The first pixel stands for a larger or smaller piece of the picture now, and its middle moves.
    """
    spacing = dataset.get("PixelSpacing")
    directions, origin = (
        dataset.get(f"Image{what}Patient") for what in ("Orientation", "Position")
    )
    if spacing and directions and origin:
        row, column = np.array(directions[:3], float), np.array(directions[3:], float)
        down, across = (
            float(step) * (old / new - 1) / 2
            for step, old, new in zip(spacing, before, after, strict=True)
        )
        moved = np.array(origin, float) + across * row + down * column
        dataset.ImagePositionPatient = [f"{place:.10g}" for place in moved]
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        if dataset.get(name):
            sides = zip(dataset[name].value, before, after, strict=True)
            changed = [float(step) * old / new for step, old, new in sides]
            setattr(dataset, name, [f"{step:.10g}" for step in changed])
