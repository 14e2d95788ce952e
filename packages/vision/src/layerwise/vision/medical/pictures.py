"""DICOM files, and slices saved as JPEG, as pictures: what blocks open and item transforms change.

`PILDicom` holds shades of grey as floats, so that no value is lost before a window is chosen.
"""

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from PIL import Image
from torch import Tensor

from layerwise.core.dispatch import Dispatch
from layerwise.core.transforms.numeric import ToTensor
from layerwise.vision.io import ImageSource
from layerwise.vision.medical.dataset import DcmDataset, dcmread
from layerwise.vision.medical.tensors import TensorCTScan, TensorDicom
from layerwise.vision.resample import PadMode
from layerwise.vision.types import PILBase, Readable, image2tensor

__all__ = ["PILCTScan", "PILDicom"]


class PILDicom(PILBase):
    """A picture of a DICOM file: greys as floats (mode F), colours as bytes (mode RGB).

    `create` shows the file as its tags say, from 0 to 1; `scaled` keeps values of the modality.
    """

    media_type = "application/dicom"
    _mode_held = "F"
    _show_args: ClassVar[dict[str, Any]] = {"cmap": "gray"}

    @classmethod
    def create(
        cls, fn: Readable | DcmDataset, *, mode: str | None = None, frame: int | None = None
    ) -> Self:
        """The picture as the file says that it is to be shown: greys from 0 to 1, 0 being black.

        Args:
            fn: a path, the bytes of a file, a `DcmDataset`, a Pillow image; or an array or tensor
                (H, W) or (1, H, W) of floats, taken as they are.
            mode: "L" or "RGB" for bytes; floats for greys when None.
            frame: which one of several; the first when None.

        Raises:
            BadItemError: when the file is no DICOM file, broken or without pixels.

        Example:
            >>> from pydicom.data import get_testdata_file
            >>> PILDicom.create(get_testdata_file("CT_small.dcm"))
            PILDicom mode=F size=128x128
        """
        return cls._made(fn, mode, frame, by_tags=True)

    @classmethod
    def scaled(cls, fn: Readable | DcmDataset, *, frame: int | None = None) -> Self:
        """The picture in values of the modality (Hounsfield units for CT), for windows to come.

        Those of MONOCHROME1 are turned over within their range, so that more is brighter always.

        Args:
            fn: see `create`.
            frame: which one of several; the first when None.
        """
        return cls._made(fn, None, frame, by_tags=False)

    @classmethod
    def _made(cls, fn: Any, mode: str | None, frame: int | None, *, by_tags: bool) -> Self:
        if isinstance(fn, Image.Image):
            wanted = mode or fn.mode
            if isinstance(fn, cls) and fn.mode == wanted:
                return fn
            return cls._of(fn if fn.mode == wanted else cls._convert(fn, wanted), fn)
        if isinstance(fn, Tensor | np.ndarray):
            values = np.asarray(fn, np.float32)
            if values.ndim == 3 and len(values) == 1:
                values = values[0]
            if values.ndim != 2:
                raise ValueError(f"pixels of shape {values.shape}; give one picture, (H, W)")
            image = Image.fromarray(values)
        else:
            image = _picture(fn, frame, by_tags=by_tags)
        return cls._of(image if mode in (None, image.mode) else cls._convert(image, mode))

    def crop_pad(
        self,
        size: int | Sequence[int],
        tl: Sequence[int] | None = None,
        orig_sz: Sequence[int] | None = None,
        pad_mode: str = PadMode.Zeros,
        resize_mode: int = Image.Resampling.BILINEAR,
        resize_to: Sequence[int] | None = None,
    ) -> Self:
        """As of any picture; but zeros are the least value, since 0 is water in a CT, not black."""
        if self.mode != "F" or pad_mode != PadMode.Zeros:
            return super().crop_pad(size, tl, orig_sz, pad_mode, resize_mode, resize_to)
        values = np.asarray(self)
        least = values.min()
        shifted = self._of(Image.fromarray(values - least), self)
        done = super(PILDicom, shifted).crop_pad(
            size, tl, orig_sz, pad_mode, resize_mode, resize_to
        )
        return self._of(Image.fromarray(np.asarray(done) + least), self)


def _picture(fn: Any, frame: int | None, *, by_tags: bool) -> Image.Image:
    """A plain picture of a DICOM file, floats for greys and bytes for colours."""
    dcm = fn if isinstance(fn, DcmDataset) else dcmread(fn)
    chosen = frame if frame is not None or len(dcm.shape) < 3 else 0
    if dcm.is_color:
        values = (dcm.by_tags(chosen).as_plain() * 255).round().byte()
        return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())
    found = dcm.by_tags(chosen) if by_tags else dcm.scaled(chosen, upright=True)
    return Image.fromarray(found.as_plain().numpy())


class PILCTScan(PILBase):
    """A slice with a window in each channel, as `save_jpg` writes it: one, three or four."""

    _mode_held = "RGB"
    _show_args: ClassVar[dict[str, Any]] = {"cmap": "bone"}

    @classmethod
    def create(cls, fn: Readable, *, mode: str | None = None) -> Self:
        """The picture with the channels that it has.

        Args:
            fn: see `PILBase.create`.
            mode: "L", "RGB" or "CMYK" (four channels); that of the file when None.
        """
        if mode is None and isinstance(fn, str | os.PathLike | bytes):
            source = ImageSource(fn)
            return cls._pending(source, source.mode)
        own = fn.mode if isinstance(fn, Image.Image) else None
        return super().create(fn, mode=mode or own)


_to_tensor: Dispatch = ToTensor.encodes


@_to_tensor.register
def _(self: ToTensor, x: PILDicom) -> TensorDicom:  # noqa: ARG001 - a method of ToTensor
    return TensorDicom(image2tensor(x))


@_to_tensor.register
def _(self: ToTensor, x: PILCTScan) -> TensorCTScan:  # noqa: ARG001 - as above
    return TensorCTScan(image2tensor(x))
