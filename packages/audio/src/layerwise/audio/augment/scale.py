"""Spectrograms of another size, for models that want one."""

from __future__ import annotations

from collections.abc import Sequence

from torch.nn.functional import interpolate

from layerwise.audio.augment.per_item import ON_SPECTROGRAMS
from layerwise.audio.types import AudioSpectrogram
from layerwise.core.errors import names_nearest, nearest
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

__all__ = ["TfmResize"]

_MODES = ("nearest", "bilinear", "bicubic", "area")


class TfmResize(Transform):
    """Spectrograms of `size`, interpolated; items and batches, of every split.

    Rows and frames are then no longer those that the settings speak of.

    Args:
        size: rows and frames, or one number for both.
        interp_mode: how values between are found, as `torch.nn.functional.interpolate` names it.

    Raises:
        ValueError: for a size that is none, or another mode.

    Example:
        >>> import torch
        >>> from layerwise.audio.types import SpectrogramSettings
        >>> settings = SpectrogramSettings(sr=8000, n_fft=256)
        >>> spectrogram = AudioSpectrogram.create(torch.zeros(2, 1, 129, 50), settings)
        >>> TfmResize((64, 32))(spectrogram).shape
        torch.Size([2, 1, 64, 32])
    """

    order: float = ON_SPECTROGRAMS + 1

    @names_nearest
    def __init__(self, size: int | Sequence[int], interp_mode: str = "bilinear") -> None:
        super().__init__()
        rows, frames = (size, size) if isinstance(size, int) else size
        if rows < 1 or frames < 1:
            raise ValueError(f"size={size}; give rows and frames, 1 at least")
        if interp_mode not in _MODES:
            raise ValueError(
                f"interp_mode={interp_mode!r}; give one of {', '.join(_MODES)}."
                f"{nearest(str(interp_mode), _MODES)}"
            )
        self.size, self.interp_mode, self._sides = size, interp_mode, (rows, frames)

    def encodes(self, x: AudioSpectrogram) -> AudioSpectrogram:
        """The spectrogram, of that size."""
        plain = x.as_plain() if x.ndim == 4 else x.as_plain()[None]
        corners = False if self.interp_mode in ("bilinear", "bicubic") else None
        made = interpolate(plain, self._sides, mode=self.interp_mode, align_corners=corners)
        result = dress(made if x.ndim == 4 else made[0], x)
        if "lengths" in vars(x):
            result.lengths = -(-x.lengths * self._sides[1] // max(1, x.width))  # rounded up
        return result
