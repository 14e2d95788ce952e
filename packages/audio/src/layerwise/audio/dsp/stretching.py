"""Slower or faster at the same pitch, and higher or lower at the same speed: a phase vocoder."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerwise.audio.dsp.fourier import istft, plain, stft
from layerwise.audio.dsp.pieces import piecewise
from layerwise.audio.dsp.resampling import resample

__all__ = ["phase_vocoder", "pitch_shift", "time_stretch"]

_MOST_PHASES = 2000
_SECONDS = 2048 / 22050  # of a transform

# N: samples. F: frequencies. T: frames. S: frames of the result.


def phase_vocoder(spectra: Tensor, rate: float, hop_length: int, n_fft: int) -> Tensor:
    """(..., F, S) complex spectra of a signal that is `rate` times as fast.

    Magnitudes are read between frames; phases advance as they did there (Flanagan and Golden,
    1966).

    Args:
        spectra: (..., F, T) complex, as `stft` gives them.
        rate: 2 is twice as fast, S = ceil(T / rate).
        hop_length: samples from one frame to the next.
        n_fft: samples of a transform.

    Raises:
        ValueError: if `rate` is not above 0.

    Example:
        >>> phase_vocoder(torch.ones(5, 6, dtype=torch.complex64), 2.0, hop_length=4, n_fft=8).shape
        torch.Size([5, 3])
    """
    if not rate > 0:
        raise ValueError(f"rate={rate}; give a factor above 0, such as 2 for twice as fast")
    count = spectra.shape[-1]
    device, dtype = spectra.device, spectra.real.dtype
    # Where frames of the result are read, in doubles: minutes of sound have thousands.
    places = torch.arange(math.ceil(count / rate), dtype=torch.float64, device=device) * rate
    before = places.long()
    share = (places - before).to(dtype)
    padded = pad(spectra, (0, 2))
    magnitude, phase = padded.abs(), padded.angle()
    mixed = torch.lerp(magnitude[..., before], magnitude[..., before + 1], share)
    advance = torch.arange(spectra.shape[-2], dtype=dtype, device=device) * (
        2 * math.pi * hop_length / n_fft
    )
    advance = advance[:, None]
    turned = phase[..., before + 1] - phase[..., before] - advance
    turned = turned - 2 * math.pi * torch.round(turned / (2 * math.pi)) + advance
    # The phase of a frame is that of the first and what was turned before it.
    summed = torch.cat([phase[..., :1], turned[..., :-1]], -1).cumsum(-1)
    return torch.polar(mixed, summed)


def time_stretch(
    x: Tensor, rate: float, n_fft: int = 2048, hop_length: int | None = None
) -> Tensor:
    """(..., round(N / rate)) the signal `rate` times as fast, at the same pitch.

    Args:
        x: (..., N) signal.
        rate: 2 is twice as fast, 0.5 half as fast.
        n_fft: samples of a transform: 2048 suit music at 22 kHz, 512 speech at 16 kHz.
        hop_length: samples from one frame to the next; a quarter of `n_fft` if None.

    Raises:
        ValueError: if `rate` is not above 0.

    Example:
        >>> time_stretch(torch.zeros(2, 1, 8000), 2.0).shape
        torch.Size([2, 1, 4000])
    """
    values = plain(x)
    if not rate > 0:
        raise ValueError(f"rate={rate}; give a factor above 0, such as 2 for twice as fast")
    hop_length = n_fft // 4 if hop_length is None else hop_length
    length = round(values.shape[-1] / rate)
    if rate == 1 or length == 0:
        return values[..., :length]

    def of_rows(rows: Tensor) -> Tensor:
        spectra = stft(rows, n_fft, hop_length=hop_length)
        stretched = phase_vocoder(spectra, rate, hop_length, n_fft)
        return istft(stretched, n_fft, hop_length=hop_length, length=length)

    rows = values.reshape(-1, values.shape[-1])
    return piecewise(of_rows, rows).view(*values.shape[:-1], length)


def pitch_shift(
    x: Tensor,
    sr: int,
    semitones: float,
    n_fft: int | None = None,
    hop_length: int | None = None,
) -> Tensor:
    """(..., N) the signal `semitones` higher, at the same speed: stretched and then resampled.

    Args:
        x: (..., N) signal.
        sr: samples in a second.
        semitones: twelve are an octave; below 0 is lower.
        n_fft: samples of a transform; about 93 ms if None, 2048 at 22050 Hz.
        hop_length: samples from one frame to the next; a quarter of `n_fft` if None.

    Raises:
        ValueError: if `sr` is not above 0.

    Example:
        >>> pitch_shift(torch.zeros(2, 8000), 8000, 3).shape
        torch.Size([2, 8000])
    """
    values = plain(x)
    size = values.shape[-1]
    if not sr > 0:
        raise ValueError(f"sr={sr}; give how many samples make a second")
    n_fft = 2 ** max(1, round(math.log2(sr * _SECONDS))) if n_fft is None else n_fft
    # A small fraction makes short filters; it is off by less than a sample in a minute.
    rate = Fraction(2 ** (-semitones / 12)).limit_denominator(_MOST_PHASES)
    slower = time_stretch(values, float(rate), n_fft, hop_length)
    found = resample(slower, rate.denominator, rate.numerator)[..., :size]
    return pad(found, (0, size - found.shape[-1]))
