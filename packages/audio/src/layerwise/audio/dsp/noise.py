"""Noise whose power falls, or rises, with frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from layerwise.core.random import generator
from layerwise.core.types import DeviceLike

__all__ = ["colored_noise"]

# N: samples. F: frequencies, N // 2 + 1.


def colored_noise(
    shape: Sequence[int],
    exponent: float = 0.0,
    *,
    device: DeviceLike = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """(..., N) Gaussian noise whose power is as `1 / f ** exponent` (Timmer and Koenig, 1995).

    Its mean is 0 and its variance is 1, expected over all that may be drawn. It is drawn on the
    CPU, so that a key gives the same noise on every device.

    Args:
        shape: of the result, the last being N samples; rows are independent.
        exponent: 0 is white, 1 pink, 2 brown, -1 blue, -2 violet.
        device: where the result lies.
        dtype: of the result.

    Raises:
        ValueError: if `shape` has no axis.

    Example:
        >>> colored_noise((2, 1, 8000), exponent=1.0).shape
        torch.Size([2, 1, 8000])
    """
    if len(shape) == 0:
        raise ValueError("shape=(); noise has an axis of samples at least")
    *rows, size = shape
    if size < 2 or 0 in rows:
        return torch.zeros(*rows, size, device=device, dtype=dtype)  # nothing beside its mean
    if exponent == 0:
        white = torch.randn(*shape, generator=generator())
        return white.to(device, dtype)
    freqs = torch.arange(size // 2 + 1, dtype=torch.float64) / size
    scale = torch.zeros_like(freqs)
    scale[1:] = freqs[1:] ** (-exponent / 2)
    # Each frequency but the middle one of an even number stands for two.
    counted = scale.square() * 2
    if size % 2 == 0:
        counted[-1] = scale[-1] ** 2
        scale[-1] *= math.sqrt(2)  # of its number only the real part counts
    scale *= size / (counted.sum() * 2).sqrt()
    drawn = torch.randn(*rows, len(freqs), 2, generator=generator()) * scale.float()[:, None]
    found: Tensor = torch.fft.irfft(torch.view_as_complex(drawn).to(device), n=size)
    return found.to(dtype)
