"""Cepstral coefficients: the shape of a spectrum in a few numbers that hardly depend on pitch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from layerwise.audio.dsp.constants import remembered
from layerwise.audio.dsp.decibels import power_to_db
from layerwise.audio.dsp.fourier import plain
from layerwise.audio.dsp.mel import melspectrogram

__all__ = ["cosine_transform", "mfcc", "mfcc_of"]

# N: samples. M: mel bands. K: coefficients. T: frames.


def cosine_transform(size: int, count: int) -> Tensor:
    """(K, M) the first rows of the orthonormal cosine transform of type 2, in doubles.

    Args:
        size: numbers that are transformed, M.
        count: coefficients, K.

    Raises:
        ValueError: if there are to be more coefficients than numbers.

    Example:
        >>> cosine_transform(4, 1).tolist()
        [[0.5, 0.5, 0.5, 0.5]]
    """
    if not 1 <= count <= size:
        raise ValueError(f"{count} coefficients of {size} bands; give 1 to {size}")
    at = (torch.arange(size, dtype=torch.float64) + 0.5) * math.pi / size
    rows = torch.cos(torch.arange(count, dtype=torch.float64)[:, None] * at) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


_cosines = remembered(cosine_transform)


def mfcc_of(decibels: Tensor, n_mfcc: int = 20) -> Tensor:
    """(..., K, T) cepstral coefficients of a mel spectrogram in decibels.

    Args:
        decibels: (..., M, T).
        n_mfcc: coefficients, K, M at most.

    Raises:
        ValueError: if there are more coefficients than bands.

    Example:
        >>> mfcc_of(torch.ones(4, 1), n_mfcc=2).round(decimals=3).tolist()
        [[2.0], [0.0]]
    """
    values = plain(decibels)
    return _cosines(values.shape[-2], n_mfcc, like=values) @ values


def mfcc(
    x: Tensor,
    sr: int,
    n_mfcc: int = 20,
    n_fft: int = 1024,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    top_db: float | None = 80.0,
    item_dims: int = 1,
) -> Tensor:
    """(..., K, T) mel frequency cepstral coefficients (Davis and Mermelstein, 1980).

    The cosine transform of the mel spectrogram in decibels.

    Args:
        x: (..., N) signal.
        sr: samples in a second.
        n_mfcc: coefficients, K.
        n_fft: samples of a transform.
        win_length: samples under the window; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: see `window_weights`.
        center: see `stft`.
        pad_mode: see `stft`.
        power: exponent of the magnitude; 2 is power.
        n_mels: see `mel_filters`, as the next four.
        f_min: in Hz.
        f_max: in Hz; half of `sr` if None.
        htk: mel by HTK's formula.
        norm: "slaney" or None.
        top_db: see `power_to_db`.
        item_dims: how many axes of `x` at the end are one item, whose loudest value `top_db`
            counts from.

    Raises:
        ValueError: as `melspectrogram`, or if there are more coefficients than bands.

    Example:
        >>> mfcc(torch.zeros(2, 8000), 8000, n_mfcc=13).shape
        torch.Size([2, 13, 16])
    """
    bands = melspectrogram(
        x, sr, n_fft, win_length, hop_length, window, center, pad_mode, power, n_mels, f_min,
        f_max, htk, norm,
    )  # fmt: skip
    return mfcc_of(power_to_db(bands, top_db=top_db, item_dims=item_dims + 1), n_mfcc)
