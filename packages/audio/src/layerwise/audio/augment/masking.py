"""Spectrograms with rows or frames covered (Park et al., 2019, SpecAugment)."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.audio.augment.masks import mask_along_axis, masks_of, region_mask
from layerwise.audio.augment.per_item import Items, SpectrogramTransform
from layerwise.audio.lengths import time_mask
from layerwise.core.errors import names_nearest

__all__ = ["MaskFreq", "MaskTime"]

# b: items. M: masks of each. F: rows. T: frames.

Size = int | float | tuple[int, int] | tuple[float, float]
"""Rows or frames where whole, shares of the axis where not; a pair is the least and greatest."""


class _Mask(SpectrogramTransform):
    """What masks along either axis share."""

    axis = -1

    def __init__(
        self, num_masks: int, size: Size, start: int | None, val: float | None, p: float
    ) -> None:
        super().__init__(p=p)
        low, high = size if isinstance(size, tuple) else (size, size)
        is_share = isinstance(high, float)
        if isinstance(low, float) != is_share or not 0 <= low <= high or (is_share and high > 1):
            raise ValueError(
                f"size={size!r}; give rows or frames as whole numbers, shares of the axis as "
                "numbers from 0.0 to 1.0, or a pair of either, the least first"
            )
        if num_masks < 1 or (start is not None and (num_masks > 1 or start < 0)):
            raise ValueError(
                f"num_masks={num_masks}, start={start}; there is one mask at least, and one alone "
                "where it is said where it starts"
            )
        self.num_masks, self.size, self.start, self.val = num_masks, size, start, val
        self._low, self._high, self._is_share = low, high, is_share
        self.draws = 2 * num_masks

    def change(self, items: Items) -> Tensor:
        """Values with some of them covered."""
        values, length = items.values, items.values.shape[self.axis]
        ends = items.lengths if self.axis == -1 else torch.full((len(values),), length)
        unit = ends.double() if self._is_share else torch.ones(len(values), dtype=torch.float64)
        low, high = (self._low * unit).round(), (self._high * unit).round()
        drawn = items.drawn.reshape(-1, self.num_masks, 2)
        if self.start is None:
            mask = masks_of(drawn, low, high, ends, length)
        else:
            sizes = (low + drawn[:, 0, 0] * (high - low + 1)).floor().long()
            starts = torch.full((len(values),), self.start)
            mask = region_mask(starts, starts + sizes, length)
        return mask_along_axis(values, mask, self._cover(items), self.axis)

    def _cover(self, items: Items) -> Tensor | float:
        """`val`, or (b, C, 1, 1) the mean of each channel without its filling."""
        if self.val is not None:
            return self.val
        inside = time_mask(items.lengths, items.values)
        count = items.lengths.clamp_min(1).to(items.values.device) * items.values.shape[-2]
        total = (items.values * inside).sum((-2, -1), keepdim=True)
        return total / count.view(-1, 1, 1, 1)


class MaskFreq(_Mask):
    """Spectrograms with rows covered, in training: a voice is known without some of its pitches.

    Args:
        num_masks: how many masks; they may lie over each other.
        size: rows of each; a number below 1 with a point in it is a share of all rows. A pair is
            the least and the greatest, drawn for each mask.
        start: first row of the one mask; drawn when None.
        val: what covers; the mean of each channel when None.
        p: probability for each item.

    Raises:
        ValueError: for sizes that are none, no mask, or a start of several.

    Example:
        >>> from layerwise.audio.settings import SpectrogramSettings
        >>> from layerwise.audio.types import AudioSpectrogram
        >>> settings = SpectrogramSettings(sr=8, n_fft=6)
        >>> spectrogram = AudioSpectrogram.create(torch.ones(4, 2), settings)
        >>> MaskFreq(size=2, start=1, val=0)(spectrogram, split_idx=0)[0, :, 0].tolist()
        [1.0, 0.0, 0.0, 1.0]
    """

    axis = -2

    @names_nearest
    def __init__(
        self,
        num_masks: int = 1,
        size: Size = 20,
        start: int | None = None,
        val: float | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(num_masks, size, start, val, p)


class MaskTime(_Mask):
    """Spectrograms with frames covered, in training: words are known without some of their time.

    Masks lie within the sound, not on the filling of a padded batch.

    Args:
        num_masks: how many masks; they may lie over each other.
        size: frames of each; a number below 1 with a point in it is a share of all frames. A pair
            is the least and the greatest, drawn for each mask.
        start: first frame of the one mask; drawn when None.
        val: what covers; the mean of each channel when None.
        p: probability for each item.

    Raises:
        ValueError: for sizes that are none, no mask, or a start of several.

    Example:
        >>> from layerwise.audio.settings import SpectrogramSettings
        >>> from layerwise.audio.types import AudioSpectrogram
        >>> settings = SpectrogramSettings(sr=8, n_fft=6)
        >>> spectrogram = AudioSpectrogram.create(torch.ones(4, 8), settings)
        >>> MaskTime(2, size=(1, 2), val=0)(spectrogram, split_idx=0).sum().item() < 32
        True
    """

    @names_nearest
    def __init__(
        self,
        num_masks: int = 1,
        size: Size = 20,
        start: int | None = None,
        val: float | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(num_masks, size, start, val, p)
