"""Signals that are known beforehand: for examples, tests and trying things out."""

from __future__ import annotations

import math

import torch

from layerwise.audio.types import AudioTensor
from layerwise.core.errors import names_nearest

__all__ = ["create_sin_wave"]


@names_nearest
def create_sin_wave(
    freq: float = 440.0,
    sr: int = 16000,
    seconds: float = 1.0,
    amplitude: float = 0.5,
    channels: int = 1,
) -> AudioTensor:
    """(C, N) a pure tone that begins at 0, rising.

    Args:
        freq: in Hz; below half of `sr`, since above that it would sound as another.
        sr: samples in a second.
        seconds: how long it is.
        amplitude: greatest value.
        channels: C, all alike.

    Raises:
        ValueError: if `freq` is not between 0 and half of `sr`.

    Example:
        >>> tone = create_sin_wave(freq=2, sr=8, seconds=0.5)
        >>> tone.shape, tone[0].round(decimals=3).tolist()
        (torch.Size([1, 4]), [0.0, 0.5, 0.0, -0.5])
    """
    if not 0 < freq < sr / 2:
        raise ValueError(f"freq={freq} Hz; with sr={sr} tones lie between 0 and {sr / 2:g} Hz")
    at = torch.arange(round(seconds * sr), dtype=torch.float64)
    wave = amplitude * torch.sin(at * (2 * math.pi * freq / sr))
    return AudioTensor(wave.float().repeat(channels, 1), sr=sr)
