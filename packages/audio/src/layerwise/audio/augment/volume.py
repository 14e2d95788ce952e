"""Louder, quieter, and turned over."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.audio.augment.per_item import Items, SignalTransform
from layerwise.audio.lengths import time_mask
from layerwise.core.errors import names_nearest, nearest

__all__ = ["ChangeVolume", "Flip", "PeakNorm", "Volume", "VolumeMode", "VolumeOrPeakNorm"]

# b: items. C: channels. N: samples.


class VolumeMode:
    """In what a gain is given: times the amplitude, times the power, or decibels."""

    Amplitude = "amplitude"
    DB = "db"
    Power = "power"


class ChangeVolume(SignalTransform):
    """Signals times a random factor, in training.

    Nothing is cut off at -1 and 1, so that no change of volume distorts.

    Args:
        p: probability for each item.
        lower: least factor of the amplitude; a half is 6 dB less.
        upper: greatest.

    Raises:
        ValueError: if `lower` is below 0 or above `upper`.

    Example:
        >>> import torch
        >>> from layerwise.audio.types import AudioTensor
        >>> louder = ChangeVolume(p=1.0, lower=2.0, upper=2.0)
        >>> louder(AudioTensor(torch.ones(1, 2), sr=8000), split_idx=0).tolist()
        [[2.0, 2.0]]
    """

    draws = 1

    @names_nearest
    def __init__(self, p: float = 0.5, lower: float = 0.5, upper: float = 1.5) -> None:
        super().__init__(p=p)
        if not 0 <= lower <= upper:
            raise ValueError(
                f"lower={lower}, upper={upper}; give factors from 0 up, the least first"
            )
        self.lower, self.upper = lower, upper

    def change(self, items: Items) -> Tensor:
        """Values times the factor of each."""
        return items.values * _like(_between(items.drawn[:, 0], self.lower, self.upper), items)


class Volume(SignalTransform):
    """Signals amplified by a random gain, in training.

    Args:
        p: probability for each item.
        gain: least and greatest; of decibels, each as likely as the others, as ears have it.
        mode: of `VolumeMode`: in what the gain is given.

    Raises:
        ValueError: if `mode` is none of these, or the gains are not in order, or factors below 0.

    Example:
        >>> import torch
        >>> from layerwise.audio.types import AudioTensor
        >>> louder = Volume(p=1.0, gain=(20.0, 20.0))
        >>> louder(AudioTensor(torch.ones(1, 2), sr=8000), split_idx=0).tolist()
        [[10.0, 10.0]]
    """

    draws = 1

    @names_nearest
    def __init__(
        self,
        p: float = 0.75,
        gain: tuple[float, float] = (-6.0, 6.0),
        mode: str = VolumeMode.DB,
    ) -> None:
        super().__init__(p=p)
        modes = (VolumeMode.Amplitude, VolumeMode.DB, VolumeMode.Power)
        if mode not in modes:
            raise ValueError(
                f"mode={mode!r}; give one of {', '.join(modes)}.{nearest(str(mode), modes)}"
            )
        if gain[0] > gain[1] or (mode != VolumeMode.DB and gain[0] < 0):
            raise ValueError(
                f"gain={gain} in {mode}; give the least and the greatest, factors from 0 up"
            )
        self.gain, self.mode = gain, mode

    def change(self, items: Items) -> Tensor:
        """Values amplified."""
        return items.values * _like(self._factors(items.drawn[:, 0]), items)

    def _factors(self, drawn: Tensor) -> Tensor:
        gains = _between(drawn, *self.gain)
        if self.mode == VolumeMode.Amplitude:
            return gains
        if self.mode == VolumeMode.Power:
            return gains.sqrt()
        return 10 ** (gains / 20)


class PeakNorm(SignalTransform):
    """Signals amplified until their greatest sample is 1 or -1, at random, in training.

    Silence stays silent.

    Args:
        p: probability for each item.

    Example:
        >>> from layerwise.audio.types import AudioTensor
        >>> PeakNorm(p=1.0)(AudioTensor([[0.25, -0.5]], sr=8000), split_idx=0).tolist()
        [[0.5, -1.0]]
    """

    @names_nearest
    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p=p)

    def change(self, items: Items) -> Tensor:
        """Values with the peak 1."""
        return _peak_normed(items)


class VolumeOrPeakNorm(SignalTransform):
    """`Volume`, or `PeakNorm`, in training: never both, since the peak would undo the gain.

    Args:
        p: probability of either, for each item.
        gain: least and greatest.
        mode: of `VolumeMode`.
        peak_share: in which share of these cases it is the peak.

    Raises:
        ValueError: as `Volume`; or if `peak_share` is no share.
    """

    draws = 2

    @names_nearest
    def __init__(
        self,
        p: float = 0.75,
        gain: tuple[float, float] = (-6.0, 6.0),
        mode: str = VolumeMode.DB,
        peak_share: float = 0.25,
    ) -> None:
        super().__init__(p=p)
        if not 0 <= peak_share <= 1:
            raise ValueError(f"peak_share={peak_share}; give a number from 0 to 1")
        self.gain, self.mode, self.peak_share = gain, mode, peak_share
        self._volume = Volume(1.0, gain, mode)

    def change(self, items: Items) -> Tensor:
        """Values amplified by one or the other."""
        by_peak = _like(items.drawn[:, 1] < self.peak_share, items)
        return torch.where(by_peak, _peak_normed(items), self._volume.change(items))


class Flip(SignalTransform):
    """Signals turned over, plus for minus, at random, in training; they sound the same.

    Args:
        p: probability for each item.

    Example:
        >>> from layerwise.audio.types import AudioTensor
        >>> Flip(p=1.0)(AudioTensor([[0.25, -0.5]], sr=8000), split_idx=0).tolist()
        [[-0.25, 0.5]]
    """

    @names_nearest
    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    def change(self, items: Items) -> Tensor:
        """Values times -1."""
        return -items.values


def _between(drawn: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * drawn


def _like(numbers: Tensor, items: Items) -> Tensor:
    """(b, 1, ...) numbers for each item, where its values lie."""
    shaped = numbers.view(-1, *[1] * (items.values.ndim - 1)).to(items.values.device)
    return shaped.to(items.values.dtype) if shaped.is_floating_point() else shaped


def _peak_normed(items: Items) -> Tensor:
    inside = items.values.abs() * time_mask(items.lengths, items.values)
    peaks = inside.amax(tuple(range(1, inside.ndim)), keepdim=True)
    return items.values / torch.where(peaks > 0, peaks, 1)
