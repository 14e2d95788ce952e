"""Sounds moved in time."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from layerwise.audio.augment.per_item import (
    Items,
    SignalTransform,
    SoundTransform,
    SpectrogramTransform,
    valid_lengths,
)
from layerwise.audio.augment.place import silence_of, windows
from layerwise.audio.lengths import time_mask
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.errors import names_nearest
from layerwise.core.tensors import dress

__all__ = ["Roll", "SGRoll", "SignalShifter", "shift_signal"]

Sound = TypeVar("Sound", AudioTensor, AudioSpectrogram)


def shift_signal(t: Sound, shift: int, roll: bool = False) -> Sound:
    """`t` moved in time; filling of a padded batch stays where it is.

    Args:
        t: signal or spectrogram, or a batch of them.
        shift: samples or frames, to the right; to the left where negative.
        roll: what leaves at one end comes in at the other; silence does otherwise.

    Example:
        >>> clip = AudioTensor([[1.0, 2.0, 3.0]], sr=10)
        >>> shift_signal(clip, 1).tolist(), shift_signal(clip, 1, roll=True).tolist()
        ([[0.0, 1.0, 2.0]], [[3.0, 1.0, 2.0]])
    """
    is_one = t.ndim == (2 if isinstance(t, AudioTensor) else 3)
    values = t.as_plain()[None] if is_one else t.as_plain()
    lengths = valid_lengths(t)
    moved = _moved(t, values, torch.full((len(values),), shift), lengths, roll)
    made = torch.where(time_mask(lengths, values), moved, values)
    return dress(made[0] if is_one else made, t)


def _moved(
    like: AudioTensor | AudioSpectrogram,
    values: Tensor,
    shifts: Tensor,
    lengths: Tensor,
    roll: bool,
) -> Tensor:
    fill = 0.0 if roll else silence_of(like, values, lengths)
    ends = lengths.clamp_min(1) if roll else lengths  # nothing, rolled, is nothing
    return windows(values, -shifts, values.shape[-1], ends, repeat=roll, fill=fill)


def _steps(drawn: Tensor, most: Tensor | float, direction: int) -> Tensor:
    """(b,) whole numbers up to `most`, to the right (1), the left (-1) or either (0)."""
    share = drawn if direction > 0 else -drawn if direction < 0 else 2 * drawn - 1
    return (share * most).round().long()


def _check(direction: int, max_pct: float) -> None:
    if direction not in (-1, 0, 1):
        raise ValueError(f"direction={direction}; -1 is to the left, 1 to the right, 0 either")
    if not 0 <= max_pct <= 1:
        raise ValueError(f"a shift by the share {max_pct}; give a number from 0 to 1")


class SignalShifter(SoundTransform):
    """Moves sounds in time by a random amount, in training.

    Given after the spectrogram is made, with an `order` behind it, it moves frames.

    Args:
        p: probability for each item.
        max_pct: greatest shift, as a share of the length; a fifth leaves most of a clip in place.
        max_time: greatest shift in seconds, in place of `max_pct`.
        direction: -1 to the left, 1 to the right, 0 either.
        roll: what leaves at one end comes in at the other; silence does otherwise.
        order: where in a pipeline it stands; before the spectrogram is made otherwise.

    Raises:
        ValueError: for another direction, or a greatest shift that is no share or no time.

    Example:
        >>> shifter = SignalShifter(p=1.0, max_time=0.2, direction=1, roll=True)
        >>> moved = shifter(AudioTensor([[1.0, 2.0, 3.0, 4.0]], sr=10), split_idx=0)
        >>> moved.sum().item(), moved.sr
        (10.0, 10)
    """

    draws = 1

    @names_nearest
    def __init__(
        self,
        p: float = 0.5,
        max_pct: float = 0.2,
        max_time: float | None = None,
        direction: int = 0,
        roll: bool = False,
        *,
        order: float | None = None,
    ) -> None:
        super().__init__(p=p, order=order)
        _check(direction, max_pct)
        if max_time is not None and max_time < 0:
            raise ValueError(f"max_time={max_time}; give seconds, 0 or more")
        self.max_pct, self.max_time = max_pct, max_time
        self.direction, self.roll = direction, roll

    def change(self, items: Items) -> Tensor:
        """Moved values."""
        most = items.lengths * self.max_pct
        if self.max_time is not None:
            # Frames follow each other by hops; those of the first window do not count.
            hop = 1 if isinstance(items.like, AudioTensor) else items.like.hop_length
            steps = torch.tensor(self.max_time * items.like.sr / hop)
            most = steps.minimum(items.lengths)
        shifts = _steps(items.drawn[:, 0], most, self.direction)
        return _moved(items.like, items.values, shifts, items.lengths, self.roll)


class Roll(SignalTransform):
    """Signals that start at a random place and come round to it, in training.

    Args:
        p: probability for each item.
        max_roll: greatest shift to either side, as a share of the length.

    Raises:
        ValueError: if that is no share.
    """

    draws = 1

    @names_nearest
    def __init__(self, p: float = 0.5, max_roll: float = 0.5) -> None:
        super().__init__(p=p)
        _check(0, max_roll)
        self.max_roll = max_roll

    def change(self, items: Items) -> Tensor:
        """Rolled values."""
        shifts = _steps(items.drawn[:, 0], items.lengths * self.max_roll, 0)
        return _moved(items.like, items.values, shifts, items.lengths, True)


class SGRoll(SpectrogramTransform):
    """Spectrograms that start at a random frame and come round to it, in training.

    Args:
        max_shift_pct: greatest shift, as a share of the frames.
        direction: -1 to the left, 1 to the right, 0 either.
        p: probability for each item.

    Raises:
        ValueError: for another direction, or a shift that is no share.
    """

    draws = 1

    @names_nearest
    def __init__(self, max_shift_pct: float = 0.5, direction: int = 0, p: float = 1.0) -> None:
        super().__init__(p=p)
        _check(direction, max_shift_pct)
        self.max_shift_pct, self.direction = max_shift_pct, direction

    def change(self, items: Items) -> Tensor:
        """Rolled values."""
        shifts = _steps(items.drawn[:, 0], items.lengths * self.max_shift_pct, self.direction)
        return _moved(items.like, items.values, shifts, items.lengths, True)
