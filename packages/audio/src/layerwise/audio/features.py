"""More channels, or another size: what is made of spectrograms before a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor

from layerwise.audio.dsp.derivative import delta
from layerwise.audio.types import AudioSpectrogram
from layerwise.core.errors import names_nearest, nearest
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

__all__ = ["Delta", "TfmResize"]

# B: items of a batch. C: channels. F: rows. T: frames.

_MODES = ("area", "bicubic", "bilinear", "nearest")


class Delta(Transform):
    """How spectrograms change, as channels behind theirs: first and second derivative in time.

    Items of a padded batch are taken without their filling, so that its edge is no change.

    Args:
        width: frames that a derivative is fitted to: odd, 3 at least.
        mode: what is done at the ends, see `layerwise.audio.dsp.derivative.delta`; "nearest" suits
            clips of any length, "interp" needs `width` frames.

    Raises:
        ValueError: if `width` does not fit, or `mode` is none.

    Example:
        >>> from layerwise.audio.settings import SpectrogramSettings
        >>> x = AudioSpectrogram(torch.zeros(2, 1, 40, 9), settings=SpectrogramSettings(sr=8000))
        >>> made = Delta()(x)
        >>> made.shape, made.deltas
        (torch.Size([2, 3, 40, 9]), 2)
    """

    order: float = 70

    @names_nearest
    def __init__(self, width: int = 9, mode: str = "nearest") -> None:
        super().__init__()
        delta(torch.zeros(max(3, width)), width, 1, mode)  # says what is wrong with them
        self.width, self.mode = width, mode

    def encodes(self, x: AudioSpectrogram) -> AudioSpectrogram:
        """(3 C, F, T), or (B, 3 C, F, T) of a batch."""
        values, lengths = x.as_plain(), vars(x).get("lengths")
        if lengths is None or x.ndim != 4:
            made = self._with_changes(values)
        else:
            made = values.new_zeros(len(x), 3 * x.nchannels, x.height, x.width)
            for item, found, size in zip(values, made, lengths.tolist(), strict=True):
                found[..., :size] = self._with_changes(item[..., :size])
                found[: len(item), :, size:] = item[..., size:]
        result = dress(made, x)
        result.settings = replace(x.settings, deltas=2)
        return result

    def _with_changes(self, values: Tensor) -> Tensor:
        orders = [delta(values, self.width, order, self.mode) for order in (1, 2)]
        return torch.cat([values, *orders], -3)


class TfmResize(Transform):
    """Spectrograms at another size, as if they were pictures.

    What they know of Hz and seconds follows; the lengths of a padded batch are stretched with it.

    Args:
        size: rows and frames; one number for both.
        interp_mode: "bilinear", "nearest", "bicubic" or "area", of
            `torch.nn.functional.interpolate`.

    Raises:
        ValueError: if a size is below 1, or the mode is none of these.

    Example:
        >>> from layerwise.audio.settings import SpectrogramSettings
        >>> x = AudioSpectrogram(torch.zeros(1, 40, 100), settings=SpectrogramSettings(sr=8000))
        >>> made = TfmResize((64, 50))(x)
        >>> made.shape, made.duration == x.duration
        (torch.Size([1, 64, 50]), True)
    """

    order: float = 80

    @names_nearest
    def __init__(self, size: int | Sequence[int], interp_mode: str = "bilinear") -> None:
        super().__init__()
        if interp_mode not in _MODES:
            raise ValueError(
                f"interp_mode={interp_mode!r}; give one of {', '.join(_MODES)}."
                f"{nearest(str(interp_mode), _MODES)}"
            )
        sides = (size, size) if isinstance(size, int) else tuple(size)
        if len(sides) != 2 or min(sides) < 1:
            raise ValueError(f"size={size}; give rows and frames, 1 at least, or one number")
        self.size, self.interp_mode = size, interp_mode
        self._sides: tuple[int, int] = (int(sides[0]), int(sides[1]))

    def encodes(self, x: AudioSpectrogram) -> AudioSpectrogram:
        """(C, F, T), or (B, C, F, T) of a batch, of the new size."""
        batch = x.as_plain() if x.ndim == 4 else x.as_plain()[None]
        made = F.interpolate(batch, self._sides, mode=self.interp_mode)
        result = dress(made if x.ndim == 4 else made[0], x)
        tall, wide = self._sides[0] / x.height, self._sides[1] / x.width
        old = x.settings.scale
        result.settings = replace(x.settings, scale=(old[0] * tall, old[1] * wide))
        if "lengths" in vars(x):
            result.lengths = (x.lengths * wide).ceil().long()
        return result
