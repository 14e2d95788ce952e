"""Tensors of pixels of DICOM files, which show themselves in greys."""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from layerwise.core.dispatch import Dispatch
from layerwise.core.tensors import TensorImage, TensorImageBW, dress
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.vision.medical.blur import mask_from_blur
from layerwise.vision.medical.histogram import freqhist_bins, hist_scaled, hist_scaled_pt
from layerwise.vision.medical.windows import Window, windowed

__all__ = ["TensorCTScan", "TensorDicom"]


class TensorDicom(TensorImage):
    """(H, W) or (C, H, W) pixels of a DICOM file, or a batch of them.

    Floats are values of the modality (Hounsfield units for CT) or greys from 0 to 1, bytes are
    colours.

    Example:
        >>> px = TensorDicom(torch.tensor([[-1000.0, 0.0], [40.0, 1200.0]]))
        >>> px.windowed(80, 40).tolist()
        [[0.0, 0.0], [0.5, 1.0]]
    """

    _show_args: ClassVar[dict[str, Any]] = {"cmap": "gray"}

    def windowed(self, w: float, l: float) -> Self:  # noqa: E741 - level, as users know it
        """The window of width `w` and level `l` brought to 0 to 1; see the function `windowed`."""
        return dress(windowed(self.as_plain(), w, l), self)

    def freqhist_bins(self, n_bins: int = 100) -> Tensor:
        """Values with about as many pixels in between; see the function `freqhist_bins`."""
        return freqhist_bins(self.as_plain(), n_bins)

    def hist_scaled(self, brks: Tensor | None = None) -> Self:
        """Spread evenly over 0 to 1; see the function `hist_scaled`."""
        return dress(hist_scaled(self.as_plain(), brks), self)

    def hist_scaled_pt(self, brks: Tensor | None = None) -> Self:
        """`hist_scaled` under its older name."""
        return dress(hist_scaled_pt(self.as_plain(), brks), self)

    def mask_from_blur(
        self, window: Window, sigma: float = 0.3, thresh: float = 0.05, remove_max: bool = True
    ) -> Tensor:
        """Where there is tissue; see the function `mask_from_blur`."""
        return mask_from_blur(self.as_plain(), window, sigma, thresh, remove_max)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the picture on `ctx` (axes); of two channels, or more than three, each."""
        return _side_by_side(TensorImage(self.as_plain()), ctx, {**self._show_args, **kwargs})


class TensorCTScan(TensorImageBW):
    """(C, H, W) slice of a CT scan with a window in each channel."""

    _show_args: ClassVar[dict[str, Any]] = {"cmap": "bone"}

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the slice on `ctx` (axes): three channels as colours, others beside each other."""
        return _side_by_side(TensorImage(self.as_plain()), ctx, {**self._show_args, **kwargs})


def _side_by_side(picture: TensorImage, ctx: Any, settings: dict[str, Any]) -> Any:
    """The axes of a picture, whose channels stand in a row where they cannot be colours."""
    plain = picture.as_plain()
    if plain.ndim == 3 and plain.shape[0] not in (1, 3):
        plain = torch.cat(list(plain), dim=-1)
    return TensorImage(plain).show(ctx=ctx, **settings)


_to_float: Dispatch = IntToFloatTensor.encodes
_from_float: Dispatch = vars(IntToFloatTensor)["decodes"]


@_to_float.register
def _(self: IntToFloatTensor, o: TensorDicom) -> TensorDicom:
    """Bytes of colours to floats; floats are values already."""
    plain = o.as_plain()
    return o if plain.is_floating_point() else dress(plain.float() / self.div, o)


@_from_float.register
def _(self: IntToFloatTensor, o: TensorDicom) -> TensorDicom:  # noqa: ARG001 - a method of it
    return o
