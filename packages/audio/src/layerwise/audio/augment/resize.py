"""Sounds of one length: cut out of longer ones, shorter ones filled up."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from layerwise.audio.augment.per_item import ON_SPECTROGRAMS, item_count, valid_lengths
from layerwise.audio.augment.place import samples_of, silence_of, windows
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import names_nearest, nearest
from layerwise.core.random import generator
from layerwise.core.tensors import dress
from layerwise.core.transforms.random import RandTransform

__all__ = ["AudioPadMode", "AudioPadType", "CropTime", "RandomCropPad", "ResizeSignal"]

Sound = TypeVar("Sound", AudioTensor, AudioSpectrogram)


class AudioPadType:
    """How a sound that is too short is filled up: by zeros around or after it, or by itself."""

    Zeros = "zeros"
    Zeros_After = "zeros_after"
    Repeat = "repeat"


class AudioPadMode:
    """How `RandomCropPad` fills up: by a number around, before or after the sound, or by itself."""

    Constant = "constant"
    ConstantPre = "constant_pre"
    ConstantPost = "constant_post"
    Repeat = "repeat"


_AROUND, _BEFORE, _AFTER = "around", "before", "after"
_PLACES = {
    AudioPadType.Zeros: _AROUND,
    AudioPadType.Zeros_After: _AFTER,
    AudioPadMode.Constant: _AROUND,
    AudioPadMode.ConstantPre: _BEFORE,
    AudioPadMode.ConstantPost: _AFTER,
    AudioPadType.Repeat: _AFTER,
}


class _FixedLength(RandTransform):
    """Cuts at a random place in training and in the middle otherwise; fills up what is short.

    A subclass says how long, and which sounds it takes.
    """

    split_idx: int | None = None

    def __init__(self, seconds: float, mode: str, kind: type, fill: float | None) -> None:
        super().__init__()
        known = [value for name, value in vars(kind).items() if name[0] != "_"]
        if mode not in known:
            raise ValueError(
                f"{mode!r} is no way to fill up; give one of {', '.join(known)}, as "
                f"{kind.__name__} names them.{nearest(str(mode), known)}"
            )
        if not seconds > 0:
            raise ValueError(f"a sound of {seconds} seconds; give a duration above 0")
        self._seconds, self._place, self._fill = seconds, _PLACES[mode], fill
        self._repeats = mode == AudioPadType.Repeat

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw a place for each item; its middle where this is not training."""
        members = b if isinstance(b, tuple) else (b,)
        sounds = [x for x in members if isinstance(x, AudioTensor | AudioSpectrogram)]
        count = item_count(sounds[0]) if sounds else 0
        if split_idx:
            self._shares = torch.full((count,), 0.5, dtype=torch.float64)
        else:
            self._shares = torch.rand(count, generator=generator(), dtype=torch.float64)

    def _resized(self, x: Sound) -> Sound:
        is_one = x.ndim == (2 if isinstance(x, AudioTensor) else 3)
        values = x.as_plain()[None] if is_one else x.as_plain()
        lengths, size = valid_lengths(x), samples_of(x, self._seconds)
        if bool((lengths == size).all()) and values.shape[-1] == size:
            return x
        fill = silence_of(x, values, lengths) if self._fill is None else self._fill
        starts = self._starts(lengths, size)
        made = windows(values, starts, size, lengths, repeat=self._repeats, fill=fill)
        result = dress(made[0] if is_one else made, x)
        if "lengths" in vars(x):  # what fills up an item of a fixed length counts as part of it
            result.lengths = torch.full_like(x.lengths, size)
        return result

    def _starts(self, lengths: Tensor, size: int) -> Tensor:
        """(b,) where the pieces begin; negative where something comes before the sound."""
        longer = (self._shares * (lengths - size + 1)).floor().long().clamp_min(0)
        if self._place == _AFTER:
            return longer
        missing = size - lengths
        around = (self._shares * (missing + 1)).floor().long()
        before = around if self._place == _AROUND else missing
        return torch.where(missing > 0, -before, longer)


