"""Signals of one rate, with one channel."""

from __future__ import annotations

from layerwise.audio.dsp.resampling import resample
from layerwise.audio.types import AudioTensor
from layerwise.core.errors import names_nearest
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

__all__ = ["DownmixMono", "Resample"]


class DownmixMono(Transform):
    """Signals with one channel, the mean of what they have; items and batches, of every split.

    Example:
        >>> DownmixMono()(AudioTensor([[1.0, 0.0], [0.0, 0.0]], sr=8000)).tolist()
        [[0.5, 0.0]]
    """

    order: float = 1

    def encodes(self, x: AudioTensor) -> AudioTensor:
        """(..., 1, N) the mean of the channels."""
        return x if x.nchannels == 1 else dress(x.as_plain().mean(-2, keepdim=True), x)


class Resample(Transform):
    """Signals of another sample rate; items and batches, of every split, on any device.

    Args:
        sr_new: samples in a second.

    Raises:
        ValueError: if that is not above 0.

    Example:
        >>> import torch
        >>> slower = Resample(8000)(AudioTensor(torch.zeros(1, 16000), sr=16000))
        >>> slower.shape, slower.sr
        (torch.Size([1, 8000]), 8000)
    """

    order: float = 1

    @names_nearest
    def __init__(self, sr_new: int) -> None:
        super().__init__()
        if not sr_new > 0:
            raise ValueError(f"sr_new={sr_new}; a sample rate is above 0")
        self.sr_new = sr_new

    def encodes(self, x: AudioTensor) -> AudioTensor:
        """The signal at the new rate."""
        if x.sr == self.sr_new:
            return x
        made = dress(resample(x.as_plain(), x.sr, self.sr_new), x)
        made.sr = self.sr_new
        if "lengths" in vars(x):
            made.lengths = (x.lengths * self.sr_new + x.sr - 1) // x.sr  # as many, rounded up
        return made
