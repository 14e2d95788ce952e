"""The values of spectrograms and signals brought to a scale: decibels, mean 0 and deviation 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from layerwise.audio.dsp.decibels import power_to_db
from layerwise.audio.lengths import time_mask
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import names_nearest, nearest
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

__all__ = ["AmplitudeToDB", "AmplitudeToDBMode", "AudioNormalize"]

# B: items of a batch. C: channels. N: samples. F: rows. T: frames.

Sound = TypeVar("Sound", AudioTensor, AudioSpectrogram)


class AmplitudeToDBMode:
    """What the values of a spectrogram are before they become decibels."""

    Power = "power"
    Magnitude = "magnitude"


class AmplitudeToDB(Transform):
    """Spectrograms to decibels.

    Args:
        mode: of `AmplitudeToDBMode`; what the settings of the spectrogram say if None.
        ref: the power (or amplitude) that is 0 dB, or "max" for the largest of each item.
        amin: least power that is told from silence; amplitudes count by their square.
        top_db: decibels below the loudest of an item at which values are cut off; None cuts
            nothing.

    Raises:
        ValueError: if `mode` is none, or a spectrogram is in decibels already.

    Example:
        >>> from layerwise.audio.settings import SpectrogramSettings
        >>> x = AudioSpectrogram([[[1.0], [0.1]]], settings=SpectrogramSettings(sr=8000, power=1))
        >>> AmplitudeToDB()(x).flatten().tolist()
        [0.0, -20.0]
    """

    order: float = 50

    @names_nearest
    def __init__(
        self,
        mode: str | None = None,
        ref: float | str = 1.0,
        amin: float = 1e-10,
        top_db: float | None = 80.0,
    ) -> None:
        super().__init__()
        known = (AmplitudeToDBMode.Power, AmplitudeToDBMode.Magnitude)
        if mode is not None and mode not in known:
            raise ValueError(
                f"mode={mode!r}; give one of {', '.join(known)}, or None for what a spectrogram "
                f"says.{nearest(str(mode), known)}"
            )
        power_to_db(torch.zeros(0), ref, amin, top_db)  # says what is wrong with them
        self.mode, self.ref, self.amin, self.top_db = mode, ref, amin, top_db

    def encodes(self, x: AudioSpectrogram) -> AudioSpectrogram:
        """(C, F, T) or (B, C, F, T) in decibels."""
        if x.to_db or x.kind == "mfcc":
            what = "cepstral coefficients" if x.kind == "mfcc" else "decibels already"
            raise ValueError(f"these are {what}; leave out {self.name}, or give to_db=False before")
        power = x.power if self.mode is None else 2.0 if self.mode == "power" else 1.0
        # 10 dB for each factor ten of power: of values that are its root, twice as many.
        factor, least = 2 / power, self.amin ** (power / 2)
        top = None if self.top_db is None else self.top_db / factor
        values = power_to_db(x.as_plain(), self.ref, least, top, item_dims=3)
        made = dress(values if factor == 1 else values * factor, x)
        made.settings = replace(x.settings, to_db=True, top_db=self.top_db)
        return made


class AudioNormalize(Transform):
    """Signals or spectrograms to mean 0 and standard deviation 1 in each channel.

    Filling of padded batches does not count.

    Args:
        mean: (C,) or, per frequency, (C, F); measured on one training batch when None.
        std: likewise.
        per_item: each item by its own mean and deviation, so that loudness makes no difference.
            Nothing is measured in advance then, and nothing can be undone.
        per_frequency: each row of a spectrogram on its own, against the colour of a microphone.

    Raises:
        ValueError: if one of `mean` and `std` is given, or both with `per_item`.

    Example:
        >>> x = AudioTensor([[[1.0, 3.0]], [[10.0, 30.0]]], sr=8000)
        >>> AudioNormalize(per_item=True)(x).tolist()
        [[[-1.0, 1.0]], [[-1.0, 1.0]]]
        >>> AudioNormalize([2.0], [2.0])(x[0]).tolist()
        [[-0.5, 0.5]]
    """

    order: float = 99

    @names_nearest
    def __init__(
        self,
        mean: Any = None,
        std: Any = None,
        per_item: bool = False,
        per_frequency: bool = False,
    ) -> None:
        super().__init__()
        if (mean is None) != (std is None):
            raise ValueError("AudioNormalize takes mean and std together, or neither")
        if mean is not None and per_item:
            raise ValueError("mean and std are those of data; leave them out, or per_item=True")
        self.mean = None if mean is None else torch.as_tensor(mean, dtype=torch.float32)
        self.std = None if std is None else torch.as_tensor(std, dtype=torch.float32)
        self.per_item, self.per_frequency = per_item, per_frequency

    def setups(self, dl: Any) -> None:
        """Measure both on one batch of `dl`, unless they were given or each item has its own."""
        if self.mean is not None or self.per_item or not hasattr(dl, "one_batch"):
            return
        batch = dl.one_batch()
        x = batch[0] if isinstance(batch, tuple | list) else batch
        if not isinstance(x, AudioTensor | AudioSpectrogram):
            raise TypeError(
                f"AudioNormalize measures signals and spectrograms, and the batch has a "
                f"{type(x).__name__}; give mean and std, or leave it out"
            )
        mean, std = self._measured(x, over_items=True)
        shape = mean.shape[1:-1] if self.per_frequency else mean.shape[1:2]
        self.mean, self.std = mean.reshape(shape).cpu(), std.reshape(shape).cpu()

    encodes = Dispatch(unchanged)
    decodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:
        return self._encoded(x)

    @encodes.register
    def _(self, x: AudioSpectrogram) -> AudioSpectrogram:
        return self._encoded(x)

    @decodes.register
    def _(self, x: AudioTensor) -> AudioTensor:
        return self._decoded(x)

    @decodes.register
    def _(self, x: AudioSpectrogram) -> AudioSpectrogram:
        return self._decoded(x)

    def _encoded(self, x: Sound) -> Sound:
        mean, std = self._measured(x, over_items=False) if self.per_item else self._stats(x)
        return dress((x.as_plain() - mean) / std, x)

    def _decoded(self, x: Sound) -> Sound:
        if self.per_item:
            return x  # what each item was is not known any more
        mean, std = self._stats(x)
        return dress(x.as_plain() * std + mean, x)

    def _stats(self, x: AudioTensor | AudioSpectrogram) -> tuple[Tensor, Tensor]:
        if self.mean is None or self.std is None:
            raise ValueError(
                "AudioNormalize has no mean and std yet; give them, set it up on a loader (as "
                "batch_tfms are), or use per_item=True"
            )
        axes = (1,) if self.per_frequency or isinstance(x, AudioTensor) else (1, 1)
        return (
            self.mean.to(x.device).view(*self.mean.shape, *axes),
            self.std.to(x.device).view(*self.std.shape, *axes),
        )

    def _measured(self, x: Any, over_items: bool) -> tuple[Tensor, Tensor]:
        """Mean and deviation with the axes of `x`, those over which they are taken being 1."""
        item_dims = 2 if isinstance(x, AudioTensor) else 3
        if self.per_frequency and item_dims == 2:
            raise ValueError(
                "a signal has no frequencies; leave out per_frequency, or make a "
                "spectrogram of it before"
            )
        values = x.as_plain()
        dims = [-1] if item_dims == 2 or self.per_frequency else [-2, -1]
        if over_items and values.ndim > item_dims:
            dims.append(0)
        counts = _counts(x, item_dims)
        if counts is None:
            mean = values.mean(dims, keepdim=True)
            spread = (values - mean).square().mean(dims, keepdim=True)
        else:
            weight = counts.expand_as(values)
            total = weight.sum(dims, keepdim=True).clamp_min(1)
            mean = (values * weight).sum(dims, keepdim=True) / total
            spread = ((values - mean).square() * weight).sum(dims, keepdim=True) / total
        # What is silent stays near 0: rounding of a constant is no signal.
        return mean, spread.sqrt().clamp_min(1e-7).maximum(mean.abs() * 1e-4)


def _counts(x: Any, item_dims: int) -> Tensor | None:
    """(B, 1, N) or (B, 1, 1, T) ones where a padded batch is no filling; None without filling."""
    lengths = vars(x).get("lengths")
    if lengths is None or x.ndim != item_dims + 1 or bool((lengths == x.shape[-1]).all()):
        return None
    return time_mask(lengths, x).to(x.dtype)