class ResizeSignal(_FixedLength):
    """Signals of `duration` milliseconds.

    Longer ones are cut, at a random place in training, in the middle in validation and prediction.

    Args:
        duration: milliseconds of every signal.
        pad_mode: of `AudioPadType`, for shorter ones: `Zeros` on both sides, at random how many on
            which in training; `Zeros_After`; or `Repeat`, from the beginning again.

    Raises:
        ValueError: if `pad_mode` is none of these, or the duration not above 0.

    Example:
        >>> second = AudioTensor(torch.ones(1, 8000), sr=8000)
        >>> ResizeSignal(500)(second).shape
        torch.Size([1, 4000])
        >>> ResizeSignal(2000)(second, split_idx=1)[0, 3999:4001].tolist()
        [0.0, 1.0]
    """

    order: float = 5

    @names_nearest
    def __init__(self, duration: float, pad_mode: str = AudioPadType.Zeros) -> None:
        super().__init__(duration / 1000, pad_mode, AudioPadType, 0.0)
        self.duration, self.pad_mode = duration, pad_mode

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:
        return self._resized(x)


class RandomCropPad(_FixedLength):
    """Signals of `duration` seconds, under the names of fastxtend.

    As `ResizeSignal`, but in seconds, filled up by any number.

    Args:
        duration: seconds of every signal.
        padmode: of `AudioPadMode`. Repeating is the default, since a recogniser that is given
            mostly silence learns the length of clips.
        constant: what fills up, unless the signal is repeated.

    Raises:
        ValueError: if `padmode` is none of these, or the duration not above 0.

    Example:
        >>> clip = AudioTensor([[1.0, 2.0, 3.0]], sr=10)
        >>> RandomCropPad(0.5)(clip).tolist()
        [[1.0, 2.0, 3.0, 1.0, 2.0]]
        >>> RandomCropPad(0.5, AudioPadMode.ConstantPre)(clip).tolist()
        [[0.0, 0.0, 1.0, 2.0, 3.0]]
    """

    order: float = 5

    @names_nearest
    def __init__(
        self, duration: float, padmode: str = AudioPadMode.Repeat, constant: float = 0.0
    ) -> None:
        super().__init__(duration, padmode, AudioPadMode, constant)
        self.duration, self.padmode, self.constant = duration, padmode, constant

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:
        return self._resized(x)


class CropTime(_FixedLength):
    """Spectrograms of `duration` milliseconds: as many frames as signals of that length have.

    Longer ones are cut, at a random place in training, in the middle in validation and prediction.
    Where zeros are asked for, decibels are filled up by the least value of the spectrogram, which
    is its silence.

    Args:
        duration: milliseconds of every spectrogram.
        pad_mode: of `AudioPadType`, for shorter ones.

    Raises:
        ValueError: if `pad_mode` is none of these, or the duration not above 0.

    Example:
        >>> from layerwise.audio.settings import SpectrogramSettings
        >>> settings = SpectrogramSettings(sr=8000, n_fft=256)
        >>> spectrogram = AudioSpectrogram.create(torch.zeros(1, 129, 63), settings)
        >>> CropTime(400)(spectrogram).shape
        torch.Size([1, 129, 26])
    """

    order: float = ON_SPECTROGRAMS

    @names_nearest
    def __init__(self, duration: float, pad_mode: str = AudioPadType.Zeros) -> None:
        super().__init__(duration / 1000, pad_mode, AudioPadType, None)
        self.duration, self.pad_mode = duration, pad_mode

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: AudioSpectrogram) -> AudioSpectrogram:
        return self._resized(x)

    @encodes.register
    def _(self, x: AudioTensor) -> AudioTensor:  # noqa: ARG002 - its type is what counts
        raise TypeError(
            "CropTime cuts spectrograms, and this is a signal; put AudioToSpec before it, or cut "
            "signals with ResizeSignal"
        )
