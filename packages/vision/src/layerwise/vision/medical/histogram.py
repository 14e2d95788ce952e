"""Pixels spread evenly over the greys, whatever their histogram.

`freqhist_bins` finds values that part the pixels into groups of the same size; `hist_scaled` makes
a scale of them, so that no window has to be chosen. (J. Howard, "DON'T see like a radiologist!",
2019; histogram equalisation itself is older than computers.)
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.core.tensors import TensorBase, dress

__all__ = ["array_freqhist_bins", "freqhist_bins", "hist_scaled", "hist_scaled_pt"]

_TAIL = 0.001  # of the pixels at either end are beyond the first and the last value


def _shares(n_bins: int) -> NDArray[np.float64]:
    if n_bins < 1:
        raise ValueError(f"n_bins={n_bins}; give one group at least")
    middles = (np.arange(n_bins) + 0.5) / n_bins
    return np.concatenate([[_TAIL], middles, [1 - _TAIL]])


def array_freqhist_bins(pixels: Any, n_bins: int = 100) -> NDArray[Any]:
    """Rising values of `pixels`, between which lie about as many pixels each time.

    Args:
        pixels: an array of any shape.
        n_bins: groups; fewer values come back where many pixels are the same.

    Raises:
        ValueError: if there are no pixels, or `n_bins` is not positive.

    Example:
        >>> array_freqhist_bins(np.arange(1000), 4).tolist()
        [1, 125, 375, 625, 875, 999]
    """
    ordered = np.sort(np.asarray(pixels), axis=None)
    if not ordered.size:
        raise ValueError("no pixels to take values from; give one at least")
    return np.unique(ordered[(_shares(n_bins) * ordered.size).astype(np.int64)])


def freqhist_bins(x: Tensor, n_bins: int = 100) -> Tensor:
    """`array_freqhist_bins` of a tensor, on its device.

    Args:
        x: pixels, of any shape.
        n_bins: groups.

    Raises:
        ValueError: as `array_freqhist_bins`.

    Example:
        >>> freqhist_bins(torch.arange(1000), 4).tolist()
        [1, 125, 375, 625, 875, 999]
    """
    plain = _plain(x).detach()
    if plain.device.type == "cpu" and plain.dtype != torch.bfloat16:  # numpy sorts much faster
        return torch.from_numpy(array_freqhist_bins(plain.numpy(), n_bins))
    ordered = plain.flatten().sort().values
    if not ordered.numel():
        raise ValueError("no pixels to take values from; give one at least")
    places = (_shares(n_bins) * ordered.numel()).astype(np.int64)
    return torch.unique(ordered[torch.from_numpy(places).to(ordered.device)])  # type: ignore[no-any-return]  # torch has no types for it


def hist_scaled(x: Tensor, brks: Tensor | None = None) -> Tensor:
    """`x` on the scale of `brks`: the first becomes 0, the last 1, the others are evenly between.

    Args:
        x: pixels, of any shape, on any device.
        brks: rising values, as `freqhist_bins` finds them; those of `x` itself when None. For
            pictures that are compared, take the same for all.

    Returns:
        Floats from 0 to 1 of the shape of `x`; between two values the scale is linear.

    Example:
        >>> hist_scaled(torch.tensor([0.0, 1, 5, 10, 30]), torch.tensor([0, 10, 20])).tolist()
        [0.0, 0.05000000074505806, 0.25, 0.5, 1.0]
    """
    values = _plain(x).float()
    scale = freqhist_bins(values) if brks is None else _plain(torch.as_tensor(brks))
    scale = torch.unique(scale.to(values.device, torch.float32))
    if scale.numel() < 2:  # all pixels are the same
        done = (values > scale).float() if scale.numel() else torch.zeros_like(values)
    else:
        right = torch.searchsorted(scale, values.contiguous()).clamp_(1, scale.numel() - 1)
        left = scale[right - 1]
        done = (right - 1 + (values - left) / (scale[right] - left)) / (scale.numel() - 1)
    done = done.clamp_(0, 1)
    return dress(done, x) if isinstance(x, TensorBase) else done


def hist_scaled_pt(x: Tensor, brks: Tensor | None = None) -> Tensor:
    """`hist_scaled`, which is the same on every device, under the name it has in older code.

    Args:
        x: pixels.
        brks: rising values.
    """
    return hist_scaled(x, brks)


def _plain(x: Tensor) -> Tensor:
    return x.as_plain() if isinstance(x, TensorBase) else x
