"""Series of slices as volumes: sorted, checked to be one series without gaps, and stacked.

Shapes: D slices, H rows, W columns.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from numpy.typing import NDArray
from torch import Tensor

from layerwise.core.data.source import get_files
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.tensors import TensorBase, TensorImage, dress
from layerwise.core.types import PathLike
from layerwise.vision.medical.dataset import DcmDataset, dcmread
from layerwise.vision.medical.windows import windowed

__all__ = ["TensorVolume", "volume"]

_UNEVEN = 0.02  # as a share of the distance of slices, what their positions may be off by


class TensorVolume(TensorBase):
    """(D, H, W) or (C, D, H, W) values of the modality, or a batch of them.

    Attributes, where they are known: `spacing`, millimetres from one slice, row and column to the
    next; `affine`, (4, 4), from (slice, row, column, 1) to the millimetres of the patient as DICOM
    has them (to the left, to the back, to the head). It leans where the gantry did.
    """

    @classmethod
    def create(
        cls, fn: PathLike | Tensor, size: Sequence[int] | None = None, spacing: float | None = None
    ) -> Self:
        """(1, D, H, W) floats of the series in the folder `fn`.

        Args:
            fn: a folder with nothing but the slices of one series; or a volume (D, H, W).
            size: (D, H, W) to bring it to, by linear interpolation.
            spacing: see `volume`.
        """
        made = fn if isinstance(fn, Tensor) else volume(get_files(fn), spacing=spacing)
        plain = made.as_plain() if isinstance(made, TensorBase) else made
        stacked = plain[None].float()  # (D, H, W) -> (1, D, H, W)
        if size is not None:
            stacked = F.interpolate(stacked[None], size=tuple(size), mode="trilinear")[0]
        return cls(stacked)  # spacings differ from one to the next, so a batch has none

    def windowed(self, w: float, l: float) -> Self:  # noqa: E741 - level, as users know it
        """The window of width `w` and level `l` brought to 0 to 1; see `windowed`."""
        return dress(windowed(self.as_plain(), w, l), self)

    def show(self, ctx: Any = None, index: int | None = None, cmap: str = "bone") -> Any:
        """Draw one slice on `ctx` (axes), that in the middle when `index` is None."""
        slices = self.as_plain().reshape(-1, *self.shape[-3:])[0]
        chosen = slices[len(slices) // 2 if index is None else index]
        return TensorImage(chosen).show(ctx=ctx, cmap=cmap)


@dataclass
class _Slice:
    """A slice and what its place follows from."""

    dcm: DcmDataset
    name: str

    def numbers(self, tag: str) -> tuple[float, ...] | None:
        value = self.dcm.get(tag)
        return None if value is None or value == "" else tuple(float(v) for v in value)

    def number(self, tag: str) -> float | None:
        value = self.dcm.get(tag)
        return None if value is None or value == "" else float(value)


@names_nearest
def volume(files: Iterable[PathLike | DcmDataset], *, spacing: float | None = None) -> TensorVolume:
    """(D, H, W) values of the slices of one series, for CT in Hounsfield units.

    The slices are sorted along the axis of the scan, from the feet to the head for slices across:
    by ImagePositionPatient, else SliceLocation, else InstanceNumber.

    Args:
        files: in any order.
        spacing: millimetres between slices, to which uneven ones are brought by linear
            interpolation; when None, uneven slices are an error.

    Raises:
        DataError: for slices of several series or of different size or orientation, for two at one
            place, for some without a place, and for gaps; names the files.
        BadItemError: for a file that cannot be read.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> volume([get_testdata_file("CT_small.dcm")]).shape
        torch.Size([1, 128, 128])
    """
    slices = [_opened(file, i) for i, file in enumerate(files)]
    if not slices:
        raise DataError("no slices to make a volume of; give the files of one series")
    _check_alike(slices)
    places = _places(slices)
    order = np.argsort(places, kind="stable")
    slices, places = [slices[i] for i in order], places[order]
    _check_apart(slices, places)
    if spacing is None:
        _check_even(slices, places)
    stacked = torch.stack([each.dcm.scaled_px.as_plain() for each in slices])
    origins = _origins(slices, places)
    if spacing is not None and len(slices) > 1:
        stacked, origins = _resampled(stacked, origins, places, spacing)
    return _placed(stacked, origins, slices[0], places, spacing)


def _opened(file: PathLike | DcmDataset, i: int) -> _Slice:
    if isinstance(file, DcmDataset):
        return _Slice(file, f"slice {i}")
    return _Slice(dcmread(file), Path(file).name)


def _check_alike(slices: Sequence[_Slice]) -> None:
    """Raise unless all are greys of one series, size, spacing and orientation."""
    for each in slices:
        if len(each.dcm.shape) != 2 or each.dcm.is_color:
            raise DataError(
                f"{each.name} is no slice in greys: its shape is {each.dcm.shape}. A file with "
                "several frames is a volume of its own: take its scaled_px"
            )
    series = Counter(str(each.dcm.get("SeriesInstanceUID")) for each in slices)
    if len(series) > 1:
        raise DataError(
            f"slices of {len(series)} series, with {', '.join(map(str, series.values()))} of them; "
            "group the files by the column 'series' of from_dicoms and stack each on its own"
        )
    first = slices[0]
    for tag in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        for each in slices[1:]:
            here, there = first.dcm.get(tag), each.dcm.get(tag)
            if not _same(here, there):
                raise DataError(
                    f"{first.name} has {tag} {here} and {each.name} {there}; a volume is made of "
                    "slices that are alike: leave out the scout and what was reformatted"
                )


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-4, atol=1e-4))


def _places(slices: Sequence[_Slice]) -> NDArray[np.float64]:
    """Where each slice is, in millimetres along the axis of the scan."""
    tags = ("ImagePositionPatient", "SliceLocation", "InstanceNumber")
    for tag in tags:
        without = [each.name for each in slices if each.dcm.get(tag) in (None, "")]
        if not without:
            break
        if len(without) < len(slices) and tag == tags[0]:
            raise DataError(f"{without[0]} has no {tag}, others do; leave it out")
    else:
        raise DataError(
            f"{without[0]} has none of {', '.join(tags)}, so that its place is not known"
        )
    if tag == tags[0]:
        normal = np.cross(*_directions(slices[0]))
        return np.array([np.dot(each.numbers(tag) or (), normal) for each in slices])
    places = np.array([each.number(tag) for each in slices], np.float64)
    if tag == tags[2]:
        first = slices[0]
        places *= first.number("SpacingBetweenSlices") or first.number("SliceThickness") or 1.0
    return places


def _directions(each: _Slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors along a row and along a column."""
    numbers = np.array(each.numbers("ImageOrientationPatient") or (1, 0, 0, 0, 1, 0), float)
    return numbers[:3], numbers[3:]


