"""Signals with gaps: one long silence, or single samples that were lost."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.audio.augment.per_item import Items, SignalTransform
from layerwise.core.errors import names_nearest
from layerwise.core.random import generator

__all__ = ["SignalCutout", "SignalLoss"]

# b: items. C: channels. N: samples.


class SignalCutout(SignalTransform):
    """Signals with a part silent, at random, in training; all channels alike.

    Args:
        p: probability for each item.
        max_cut_pct: greatest share of a signal; 0.15 leaves what most sounds are known by.
        min_cut_pct: least share.

    Raises:
        ValueError: if these are no shares, or not in order.

    Example:
        >>> from layerwise.audio.types import AudioTensor
        >>> cut = SignalCutout(p=1.0, max_cut_pct=0.5, min_cut_pct=0.5)
        >>> cut(AudioTensor(torch.ones(1, 8), sr=8000), split_idx=0).sum().item()
        4.0
    """

    draws = 2

    @names_nearest
    def __init__(self, p: float = 0.5, max_cut_pct: float = 0.15, min_cut_pct: float = 0.0) -> None:
        super().__init__(p=p)
        _check_shares("cut", min_cut_pct, max_cut_pct)
        self.max_cut_pct, self.min_cut_pct = max_cut_pct, min_cut_pct

    def change(self, items: Items) -> Tensor:
        """Values with zeros in one place."""
        share = self.min_cut_pct + (self.max_cut_pct - self.min_cut_pct) * items.drawn[:, 0]
        sizes = (share * items.lengths).round().long()
        starts = (items.drawn[:, 1] * (items.lengths - sizes + 1)).floor().long()
        at = torch.arange(items.values.shape[-1])
        is_cut = (at >= starts[:, None]) & (at < (starts + sizes)[:, None])
        return items.values.masked_fill(is_cut[:, None].to(items.values.device), 0)


class SignalLoss(SignalTransform):
    """Signals that lost single samples, at random, in training; all channels the same ones.

    Args:
        p: probability for each item.
        max_loss_pct: greatest share of samples that are lost.
        min_loss_pct: least share.

    Raises:
        ValueError: if these are no shares, or not in order.

    Example:
        >>> from layerwise.audio.types import AudioTensor
        >>> lose = SignalLoss(p=1.0, max_loss_pct=1.0, min_loss_pct=1.0)
        >>> lose(AudioTensor(torch.ones(1, 8), sr=8000), split_idx=0).sum().item()
        0.0
    """

    draws = 1

    @names_nearest
    def __init__(
        self, p: float = 0.5, max_loss_pct: float = 0.15, min_loss_pct: float = 0.0
    ) -> None:
        super().__init__(p=p)
        _check_shares("loss", min_loss_pct, max_loss_pct)
        self.max_loss_pct, self.min_loss_pct = max_loss_pct, min_loss_pct

    def change(self, items: Items) -> Tensor:
        """Values with zeros among them."""
        share = self.min_loss_pct + (self.max_loss_pct - self.min_loss_pct) * items.drawn
        shape = len(items.values), items.values.shape[-1]
        is_lost = torch.rand(shape, generator=generator()) < share
        return items.values.masked_fill(is_lost[:, None].to(items.values.device), 0)


def _check_shares(what: str, low: float, high: float) -> None:
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"min_{what}_pct={low}, max_{what}_pct={high}; shares go from 0 to 1, the least first"
        )
