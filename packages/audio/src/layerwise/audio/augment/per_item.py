"""Random changes of sounds, drawn for each item of a batch: the classes they derive from.

An item takes its own row of a matrix of numbers from 0 to 1: the first decides whether anything is
done, the others what. So a row means the same for an item alone and in a batch, on any device.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from layerwise.audio.lengths import time_mask
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.random import generator
from layerwise.core.tensors import dress
from layerwise.core.transforms.random import RandTransform

__all__ = [
    "Items",
    "RandomPerItem",
    "SignalTransform",
    "SoundTransform",
    "SpectrogramTransform",
]

# B: items of a batch, b: some of them. C: channels. N: samples or frames. D: numbers drawn.

Sound = TypeVar("Sound", AudioTensor, AudioSpectrogram)

ON_SIGNALS, ON_SPECTROGRAMS = 20.0, 60.0
"""The `order` of changes before and after the spectrogram is made."""


def item_count(x: AudioTensor | AudioSpectrogram) -> int:
    """How many items `x` has; 1 for an item that is in no batch.

    Raises:
        ValueError: for a tensor with too many or too few axes.
    """
    item_dims = 2 if isinstance(x, AudioTensor) else 3
    if x.ndim not in (item_dims, item_dims + 1):
        form = "(C, N) or (B, C, N)" if item_dims == 2 else "(C, F, T) or (B, C, F, T)"
        raise ValueError(f"{type(x).__name__} of shape {tuple(x.shape)}; it has to be {form}")
    return len(x) if x.ndim > item_dims else 1


def valid_lengths(x: AudioTensor | AudioSpectrogram) -> Tensor:
    """(B,) samples or frames of each item that are not filling, on the CPU.

    Example:
        >>> valid_lengths(AudioTensor(torch.zeros(2, 1, 5), sr=8000)).tolist()
        [5, 5]
    """
    count, lengths = item_count(x), vars(x).get("lengths")
    if lengths is None or count != len(lengths) or x.ndim < (4 - isinstance(x, AudioTensor)):
        return torch.full((count,), x.shape[-1])
    return torch.as_tensor(lengths).cpu()


class Items(NamedTuple):
    """Items of a batch that are to be changed, all by one transform."""

    values: Tensor
    """(b, C, N) signals or (b, C, F, N) spectrograms, plain; nobody writes into them."""
    drawn: Tensor
    """(b, D) numbers from [0, 1), float64 on the CPU."""
    lengths: Tensor
    """(b,) samples or frames that are not filling, on the CPU."""
    like: AudioTensor | AudioSpectrogram
    """What they are taken from; it knows sample rate or settings."""


class RandomPerItem(RandTransform):
    """Base of random changes of each item of a batch, or of a single item, in training alone.

    A subclass writes `change`, and says in `draws` how many numbers that needs. Sounds in one tuple
    (noisy and clean, for example) are changed by the same numbers. Filling of a padded batch is
    left as it is.

    Args:
        p: probability for each item.
        order: where in a pipeline it stands; the class says so otherwise.
    """

    draws: int = 0

    def __init__(self, p: float = 1.0, *, order: float | None = None) -> None:
        super().__init__(p=p, order=order)
        self._drawn = torch.empty(0, 0)

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw a row of numbers for each item of `b`."""
        counts = [item_count(x) for x in _sounds(b)]
        if not counts:  # of a type that was added from outside, drawn once for all of it
            super().before_call(b, split_idx)
            return
        self.do = True
        if len(set(counts)) > 1:
            raise ValueError(
                f"sounds of {' and '.join(map(str, counts))} items are to be changed alike; all "
                "members of a batch have as many items"
            )
        shape = counts[0], 1 + self.draws
        self._drawn = torch.rand(shape, generator=generator(), dtype=torch.float64)

    def change(self, items: Items) -> Tensor:
        """The changed values, of the shape of `items.values`, in a tensor of their own."""
        raise NotImplementedError(f"{type(self).__name__} has to define `change`")

    def changed(self, x: Sound) -> Sound:
        """`x` with those of its items changed for which the numbers say so."""
        is_one = x.ndim == (2 if isinstance(x, AudioTensor) else 3)
        values = x.as_plain()[None] if is_one else x.as_plain()
        acts = self._drawn[:, 0] < self.p
        if not acts.any() or not values.numel():
            return x
        lengths = valid_lengths(x)
        if acts.all():
            made = self.change(Items(values, self._drawn[:, 1:], lengths, x))
        else:
            rows = acts.nonzero().flatten()
            places = rows.to(values.device)
            some = Items(values[places], self._drawn[rows, 1:], lengths[rows], x)
            made = values.index_copy(0, places, self.change(some).to(values.dtype))
        if bool((lengths < values.shape[-1]).any()):
            mask = time_mask(lengths, values)
            made = torch.where(mask, made, values)
        return dress(made[0] if is_one else made, x)


class SoundTransform(RandomPerItem):
    """Base of random changes of signals, or of spectrograms where these are given."""

    order: float = ON_SIGNALS

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:
        return self.changed(x)

    @encodes.register
    def _(self, x: AudioSpectrogram) -> AudioSpectrogram:
        return self.changed(x)


class SignalTransform(RandomPerItem):
    """Base of random changes of signals; it refuses spectrograms."""

    order: float = ON_SIGNALS

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:
        return self.changed(x)

    @encodes.register
    def _(self, x: AudioSpectrogram) -> AudioSpectrogram:  # noqa: ARG002 - its type is what counts
        raise TypeError(
            f"{self.name} changes signals, and this is a spectrogram; put it before the transform "
            "that makes the spectrogram"
        )


class SpectrogramTransform(RandomPerItem):
    """Base of random changes of spectrograms; it refuses signals.

    A subclass writes `change`.

    Args:
        p: probability for each item.
        order: where in a pipeline it stands; after what makes spectrograms otherwise.

    Example:
        >>> class Quieter(SpectrogramTransform):
        ...     def change(self, items): return items.values / 2
        >>> Quieter()(AudioTensor(torch.zeros(1, 8), sr=8000), split_idx=0)
        Traceback (most recent call last):
        ...
        TypeError: Quieter changes spectrograms, and this is a signal; ...
    """

    order: float = ON_SPECTROGRAMS

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioSpectrogram) -> AudioSpectrogram:
        return self.changed(x)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:  # noqa: ARG002 - its type is what counts
        raise TypeError(
            f"{self.name} changes spectrograms, and this is a signal; put AudioToSpec before it"
        )


def _sounds(b: Any) -> list[AudioTensor | AudioSpectrogram]:
    """The sounds in a tuple, and in tuples inside of it."""
    if isinstance(b, AudioTensor | AudioSpectrogram):
        return [b]
    return [x for member in b for x in _sounds(member)] if isinstance(b, tuple) else []
