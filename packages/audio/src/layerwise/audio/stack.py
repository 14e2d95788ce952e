"""Several spectrograms of one signal as the channels of one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import interpolate

from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.errors import names_nearest
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

__all__ = ["StackSpec"]


class StackSpec(Transform):
    """Signals to spectrograms of several kinds, stacked as channels: short windows and long, say.

    Models then see both when something happened and at which pitch. All get the rows and frames of
    the first, interpolated; its settings, and `lengths`, are those of the result.

    Args:
        specs: transforms from signals to spectrograms, the first one first.

    Raises:
        ValueError: if there is none; when called, if one makes no spectrogram.

    Example:
        >>> from layerwise.audio.spectrum import AudioToSpec
        >>> both = StackSpec([AudioToSpec(n_fft=256), AudioToSpec(n_fft=1024)])
        >>> both(AudioTensor(torch.zeros(3, 1, 8000), sr=16000)).shape
        torch.Size([3, 2, 128, 63])
    """

    order: float = 40

    @names_nearest
    def __init__(self, specs: Sequence[Transform]) -> None:
        super().__init__()
        if not specs:
            raise ValueError("StackSpec stacks spectrograms; give one transform at least")
        self.specs = list(specs)

    def encodes(self, x: AudioTensor) -> AudioSpectrogram:
        """(C * K, F, T), or (B, C * K, F, T) of a batch, of K kinds."""
        made: list[AudioSpectrogram] = [spec(x) for spec in self.specs]
        for spec, each in zip(self.specs, made, strict=True):
            if not isinstance(each, AudioSpectrogram):
                raise ValueError(
                    f"{type(spec).__name__} made a {type(each).__name__} and no spectrogram; give "
                    "transforms such as AudioToSpec"
                )
        first = made[0]
        size = first.shape[-2:]
        plain = [each.as_plain() for each in made]
        if first.ndim == 3:
            plain = [each[None] for each in plain]
        scaled = [
            each
            if each.shape[-2:] == size
            else interpolate(each, size, mode="bilinear", align_corners=False)
            for each in plain
        ]
        stacked = torch.cat(scaled, -3)
        return dress(stacked if first.ndim == 4 else stacked[0], first)
