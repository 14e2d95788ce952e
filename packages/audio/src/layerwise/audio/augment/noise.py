"""Noise of a colour, added to sounds."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

import torch
from torch import Tensor

from layerwise.audio.augment.per_item import Items, SoundTransform, valid_lengths
from layerwise.audio.dsp.noise import colored_noise
from layerwise.audio.lengths import time_mask
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.errors import names_nearest
from layerwise.core.tensors import dress

__all__ = ["AddNoise", "NoiseColor", "add_noise"]

Sound = TypeVar("Sound", AudioTensor, AudioSpectrogram)

# b: items. N: samples or frames.


class NoiseColor(IntEnum):
    """Colours of noise, by the exponent of `1 / f ** exponent`, as its power goes with frequency.

    White has the same power in every hertz, pink in every octave; brown rumbles, violet hisses.
    """

    Violet = -2
    Blue = -1
    White = 0
    Pink = 1
    Brown = 2


def add_noise(x: Sound, color: float = NoiseColor.White, noise_level: float = 0.05) -> Sound:
    """`x` with noise; filling of a padded batch stays as it is.

    Args:
        x: signal or spectrogram, or a batch of them.
        color: of `NoiseColor`, or any exponent.
        noise_level: deviation of the noise, as a share of the deviation of each item: 0.05 is a
            signal 26 dB above the noise. Silence stays silent.

    Example:
        >>> tone = AudioTensor(torch.ones(1, 8).cumsum(1), sr=8000)
        >>> noisy = add_noise(tone, NoiseColor.Pink, 0.1)
        >>> noisy.shape, noisy.sr, torch.equal(noisy, tone)
        (torch.Size([1, 8]), 8000, False)
    """
    is_one = x.ndim == (2 if isinstance(x, AudioTensor) else 3)
    values = x.as_plain()[None] if is_one else x.as_plain()
    if not values.numel():
        return x
    lengths = valid_lengths(x)
    levels = torch.full((len(values),), float(noise_level))
    made = torch.where(time_mask(lengths, values), _noisy(values, color, levels, lengths), values)
    return dress(made[0] if is_one else made, x)


def _noisy(values: Tensor, color: float, levels: Tensor, lengths: Tensor) -> Tensor:
    noise = colored_noise(values.shape, float(color), device=values.device, dtype=values.dtype)
    levels = levels.to(values.device, values.dtype).view(-1, *[1] * (values.ndim - 1))
    return values + noise * levels * _deviation(values, lengths)


def _deviation(values: Tensor, lengths: Tensor) -> Tensor:
    """(b, 1, ...) standard deviation of what is not filling."""
    inside = time_mask(lengths, values)
    axes = tuple(range(1, values.ndim))
    count = inside.expand_as(values).sum(axes, keepdim=True).clamp_min(1)
    mean = (values * inside).sum(axes, keepdim=True) / count
    return (((values - mean) * inside).square().sum(axes, keepdim=True) / count).sqrt()


class AddNoise(SoundTransform):
    """Adds noise to sounds, in training.

    Given after the spectrogram is made, with an `order` behind it, it adds noise to its rows.

    Args:
        noise_level: deviation of the noise, as a share of the deviation of each item; a pair is the
            least and the greatest, drawn for each. 0.05 is a signal 26 dB above the noise.
        color: of `NoiseColor`, or any exponent.
        p: probability for each item.
        order: where in a pipeline it stands; before the spectrogram is made otherwise.

    Raises:
        ValueError: for levels below 0, or not in order.

    Example:
        >>> tone = AudioTensor(torch.ones(1, 8).cumsum(1), sr=8000)
        >>> noise = AddNoise((0.01, 0.1), NoiseColor.Brown)
        >>> torch.equal(noise(tone, split_idx=0), tone), torch.equal(noise(tone, split_idx=1), tone)
        (False, True)
    """

    draws = 1

    @names_nearest
    def __init__(
        self,
        noise_level: float | tuple[float, float] = 0.05,
        color: float = NoiseColor.White,
        p: float = 1.0,
        *,
        order: float | None = None,
    ) -> None:
        super().__init__(p=p, order=order)
        low, high = noise_level if isinstance(noise_level, tuple) else (noise_level, noise_level)
        if not 0 <= low <= high:
            raise ValueError(
                f"noise_level={noise_level}; give a level from 0 up, or the least and the greatest"
            )
        self.noise_level, self.color, self._levels = noise_level, color, (low, high)

    def change(self, items: Items) -> Tensor:
        """Values with noise."""
        low, high = self._levels
        levels = low + (high - low) * items.drawn[:, 0]
        return _noisy(items.values, self.color, levels, items.lengths)
