"""Transforms of songs: what makes one, how it is scaled for a model, how it varies in training."""

from __future__ import annotations

from typing import Any

import torch
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.random import generator
from layerwise.core.tensors import dress
from layerwise.core.transforms.random import RandTransform
from layerwise.core.transforms.transform import Transform

from layerwise_birds.types import TensorSong

__all__ = ["OctavePitch", "RandomPitch", "ToSong"]

# T: steps of a song. B: songs of a batch.


class ToSong(Transform):
    """Lists or tensors of numbers to songs.

    Example:
        >>> ToSong()([2, 3])
        TensorSong([2., 3.])
    """

    def encodes(self, o: list | torch.Tensor) -> TensorSong:  # type: ignore[type-arg]  # dispatch takes the class
        """(T,) the song."""
        return TensorSong(torch.as_tensor(o, dtype=torch.float32))


class OctavePitch(Transform):
    """Pitches in octaves above `base`, since an octave is heard as the same step everywhere.

    Args:
        base: the pitch that becomes 0, in kHz.

    Example:
        >>> octave = OctavePitch(base=2.0)
        >>> octave(TensorSong([2.0, 4.0])), octave.decode(octave(TensorSong([2.0, 4.0])))
        (TensorSong([0., 1.]), TensorSong([2., 4.]))
    """

    order = 99

    def __init__(self, base: float = 3.0) -> None:
        super().__init__()
        self.base = base

    encodes = Dispatch(unchanged)
    decodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: TensorSong) -> TensorSong:
        return dress((x.as_plain() / self.base).log2(), x)

    @decodes.register
    def _(self, x: TensorSong) -> TensorSong:
        return dress(x.as_plain().exp2() * self.base, x)


class RandomPitch(RandTransform):
    """Each song of a batch higher or lower, as other birds of the kind sing it; in training only.

    Args:
        octaves: how far at most.
        p: probability for a batch.

    Example:
        >>> RandomPitch(octaves=0.0)(TensorSong([2.0, 4.0]), split_idx=0)
        TensorSong([2., 4.])
    """

    order = 50

    def __init__(self, octaves: float = 0.25, p: float = 1.0) -> None:
        super().__init__(p)
        self.octaves = octaves

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw a shift for each song, from the key of the batch."""
        super().before_call(b, split_idx)
        song = b[0] if isinstance(b, tuple) else b
        # On the CPU, so that a key means the same on every device.
        count = (*song.shape[:-1], 1)
        self.shift = (torch.rand(count, generator=generator()) * 2 - 1) * self.octaves

    def encodes(self, x: TensorSong) -> TensorSong:
        """(B, T) shifted songs."""
        return dress(x.as_plain() * self.shift.exp2().to(x.device), x)
