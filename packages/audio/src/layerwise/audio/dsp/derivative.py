"""How features change in time: the slope of a polynomial fitted around each frame."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerwise.audio.dsp.fourier import plain
from layerwise.core.errors import nearest

__all__ = ["delta"]

# T: frames. W: frames of a fit.

_PAD = {"nearest": "replicate", "mirror": "reflect", "constant": "constant", "wrap": "circular"}
_MODES = ("interp", *_PAD)


def delta(x: Tensor, width: int = 9, order: int = 1, mode: str = "interp") -> Tensor:
    """(..., T) the derivative of `x` in time, per frame (Savitzky and Golay, 1964).

    A polynomial of degree `order` is fitted to each `width` frames, and its derivative of that
    order taken.

    Args:
        x: (..., T) features.
        width: frames of a fit, W: odd, 3 at least.
        order: which derivative: 1 is the slope, 2 its change.
        mode: what is done at the ends: "interp" goes on with the first and the last fit; "nearest",
            "mirror", "constant" (zeros) and "wrap" continue `x`.

    Raises:
        ValueError: if `width` does not fit, or is more than T with "interp", or `mode` is none.

    Example:
        >>> delta(torch.arange(6.0) * 2, width=3)
        tensor([2., 2., 2., 2., 2., 2.])
    """
    values = plain(x)
    _check(values.shape[-1], width, order, mode)
    half = width // 2
    rows = values
    if mode in _PAD:
        rows = pad(values.reshape(-1, 1, values.shape[-1]), (half, half), mode=_PAD[mode])
        rows = rows.view(*values.shape[:-1], rows.shape[-1])
    kept = values.shape[-1] if mode in _PAD else values.shape[-1] - 2 * half
    found = torch.zeros_like(rows[..., :kept])
    for start, weight in enumerate(_fit(width, order)):
        found.add_(rows[..., start : start + kept], alpha=weight)
    if mode == "interp":
        # Its derivative of highest order is the same all over a polynomial.
        ends = found[..., :1], found[..., -1:]
        first, last = (end.expand(*end.shape[:-1], half) for end in ends)
        found = torch.cat([first, found, last], -1)
    return found


def _check(size: int, width: int, order: int, mode: str) -> None:
    if width < 3 or width % 2 == 0:
        raise ValueError(f"width={width}; a fit around a frame takes an odd number, 3 at least")
    if not 1 <= order < width:
        raise ValueError(
            f"order={order}; give 1 for the slope, 2 for its change, less than width={width}"
        )
    if mode not in _MODES:
        raise ValueError(
            f"mode={mode!r}; give one of {', '.join(_MODES)}.{nearest(str(mode), _MODES)}"
        )
    if mode == "interp" and width > size:
        raise ValueError(
            f"width={width} is more than the {size} frames; give a smaller width, or "
            "mode='nearest', which continues them"
        )
    if mode in ("mirror", "wrap") and size < width // 2 + (mode == "mirror"):
        raise ValueError(
            f"{size} frames cannot be continued by {width // 2} with mode={mode!r}; give a smaller "
            "width, or mode='nearest'"
        )


@lru_cache(maxsize=32)
def _fit(width: int, order: int) -> tuple[float, ...]:
    """By how much each of W frames counts in the derivative of the fit."""
    at = torch.arange(width, dtype=torch.float64) - width // 2
    powers = at[:, None] ** torch.arange(order + 1, dtype=torch.float64)
    coefficients = torch.linalg.pinv(powers)[order] * math.factorial(order)
    return tuple(coefficients.tolist())
