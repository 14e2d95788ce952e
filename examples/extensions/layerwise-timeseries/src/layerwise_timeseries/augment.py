"""Transforms that vary series in training: one draw for each series, by the key of the batch."""

from __future__ import annotations

from typing import Any

import torch
from layerwise.core.random import generator
from layerwise.core.tensors import dress
from layerwise.core.transforms.random import RandTransform
from torch import Tensor

from layerwise_timeseries.types import TensorSeries, lengths_of

__all__ = [
    "CropTime",
    "MaskTime",
    "NoiseSeries",
    "ScaleSeries",
    "SeriesAugment",
    "WarpTime",
]

# B: series of a batch. C: channels. T: steps.


class SeriesAugment(RandTransform):
    """Base of what varies series: a subclass writes `change`, for a batch.

    Args:
        p: probability for each series.
    """

    order = 50

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Nothing is drawn for the batch as a whole; `encodes` draws for each series."""
        self.do = True

    def change(self, x: Tensor) -> Tensor:
        """(B, C, T) changed series.

        Args:
            x: (B, C, T) values, NaN where there is none; not to be written into.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define `change`")

    def encodes(self, x: TensorSeries) -> TensorSeries:
        """(C, T) or (B, C, T) series, each changed with probability `p`."""
        plain = x.as_plain() if x.ndim == 3 else x.as_plain()[None]
        is_changed = draw(plain, 1, 1) < self.p
        result = torch.where(is_changed, self.change(plain), plain)
        return dress(result if x.ndim == 3 else result[0], x)


def draw(x: Tensor, *shape: int) -> Tensor:
    """(B, *shape) numbers from 0 to 1 for the series of a batch `x`, drawn on the CPU."""
    return torch.rand(len(x), *shape, generator=generator()).to(x.device)


class NoiseSeries(SeriesAugment):
    """Normal noise on each value.

    Args:
        std: its deviation; of standardised channels 0.05 is hardly seen.
        p: probability for each series.
    """

    def __init__(self, std: float = 0.05, p: float = 0.5) -> None:
        super().__init__(p)
        self.std = std

    def change(self, x: Tensor) -> Tensor:
        """(B, C, T) with noise."""
        noise = torch.randn(x.shape, generator=generator())
        return x + self.std * noise.to(x.device)


class ScaleSeries(SeriesAugment):
    """All values of a series times one number.

    Args:
        by: how far from 1 that number is, at most.
        p: probability for each series.
    """

    def __init__(self, by: float = 0.2, p: float = 0.5) -> None:
        super().__init__(p)
        self.by = by

    def change(self, x: Tensor) -> Tensor:
        """(B, C, T) scaled."""
        return x * (1 + self.by * (2 * draw(x, 1, 1) - 1))


class MaskTime(SeriesAugment):
    """A stretch of time as if nothing had been measured: NaN (Park et al., SpecAugment, 2019).

    Args:
        share: of the series, at most.
        p: probability for each series.
    """

    def __init__(self, share: float = 0.2, p: float = 0.5) -> None:
        super().__init__(p)
        self.share = share

    def change(self, x: Tensor) -> Tensor:
        """(B, C, T) with a gap."""
        lengths = lengths_of(x)[:, None]  # (B, 1)
        gap = draw(x, 1) * self.share * lengths
        start = draw(x, 1) * (lengths - gap)
        steps = torch.arange(x.shape[-1], device=x.device)
        in_gap = (steps >= start) & (steps < start + gap)  # (B, T)
        return torch.where(in_gap[:, None], torch.nan, x)


class CropTime(SeriesAugment):
    """A window of each series, stretched to its whole length (Le Guennec et al., 2016).

    Args:
        share: the smallest window, as a part of the series.
        p: probability for each series.
    """

    def __init__(self, share: float = 0.8, p: float = 0.5) -> None:
        super().__init__(p)
        self.share = share

    def change(self, x: Tensor) -> Tensor:
        """(B, C, T) windows."""
        share = self.share + (1 - self.share) * draw(x, 1)
        start = (1 - share) * draw(x, 1)
        return read_at(x, start + share * _places(x))


class WarpTime(SeriesAugment):
    """Time that runs faster in one part and slower in another; the ends stay.

    Args:
        strength: how far time is ahead or behind at most, as a part of the series.
        p: probability for each series.
    """

    def __init__(self, strength: float = 0.1, p: float = 0.5) -> None:
        super().__init__(p)
        if not 0 <= strength < 1 / torch.pi:
            raise ValueError(f"strength={strength}; from 1/pi on time would run backwards")
        self.strength = strength

    def change(self, x: Tensor) -> Tensor:
        """(B, C, T) warped."""
        places = _places(x)
        by = self.strength * (2 * draw(x, 1) - 1)
        return read_at(x, places + by * (torch.pi * places).sin())


def _places(x: Tensor) -> Tensor:
    """(B, T) where each step is in its series: 0 at the first, 1 at the last."""
    steps = torch.arange(x.shape[-1], device=x.device)
    return steps / (lengths_of(x)[:, None] - 1).clamp(min=1)


def read_at(x: Tensor, places: Tensor) -> Tensor:
    """(B, C, T) values between the steps of `x`, on straight lines; NaN behind the end stays.

    Args:
        x: (B, C, T) values.
        places: (B, T) where to read, from 0, the first step, to 1, the last of the series.

    Example:
        >>> read_at(torch.tensor([[[0.0, 10.0]]]), torch.tensor([[0.25, 1.0]])).tolist()
        [[[2.5, 10.0]]]
    """
    last = (lengths_of(x)[:, None] - 1).clamp(min=0)
    at = places.clamp(0, 1) * last
    before = at.floor().long()
    after = torch.minimum(before + 1, last)
    share = (at - before)[:, None]

    def read(index: Tensor) -> Tensor:
        return x.gather(-1, index[:, None].expand(-1, x.shape[1], -1))

    # A share of nothing of NaN would be NaN.
    between = torch.where(share > 0, torch.lerp(read(before), read(after), share), read(before))
    steps = torch.arange(x.shape[-1], device=x.device)
    return torch.where((steps <= last)[:, None], between, torch.nan)
