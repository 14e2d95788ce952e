"""The mel scale, on which equal steps sound equally far apart, and spectra in bands of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from layerwise.audio.dsp.constants import remembered
from layerwise.audio.dsp.fourier import magnitudes, of_frames, plain

__all__ = ["hz_to_mel", "mel_filters", "mel_frequencies", "mel_to_hz", "melspectrogram"]

# N: samples. F: frequencies. M: mel bands. T: frames.

# Slaney (1998), Auditory Toolbox: linear up to 1000 Hz, then 27 steps for a factor of 6.4.
_HZ_PER_MEL = 200 / 3
_BEND_HZ = 1000.0
_BEND_MEL = _BEND_HZ / _HZ_PER_MEL
_STEP = math.log(6.4) / 27


def hz_to_mel(hz: Tensor, htk: bool = False) -> Tensor:
    """Mels of frequencies.

    Args:
        hz: any shape, in Hz.
        htk: by the formula of HTK (O'Shaughnessy, 1987), not by that of Slaney (1998).

    Example:
        >>> hz_to_mel(torch.tensor([200.0, 6400.0]))
        tensor([ 3., 42.])
    """
    values = plain(hz)
    if htk:
        return 2595 * torch.log10(1 + values / 700)
    above = _BEND_MEL + torch.log(values.clamp_min(_BEND_HZ) / _BEND_HZ) / _STEP
    return torch.where(values < _BEND_HZ, values / _HZ_PER_MEL, above)


def mel_to_hz(mels: Tensor, htk: bool = False) -> Tensor:
    """Frequencies in Hz of mels.

    Args:
        mels: any shape.
        htk: by the formula of HTK (O'Shaughnessy, 1987), not by that of Slaney (1998).

    Example:
        >>> mel_to_hz(torch.tensor([3.0, 42.0]))
        tensor([ 200., 6400.])
    """
    values = plain(mels)
    if htk:
        return 700 * (10 ** (values / 2595) - 1)
    above = _BEND_HZ * torch.exp((values.clamp_min(_BEND_MEL) - _BEND_MEL) * _STEP)
    return torch.where(values < _BEND_MEL, values * _HZ_PER_MEL, above)


def mel_frequencies(count: int, f_min: float, f_max: float, htk: bool = False) -> Tensor:
    """(count,) frequencies in Hz, evenly spaced in mel, from `f_min` to `f_max`, in doubles.

    Args:
        count: how many.
        f_min: lowest, in Hz.
        f_max: highest, in Hz.
        htk: see `hz_to_mel`.

    Example:
        >>> mel_frequencies(3, 0, 900)
        tensor([  0., 450., 900.], dtype=torch.float64)
    """
    ends = hz_to_mel(torch.tensor([f_min, f_max], dtype=torch.float64), htk)
    return mel_to_hz(torch.linspace(ends[0], ends[1], count, dtype=torch.float64), htk)


def mel_filters(
    sr: int,
    n_fft: int = 1024,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
) -> Tensor:
    """(M, F) how much each frequency counts in each band: overlapping triangles, in doubles.

    Args:
        sr: samples in a second.
        n_fft: samples of a transform; F = n_fft // 2 + 1.
        n_mels: bands, M.
        f_min: where the lowest begins, in Hz.
        f_max: where the highest ends, in Hz; half of `sr` if None.
        htk: see `hz_to_mel`.
        norm: "slaney" gives bands the same area, None the same height.

    Raises:
        ValueError: if the bands have no width, or `norm` is neither.

    Example:
        >>> mel_filters(8000, n_fft=256, n_mels=20).shape
        torch.Size([20, 129])
    """
    f_max = sr / 2 if f_max is None else f_max
    if n_mels < 1 or not 0 <= f_min < f_max:
        raise ValueError(
            f"n_mels={n_mels}, f_min={f_min}, f_max={f_max}; give 1 band at least, that goes "
            "upwards from 0 Hz or more"
        )
    if norm not in (None, "slaney"):
        raise ValueError(f"norm={norm!r}; give 'slaney', or None")
    freqs = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sr / n_fft
    corners = mel_frequencies(n_mels + 2, f_min, f_max, htk)
    widths = corners.diff()
    distance = corners[:, None] - freqs
    rising = -distance[:-2] / widths[:-1, None]
    falling = distance[2:] / widths[1:, None]
    filters = torch.minimum(rising, falling).clamp_min(0)
    if norm == "slaney":
        filters = filters * (2 / (corners[2:] - corners[:-2]))[:, None]
    return filters


_filters = remembered(mel_filters)


def melspectrogram(
    x: Tensor,
    sr: int,
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
) -> Tensor:
    """(..., M, T) the spectrogram of a signal in mel bands (Davis and Mermelstein, 1980).

    Args:
        x: (..., N) signal.
        sr: samples in a second.
        n_fft: samples of a transform.
        win_length: samples under the window; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: see `window_weights`.
        center: see `stft`.
        pad_mode: see `stft`.
        power: exponent of the magnitude; 2 is power.
        n_mels: see `mel_filters`, as all that follow.
        f_min: in Hz.
        f_max: in Hz; half of `sr` if None.
        htk: mel by HTK's formula.
        norm: "slaney" or None.

    Raises:
        ValueError: as `stft` and `mel_filters`.

    Example:
        >>> melspectrogram(torch.zeros(2, 1, 8000), 8000, n_mels=40).shape
        torch.Size([2, 1, 40, 16])
    """
    filters = _filters(sr, n_fft, n_mels, f_min, f_max, htk, norm, like=plain(x)).T

    def of_frame(frames: Tensor) -> Tensor:
        return magnitudes(torch.fft.rfft(frames), power) @ filters

    found = of_frames(of_frame, x, n_fft, win_length, hop_length, window, center, pad_mode)
    return found.transpose(-1, -2)
