"""Signals at another pitch or speed, a few different ones in each batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerwise.audio.augment.per_item import Items, SignalTransform
from layerwise.audio.dsp.stretching import pitch_shift, time_stretch
from layerwise.core.errors import names_nearest

__all__ = ["PitchShift", "PitchShiftOrTimeStretch", "TimeStretch"]

# b: items. C: channels. N: samples.


class _Chosen(SignalTransform):
    """One of `choices` for each item; items with the same one are done at once."""

    draws = 1

    def __init__(self, p: float, low: float, high: float, count: int, n_fft: int) -> None:
        super().__init__(p=p)
        if count < 1 or n_fft < 4:
            raise ValueError(f"steps={count}, n_fft={n_fft}; give 1 and 4 at least")
        if low > high:
            raise ValueError(f"from {low} to {high}; give the least first")
        self._choices = torch.linspace(low, high, count, dtype=torch.float64).tolist()

    def altered(self, values: Tensor, choice: float, sr: int) -> Tensor:
        """(b, C, N) signals, all by one choice."""
        raise NotImplementedError(f"{type(self).__name__} has to define `altered`")

    def change(self, items: Items) -> Tensor:
        """Values altered, each by its choice."""
        chosen = (items.drawn[:, 0] * len(self._choices)).long()
        made = items.values
        for each in sorted(set(chosen.tolist())):
            rows = (chosen == each).nonzero().flatten().to(made.device)
            altered = self.altered(items.values[rows], self._choices[each], items.like.sr)
            made = made.index_copy(0, rows, altered.to(made.dtype))
        return made


class PitchShift(_Chosen):
    """Signals at another pitch, as long as before, in training.

    Args:
        p: probability for each item.
        semitones: least and greatest change; twelve are an octave. Four to either side leave
            voices human.
        steps: how many different changes there are; fewer are faster, since items with the same
            one are done at once.
        n_fft: samples of the Fourier transforms; 1024 suit speech at 16 kHz, 2048 music.

    Raises:
        ValueError: if the changes are not in order, or there are none.

    Example:
        >>> from layerwise.audio.types import AudioTensor
        >>> higher = PitchShift(p=1.0, semitones=(2, 2), steps=1)
        >>> higher(AudioTensor(torch.zeros(3, 1, 8000), sr=8000), split_idx=0).shape
        torch.Size([3, 1, 8000])
    """

    @names_nearest
    def __init__(
        self,
        p: float = 0.2,
        semitones: tuple[float, float] = (-4.0, 4.0),
        steps: int = 9,
        n_fft: int = 1024,
    ) -> None:
        super().__init__(p, *semitones, steps, n_fft)
        self.semitones, self.steps, self.n_fft = semitones, steps, n_fft

    def altered(self, values: Tensor, choice: float, sr: int) -> Tensor:
        """Signals `choice` semitones higher."""
        return values if choice == 0 else pitch_shift(values, sr, choice, self.n_fft)


class TimeStretch(_Chosen):
    """Signals faster or slower at the same pitch, in training.

    They stay as long as they were: what becomes longer loses its end, what becomes shorter is
    followed by silence.

    Args:
        p: probability for each item.
        rates: least and greatest; 2 is twice as fast. A fifth to either side is how much speakers
            differ.
        steps: how many different rates there are; fewer are faster.
        n_fft: samples of the Fourier transforms; 1024 suit speech at 16 kHz, 2048 music.

    Raises:
        ValueError: if the rates are not in order or not above 0, or there are none.

    Example:
        >>> from layerwise.audio.types import AudioTensor
        >>> faster = TimeStretch(p=1.0, rates=(2, 2), steps=1)
        >>> faster(AudioTensor(torch.ones(1, 8000), sr=8000), split_idx=0)[0, 4000:].sum().item()
        0.0
    """

    @names_nearest
    def __init__(
        self,
        p: float = 0.2,
        rates: tuple[float, float] = (0.8, 1.2),
        steps: int = 9,
        n_fft: int = 1024,
    ) -> None:
        if not rates[0] > 0:
            raise ValueError(f"rates={rates}; give factors above 0, such as 1.2 for faster")
        super().__init__(p, *rates, steps, n_fft)
        self.rates, self.steps, self.n_fft = rates, steps, n_fft

    def altered(self, values: Tensor, choice: float, sr: int) -> Tensor:  # noqa: ARG002 - of others
        """Signals `choice` times as fast, as long as before."""
        if choice == 1:
            return values
        size = values.shape[-1]
        made = time_stretch(values, choice, self.n_fft)[..., :size]
        return pad(made, (0, size - made.shape[-1]))


class PitchShiftOrTimeStretch(SignalTransform):
    """`PitchShift` or `TimeStretch`, in training: each spoils a little, both spoil more.

    Args:
        p: probability of either, for each item.
        semitones: least and greatest change of pitch.
        rates: least and greatest speed.
        steps: how many different ones there are of each.
        n_fft: samples of the Fourier transforms.
        pitch_share: in which share of cases it is the pitch.

    Raises:
        ValueError: as the two; or if `pitch_share` is no share.
    """

    draws = 2

    @names_nearest
    def __init__(
        self,
        p: float = 0.4,
        semitones: tuple[float, float] = (-4.0, 4.0),
        rates: tuple[float, float] = (0.8, 1.2),
        steps: int = 9,
        n_fft: int = 1024,
        pitch_share: float = 0.5,
    ) -> None:
        super().__init__(p=p)
        if not 0 <= pitch_share <= 1:
            raise ValueError(f"pitch_share={pitch_share}; give a number from 0 to 1")
        self.semitones, self.rates, self.steps = semitones, rates, steps
        self.n_fft, self.pitch_share = n_fft, pitch_share
        self._pitch = PitchShift(1.0, semitones, steps, n_fft)
        self._stretch = TimeStretch(1.0, rates, steps, n_fft)

    def change(self, items: Items) -> Tensor:
        """Values altered by one or the other."""
        by_pitch = items.drawn[:, 1] < self.pitch_share
        made = items.values
        for either, chosen in ((self._pitch, by_pitch), (self._stretch, ~by_pitch)):
            rows = chosen.nonzero().flatten()
            if len(rows):
                places = rows.to(made.device)
                some = Items(
                    items.values[places], items.drawn[rows], items.lengths[rows], items.like
                )
                made = made.index_copy(0, places, either.change(some))
        return made
