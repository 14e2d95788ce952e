"""Decibels: ten times the logarithm of a ratio of powers."""

from __future__ import annotations

import math

from torch import Tensor

from layerwise.audio.dsp.fourier import plain
from layerwise.audio.dsp.pieces import piecewise

__all__ = ["amplitude_to_db", "db_to_amplitude", "db_to_power", "power_to_db"]

# F: rows of a spectrogram. T: frames.


def power_to_db(
    x: Tensor,
    ref: float | str = 1.0,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    item_dims: int = 2,
) -> Tensor:
    """`10 * log10(x / ref)`, for whatever shape.

    Args:
        x: powers, (..., F, T) for example.
        ref: the power that is 0 dB, or "max" for the largest of each item.
        amin: least power that is told from silence.
        top_db: values further below the largest of their item are cut off there; None cuts
            nothing. 80 dB are about what an ear hears at once.
        item_dims: how many axes at the end are one item.

    Raises:
        ValueError: if `ref` or `amin` is not above 0, or `top_db` is below 0.

    Example:
        >>> import torch
        >>> power_to_db(torch.tensor([[1.0, 0.01, 1e-12]]))
        tensor([[  0., -20., -80.]])
    """
    return _decibels(plain(x), 10.0, ref, amin, top_db, item_dims)


def amplitude_to_db(
    x: Tensor,
    ref: float | str = 1.0,
    amin: float = 1e-5,
    top_db: float | None = 80.0,
    item_dims: int = 2,
) -> Tensor:
    """`20 * log10(|x| / ref)`, for whatever shape.

    Args:
        x: amplitudes, (..., F, T) for example.
        ref: the amplitude that is 0 dB, or "max" for the largest of each item.
        amin: least amplitude that is told from silence.
        top_db: see `power_to_db`.
        item_dims: how many axes at the end are one item.

    Raises:
        ValueError: as `power_to_db`.

    Example:
        >>> import torch
        >>> amplitude_to_db(torch.tensor([[10.0, 1.0]]), ref="max")
        tensor([[  0., -20.]])
    """
    return _decibels(plain(x).abs(), 20.0, ref, amin, top_db, item_dims)


def _decibels(
    values: Tensor,
    factor: float,
    ref: float | str,
    amin: float,
    top_db: float | None,
    item_dims: int,
) -> Tensor:
    if isinstance(ref, str):
        if ref != "max":
            raise ValueError(f"ref={ref!r}; give a number, or 'max' for the largest of each item")
    elif not ref > 0:
        raise ValueError(f"ref={ref}; what is 0 dB is above 0")
    if not amin > 0 or (top_db is not None and top_db < 0):
        raise ValueError(f"amin={amin}, top_db={top_db}; give amin above 0 and top_db from 0 on")
    if values.numel() == 0:
        return values
    item_dims = min(item_dims, values.ndim)

    def of_items(items: Tensor) -> Tensor:
        found = items.clamp_min(amin).log10() * factor
        if ref == "max":
            found = found - _largest(found, item_dims)
        elif ref != 1.0:
            found = found - factor * math.log10(max(amin, float(ref)))
        if top_db is not None:
            found = found.clamp_min(_largest(found, item_dims) - top_db)
        return found

    rows = values.flatten(0, -item_dims - 1) if values.ndim > item_dims else values[None]
    return piecewise(of_items, rows).view(values.shape)


def _largest(items: Tensor, item_dims: int) -> Tensor:
    """The largest number of each item, with axes kept."""
    dims = tuple(range(-item_dims, 0))
    return items.amax(dims, keepdim=True) if dims else items


def db_to_power(x: Tensor, ref: float = 1.0) -> Tensor:
    """Powers of decibels.

    Args:
        x: decibels, any shape.
        ref: the power that is 0 dB.

    Example:
        >>> import torch
        >>> db_to_power(torch.tensor([0.0, 20.0]))
        tensor([  1., 100.])
    """
    return ref * 10 ** (plain(x) / 10)


def db_to_amplitude(x: Tensor, ref: float = 1.0) -> Tensor:
    """Amplitudes of decibels.

    Args:
        x: decibels, any shape.
        ref: the amplitude that is 0 dB.

    Example:
        >>> import torch
        >>> db_to_amplitude(torch.tensor([0.0, 20.0]))
        tensor([ 1., 10.])
    """
    return ref * 10 ** (plain(x) / 20)
