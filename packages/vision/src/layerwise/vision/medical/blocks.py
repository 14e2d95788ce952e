"""Blocks for DICOM files: single pictures with windows in their channels, and whole volumes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from layerwise.core.data.block import TransformBlock
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.core.transforms.transform import Transform
from layerwise.vision.medical.channels import to_nchan
from layerwise.vision.medical.histogram import freqhist_bins
from layerwise.vision.medical.pictures import PILDicom
from layerwise.vision.medical.tensors import TensorDicom
from layerwise.vision.medical.volumes import TensorVolume
from layerwise.vision.medical.windows import Window, windowed

__all__ = ["DicomBlock", "DicomChannels", "VolumeBlock", "VolumeChannels"]

Windows = Window | Sequence[Window]

# Files are opened and decoded: worth processes of their own where there is enough to do.
_WORKERS = {"num_workers": None}


def _as_windows(windows: Any) -> list[Window]:
    """A list of windows from one, several or None."""
    if windows is None:
        return []
    is_one = len(windows) == 2 and all(isinstance(number, int | float) for number in windows)
    several = [windows] if is_one else list(windows)
    for window in several:
        if len(window) != 2 or not window[0] > 0:
            raise ValueError(f"{window!r} is no window; give (width, level), such as (80, 40)")
    return [(window[0], window[1]) for window in several]


class DicomChannels(Transform):
    """Values of the modality to channels from 0 to 1, on the device.

    Args:
        windows: a channel for each: one (width, level), or several.
        hist: a channel more with the pixels spread evenly (`hist_scaled`).
        brks: breaks for it; measured on one training batch when None.

    Example:
        >>> import torch
        >>> batch = TensorDicom(torch.zeros(4, 1, 8, 8))
        >>> DicomChannels([(80, 40), (254, 100)])(batch).shape
        torch.Size([4, 2, 8, 8])
    """

    order: float = 11  # after IntToFloatTensor, before anything that moves or colours

    @names_nearest
    def __init__(
        self, windows: Windows | None = None, hist: bool = False, brks: Tensor | None = None
    ) -> None:
        super().__init__()
        self.windows, self.hist, self.brks = _as_windows(windows), hist, brks

    def setups(self, dl: Any) -> None:
        """Measure the breaks on one batch of `dl`, if they are wanted and not given."""
        if not self.hist or self.brks is not None or not hasattr(dl, "one_batch"):
            return
        batch = dl.one_batch()
        x = batch[0] if isinstance(batch, tuple | list) else batch
        self.brks = freqhist_bins(x.as_plain() if isinstance(x, TensorBase) else x).cpu()

    def encodes(self, x: TensorDicom) -> TensorDicom:
        """(B, C, H, W) channels of (B, 1, H, W) values."""
        plain = x.as_plain()
        if plain.shape[-3] != 1:
            raise DataError(
                f"windows for pictures of {plain.shape[-3]} channels; they are for greys: leave "
                "windows and hist out for pictures in colour"
            )
        channels = to_nchan(plain.squeeze(-3), self.windows, self.brks if self.hist else 0)
        return dress(channels.as_plain(), x)


def DicomBlock(  # noqa: N802 - as all blocks
    windows: Windows | None = None,
    hist: bool = False,
    *,
    brks: Tensor | None = None,
    frame: int | None = None,
) -> TransformBlock:
    """A block for pictures in DICOM files, as floats from 0 to 1 on the device.

    As the tags of each file say when neither windows nor `hist` are wanted: one channel for greys,
    three for colours. Otherwise a channel for each window and one for `hist`, of values in units of
    the modality, so that the same value is the same grey in all files.

    Args:
        windows: one (width, level), such as `dicom_windows.brain`, or several.
        hist: a channel with the pixels spread evenly (`hist_scaled`).
        brks: breaks for it; measured on one training batch when None.
        frame: which one of several; the first when None.

    Example:
        >>> block = DicomBlock([(80, 40), (254, 100)], hist=True)
        >>> [type(step).__name__ for step in block.batch_tfms]
        ['IntToFloatTensor', 'DicomChannels']
    """
    if windows is None and not hist:
        if brks is not None:
            raise ValueError("brks= without hist=True; leave it out, or ask for that channel")
        opened: Any = PILDicom.create
        batch_tfms: list[Any] = [IntToFloatTensor()]
    else:
        opened = PILDicom.scaled
        batch_tfms = [IntToFloatTensor(), DicomChannels(windows, hist, brks)]
    if frame is not None:
        opened = partial(opened, frame=frame)
    return TransformBlock(type_tfms=opened, batch_tfms=batch_tfms, dls_kwargs=_WORKERS)


class VolumeChannels(Transform):
    """Volumes (B, 1, D, H, W) of values to a channel for each window, from 0 to 1.

    Args:
        windows: one (width, level), or several.
    """

    order: float = 11

    @names_nearest
    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = _as_windows(windows)

    def encodes(self, x: TensorVolume) -> TensorVolume:
        """(B, C, D, H, W) channels of (B, 1, D, H, W) values."""
        plain = x.as_plain()
        return dress(torch.cat([windowed(plain, *window) for window in self.windows], 1), x)


def VolumeBlock(  # noqa: N802 - as all blocks
    windows: Windows, size: Sequence[int], *, spacing: float | None = None
) -> TransformBlock:
    """A block for series of slices, one folder each, as volumes (C, D, H, W) from 0 to 1.

    Args:
        windows: a channel for each: one (width, level), or several.
        size: (D, H, W) that all are brought to.
        spacing: see `volume`.
    """
    opened = partial(TensorVolume.create, size=tuple(size), spacing=spacing)
    return TransformBlock(type_tfms=opened, batch_tfms=VolumeChannels(windows), dls_kwargs=_WORKERS)