def _check_apart(slices: Sequence[_Slice], places: NDArray[np.float64]) -> None:
    for i in map(int, np.flatnonzero(np.diff(places) < 1e-3)):
        raise DataError(
            f"{slices[i].name} and {slices[i + 1].name} are at one place, {places[i]:.2f} mm; "
            "leave one out, or take one acquisition at a time"
        )


def _check_even(slices: Sequence[_Slice], places: NDArray[np.float64]) -> None:
    steps = np.diff(places)
    if len(steps) < 2 or np.ptp(steps) <= _UNEVEN * np.median(steps):
        return
    i = int(np.argmax(np.abs(steps - np.median(steps))))
    raise DataError(
        f"slices are {steps.min():.2f} to {steps.max():.2f} mm apart, as between "
        f"{slices[i].name} and {slices[i + 1].name} ({steps[i]:.2f} mm); if none is missing, pass "
        f"spacing={np.median(steps):.3g} to bring them to one distance"
    )


def _origins(slices: Sequence[_Slice], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(D, 3) where the first pixel of each slice is in the patient."""
    found = [each.numbers("ImagePositionPatient") for each in slices]
    if all(found):
        return np.array(found)
    normal = np.cross(*_directions(slices[0]))
    return places[:, None] * normal


def _resampled(
    stacked: Tensor, origins: NDArray[np.float64], places: NDArray[np.float64], spacing: float
) -> tuple[Tensor, NDArray[np.float64]]:
    """Slices and their origins at even places, from the first to the last."""
    if not spacing > 0:
        raise ValueError(f"spacing={spacing}; give millimetres between slices")
    even = np.arange(places[0], places[-1] + spacing * 1e-6, spacing)
    at = np.interp(even, places, np.arange(len(places)))
    below = np.minimum(at.astype(np.int64), len(places) - 2)
    share = torch.from_numpy(at - below).float()[:, None, None]
    lower = torch.from_numpy(below)
    done = torch.lerp(stacked[lower], stacked[lower + 1], share)
    moved = [np.interp(at, np.arange(len(places)), origins[:, axis]) for axis in range(3)]
    return done, np.stack(moved, axis=1)


def _placed(
    stacked: Tensor,
    origins: NDArray[np.float64],
    first: _Slice,
    places: NDArray[np.float64],
    spacing: float | None,
) -> TensorVolume:
    """The volume with its spacing and affine."""
    along_row, along_column = _directions(first)
    rows, columns = first.numbers("PixelSpacing") or (1.0, 1.0)
    if len(origins) > 1:
        step = (origins[-1] - origins[0]) / (len(origins) - 1)
        between = spacing or float(np.median(np.diff(places)))
    else:
        between = first.number("SpacingBetweenSlices") or first.number("SliceThickness") or 1.0
        step = between * np.cross(along_row, along_column)
    affine = torch.eye(4, dtype=torch.float64)
    # A step down the rows goes along a column.
    columns_of = (step, along_column * rows, along_row * columns, origins[0])
    affine[:3] = torch.from_numpy(np.stack(columns_of, axis=1))
    return TensorVolume(stacked, spacing=(between, rows, columns), affine=affine)
