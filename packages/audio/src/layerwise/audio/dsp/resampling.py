"""Another sample rate, by windowed sinc filters that are applied block by block in frequency.

Filtering and choosing the rate happen at once: the spectrum of a block, weighted by the filter and
cut off (or continued by zeros) at the lower of the two Nyquist frequencies, is the spectrum of the
block at the new rate. Blocks overlap by the length of the filter, and what the ends of a block
spoil is thrown away; so the result is that of a polyphase filter, at a cost that hardly depends on
how long the filter is.
"""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerwise.audio.dsp.constants import remembered
from layerwise.audio.dsp.fourier import plain
from layerwise.audio.dsp.pieces import framewise

__all__ = ["resample"]

# N: samples. L: samples of a block. K: frequencies that both rates have.

# The pass band ends at this share of the lower Nyquist frequency, the stop band begins at 1.
_PASS = 0.9
_ATTENUATION_DB = 120.0
# Kaiser (1974): shape of the window, and how many samples at the lower rate lie on either side.
_BETA = 0.1102 * (_ATTENUATION_DB - 8.7)
_HALF_WIDTH = math.ceil((_ATTENUATION_DB - 8) / (2.285 * math.pi * (1 - _PASS)) / 2)

# Blocks of about so many samples stay in the cache of a core.
_BLOCK = 8192
# Ratios of rates that are no small fractions are taken as the nearest with such a denominator.
_MOST_PHASES = 100_000


def resample(x: Tensor, sr: float, sr_new: float) -> Tensor:
    """(..., ceil(N * sr_new / sr)) the signal at another sample rate.

    Flat within 1e-5 up to 90 % of the lower Nyquist frequency, at half at 95 %, and 100 dB down at
    least from that frequency on.

    Args:
        x: (..., N) signal.
        sr: its samples in a second.
        sr_new: samples in a second of the result.

    Raises:
        ValueError: if a rate is not above 0.

    Example:
        >>> resample(torch.ones(1, 1000), 8000, 16000).shape
        torch.Size([1, 2000])
    """
    values = plain(x)
    if not (sr > 0 and sr_new > 0):
        raise ValueError(f"from {sr} to {sr_new} samples in a second; rates are above 0")
    ratio = (Fraction(sr_new) / Fraction(sr)).limit_denominator(_MOST_PHASES)
    if ratio == 1:
        return values
    size = values.shape[-1]
    new_size = math.ceil(size * ratio)
    up, down = ratio.numerator, ratio.denominator
    margin, block = _cuts(size, up, down)
    step = block - 2 * margin
    count = max(1, math.ceil(size / step))
    padded = pad(values, (margin, count * step - size + margin))
    weights = _response(block, up, down, like=values)
    new_block, new_margin = block * up // down, margin * up // down

    def of_block(samples: Tensor) -> Tensor:
        spectra = torch.fft.rfft(samples)[..., : len(weights)] * weights
        found: Tensor = torch.fft.irfft(spectra, n=new_block)
        return found[..., new_margin : new_block - new_margin]

    blocks = framewise(of_block, padded.reshape(-1, padded.shape[-1]), block, step)
    return blocks.flatten(-2)[:, :new_size].view(*values.shape[:-1], new_size)


def _cuts(size: int, up: int, down: int) -> tuple[int, int]:
    """Samples that are spoilt at each end of a block, and samples of a block.

    Both are whole at either rate.
    """
    half = _HALF_WIDTH * max(1.0, down / up)
    margin = math.ceil(half / down) * down
    inside = min(size, max(_BLOCK - 2 * margin, 2 * margin))
    return margin, _smooth(math.ceil((2 * margin + max(1, inside)) / down)) * down


def _smooth(least: int) -> int:
    """The next number without other factors than 2, 3 and 5, of which transforms are fast."""
    while True:
        rest = least
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return least
        least += 1


def _frequency_response(block: int, up: int, down: int) -> Tensor:
    """(K,) weights of the frequencies of a block, with the change of scale."""
    ratio = min(1.0, up / down)
    half = _HALF_WIDTH / ratio
    at = torch.arange(block, dtype=torch.float64)
    at = torch.where(at > block / 2, at - block, at)  # what comes before 0 lies at the end
    inside = (1 - (at / half).square()).clamp_min(0)
    kaiser = torch.special.i0(_BETA * inside.sqrt()) / torch.special.i0(
        torch.tensor(_BETA, dtype=torch.float64)
    )
    cutoff = ratio * (1 + _PASS) / 2
    taps = torch.where(at.abs() <= half, cutoff * torch.sinc(cutoff * at) * kaiser, 0.0)
    shared = min(block, block * up // down) // 2 + 1
    weights: Tensor = torch.fft.rfft(taps).real[:shared] * (up / down)
    return weights


_response = remembered(_frequency_response)
