"""The types of sound: signals and spectrograms that know their sample rate and how they were made.

Both keep what they know through operations. A batch whose items were filled up to one length has
`lengths`, which follow an index: item `i` comes without its filling.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from layerwise.audio.dsp.mel import mel_frequencies
from layerwise.audio.dsp.resampling import resample
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.sound_files import Readable, read_samples, wav_of, write_samples
from layerwise.core.display.generic import show
from layerwise.core.errors import MissingDependencyError
from layerwise.core.random import generator
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.types import PathLike

__all__ = ["AudioSpectrogram", "AudioTensor"]

# B: items of a batch. C: channels. N: samples. F: rows of a spectrogram. T: frames.

V = TypeVar("V")


class _Padded(TensorBase):
    """A tensor whose last axis is time and whose first, in a batch with `lengths`, is items."""

    lengths: Tensor
    _item_dims = 0

    def __getitem__(self, index: Any) -> Any:
        """As of any tensor; one item of a padded batch without its filling."""
        found: Any = super().__getitem__(index)
        lengths = self.__dict__.get("lengths")
        # Functions of torch that are written in Python, such as those behind `repr`, index plainly.
        is_plain = not isinstance(found, TensorBase)
        if lengths is None or is_plain or self.ndim != self._item_dims + 1:
            return found
        kept = dict(self.__dict__)
        del kept["lengths"]
        plain = found.as_plain()
        if isinstance(index, int | np.integer):
            plain = plain[..., : int(lengths[index])]
        elif plain.ndim == self.ndim and plain.shape[-1] == self.shape[-1]:
            rows = index[0] if isinstance(index, tuple) else index
            if rows is Ellipsis:
                rows = slice(None)
            kept["lengths"] = lengths[rows.cpu() if isinstance(rows, Tensor) else rows]
        return type(self)(plain, **kept)

    def __iter__(self) -> Iterator[Any]:
        """Over the first axis; items of a padded batch without their filling."""
        return (self[i] for i in range(len(self)))


class AudioTensor(_Padded):
    """(C, N) samples from -1 to 1, or (B, C, N) of several signals, with their sample rate `sr`.

    Args:
        x: tensor, array or nested lists.
        sr: samples in a second.
        lengths: (B,) samples that are not filling, of a padded batch.

    Example:
        >>> second = AudioTensor(torch.zeros(1, 8000), sr=8000)
        >>> half = (second + 1)[:, :4000]
        >>> half.sr, half.nsamples, half.duration
        (8000, 4000, 0.5)
    """

    media_type: ClassVar[str] = "audio/*"  # of the files that a server takes

    sr: int
    _item_dims = 2

    @classmethod
    def create(
        cls,
        fn: Readable | Tensor | np.ndarray[Any, Any],
        offset: int = 0,
        frames: int = -1,
        sr: int | None = None,
        mono: bool = False,
    ) -> Self:
        """A signal from a path, the bytes of a file, or an array.

        Args:
            fn: a file is decoded from `offset` on and no further than `frames`; an array is (N,)
                or (C, N), and `sr` says its rate.
            offset: first sample that is taken, in samples of the file.
            frames: how many are taken at most, in samples of the file; all if -1.
            sr: rate of the result; a file of another is resampled. That of the file if None.
            mono: mean of the channels.

        Raises:
            BadItemError: when a file is no sound, or broken; it is named.
            ValueError: for an array of another shape, or without `sr`.

        Example:
            >>> AudioTensor.create(torch.zeros(100), sr=50).shape
            torch.Size([1, 100])
        """
        if isinstance(fn, Tensor | np.ndarray):
            found, rate = _signal_of(fn, sr)
            found = found[:, offset:][:, : frames if frames >= 0 else None]
        else:
            found, rate = read_samples(fn, offset, frames)
        found = found.mean(0, keepdim=True) if mono and len(found) > 1 else found
        if sr is not None and sr != rate:
            found, rate = resample(found, rate, sr), sr
        return cls(found, sr=rate)

    @property
    def nsamples(self) -> int:
        """Samples of each channel, N."""
        return self.shape[-1]

    @property
    def nchannels(self) -> int:
        """Channels, C."""
        return self.shape[-2]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.nsamples / self.sr

    def apply_gain(self, gain: float) -> Self:
        """The signal `gain` times as loud, in amplitude."""
        return dress(self.as_plain() * gain, self)

    def cutout(self, cut_pct: float, start: int | None = None) -> Self:
        """The signal with a part of it silent.

        Args:
            cut_pct: share of the samples, 0 to 1.
            start: first silent sample; drawn if None.

        Example:
            >>> AudioTensor(torch.ones(1, 4), sr=8000).cutout(0.5, start=1).tolist()
            [[1.0, 0.0, 0.0, 1.0]]
        """
        size = round(_share("cut_pct", cut_pct) * self.nsamples)
        if start is None:
            start = int(torch.randint(self.nsamples - size + 1, (), generator=generator()))
        cut = self.as_plain().clone()
        cut[..., start : start + size] = 0
        return dress(cut, self)

    def lose_signal(self, loss_pct: float) -> Self:
        """The signal with single samples silent, each with probability `loss_pct`.

        All channels lose the same ones.

        Example:
            >>> AudioTensor(torch.ones(1, 3), sr=8000).lose_signal(1.0).tolist()
            [[0.0, 0.0, 0.0]]
        """
        share = torch.rand(self.nsamples, generator=generator())
        kept = (share >= _share("loss_pct", loss_pct)).to(self.device)
        return dress(self.as_plain() * kept, self)

    def wav_bytes(self) -> bytes:
        """The contents of a WAV file of 16 bits, for a player or an answer over the web.

        Example:
            >>> len(AudioTensor(torch.zeros(1, 10), sr=8000).wav_bytes())
            64
        """
        return wav_of(self._clip(), self.sr)

    def hear(self) -> Any:
        """A player for a notebook, shown at once.

        Raises:
            MissingDependencyError: without IPython.
        """
        try:
            from IPython.display import Audio, display
        except (ImportError, OSError) as error:
            raise MissingDependencyError.of(
                "IPython", needed_for="players in notebooks", install="ipython"
            ) from error
        player = Audio(data=self.wav_bytes())  # type: ignore[no-untyped-call]  # it has no types
        display(player)  # type: ignore[no-untyped-call]
        return player

    def show(self, ctx: Any = None, hear: bool = False, **kwargs: Any) -> Any:
        """Draw the signal on `ctx` (axes), a new figure when None. Returns the axes.

        Args:
            ctx: axes.
            hear: give a player besides.
            kwargs: for what draws signals, see `layerwise.audio.show`.
        """
        if hear:
            self.hear()
        return show(self, ctx=ctx, **kwargs)

    def save(self, fn: PathLike, overwrite: bool = True) -> Path:
        """Write the signal to a file, whose ending says the format; returns its path.

        Args:
            fn: .wav, .flac, .ogg or .mp3.
            overwrite: whether a file of this name may be replaced.

        Raises:
            FileExistsError: if it may not.
            ValueError: if the format is not known, or the signal is a batch.
        """
        return write_samples(fn, self._clip(), self.sr, overwrite=overwrite)

    def _clip(self) -> Tensor:
        if self.ndim != 2:
            raise ValueError(
                f"a signal of shape {tuple(self.shape)}; one (C, N) is heard or written at a time, "
                "so take an item of the batch"
            )
        return self.as_plain().detach().cpu()


class _Setting(Generic[V]):
    """An attribute that is read from `settings`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, spectrogram: AudioSpectrogram | None, owner: type) -> V:
        if spectrogram is None:
            return self  # type: ignore[return-value]  # of the class, as a property does
        value: V = getattr(spectrogram.settings, self.name)
        return value

    def __set__(self, spectrogram: AudioSpectrogram, value: V) -> None:
        raise AttributeError(
            f"{self.name} is one of the settings that made a spectrogram; give it others as a "
            f"whole: x.settings = dataclasses.replace(x.settings, {self.name}={value!r})"
        )


class AudioSpectrogram(_Padded):
    """(C, F, T) spectrogram, or (B, C, F, T) of several, with the `settings` that made it.

    All of `SpectrogramSettings` are attributes too: `spectrogram.hop_length`.

    Args:
        x: tensor, array or nested lists; row 0 is the lowest frequency.
        settings: how it was made.
        lengths: (B,) frames that are not filling, of a padded batch.

    Example:
        >>> settings = SpectrogramSettings(sr=16000, n_fft=512)
        >>> spectrogram = AudioSpectrogram.create(torch.zeros(1, 257, 10), settings)
        >>> (spectrogram * 2).hop_length, spectrogram.height, spectrogram.width
        (256, 257, 10)
    """

    settings: SpectrogramSettings
    _item_dims = 3

    sr = _Setting[int]()
    kind = _Setting[str]()
    mel = _Setting[bool]()
    n_fft = _Setting[int]()
    win_length = _Setting[int]()
    hop_length = _Setting[int]()
    window = _Setting[str]()
    center = _Setting[bool]()
    pad_mode = _Setting[str]()
    power = _Setting[float]()
    n_mels = _Setting[int]()
    f_min = _Setting[float]()
    f_max = _Setting[float]()
    htk = _Setting[bool]()
    n_mfcc = _Setting[int]()
    n_rows = _Setting[int]()
    to_db = _Setting[bool]()
    top_db = _Setting["float | None"]()
    deltas = _Setting[int]()

    @classmethod
    def create(cls, x: Any, settings: SpectrogramSettings, **meta: Any) -> Self:
        """A spectrogram of a tensor (F, T), (C, F, T) or (B, C, F, T).

        Args:
            x: tensor, array or nested lists.
            settings: how it was made.
            meta: other metadata, `lengths` for example.

        Raises:
            ValueError: if it has other axes.
        """
        values = torch.as_tensor(x)
        if values.ndim == 2:
            values = values[None]
        if values.ndim not in (3, 4):
            raise ValueError(
                f"a spectrogram of shape {tuple(values.shape)}; give (F, T), (C, F, T) or "
                "(B, C, F, T)"
            )
        return cls(values, settings=settings, **meta)

    @property
    def width(self) -> int:
        """Frames, T."""
        return self.shape[-1]

    @property
    def height(self) -> int:
        """Rows, F."""
        return self.shape[-2]

    @property
    def nchannels(self) -> int:
        """Channels, C."""
        return self.shape[-3]

    @property
    def duration(self) -> float:
        """Seconds of signal behind it, to within one hop: frames times hop."""
        return self.width * self.hop_length / self.sr / self.settings.scale[1]

    @property
    def times(self) -> Tensor:
        """(T,) seconds at which the middle of each frame lies, from the beginning of the first."""
        first = 0 if self.center else self.n_fft / 2
        frames = _before_resizing(self.width, self.settings.scale[1])
        return (frames * self.hop_length + first) / self.sr

    @property
    def freqs(self) -> Tensor | None:
        """(F,) Hz of each row: its frequency, or the peak of its band; None for other rows.

        Example:
            >>> settings = SpectrogramSettings(sr=8, n_fft=8)
            >>> AudioSpectrogram.create(torch.zeros(5, 1), settings).freqs.tolist()
            [0.0, 1.0, 2.0, 3.0, 4.0]
        """
        if self.kind in ("mfcc", "rows"):
            return None
        if self.kind == "linear":
            found = torch.arange(self.settings.height) * self.sr / self.n_fft
        else:
            corners = mel_frequencies(self.n_mels + 2, self.f_min, self.f_max, self.htk)
            found = corners[1:-1].float()
        rows = _before_resizing(self.height, self.settings.scale[0]).clamp(0, len(found) - 1)
        below = rows.long().clamp(max=max(0, len(found) - 2))
        return torch.lerp(found[below], found[(below + 1).clamp(max=len(found) - 1)], rows - below)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the spectrogram on `ctx` (axes), a new figure when None. Returns the axes.

        Args:
            ctx: axes.
            kwargs: for what draws spectrograms, see `layerwise.audio.show`.
        """
        return show(self, ctx=ctx, **kwargs)


def _signal_of(x: Any, sr: int | None) -> tuple[Tensor, int]:
    """(C, N) float samples of an array, and their rate."""
    rate = getattr(x, "sr", None) or sr
    values = torch.as_tensor(x)
    values = values.as_plain() if isinstance(values, TensorBase) else values
    if values.ndim not in (1, 2):
        raise ValueError(f"a signal of shape {tuple(values.shape)}; give (N,) or (C, N)")
    if rate is None:
        raise ValueError("an array does not say how many samples make a second; give sr=...")
    values = values if values.is_floating_point() else values.float()
    return (values[None] if values.ndim == 1 else values), int(rate)


def _before_resizing(count: int, scale: float) -> Tensor:
    """(count,) where the middles of rows or frames lie among those before resizing."""
    at = torch.arange(count, dtype=torch.float32)
    return at if scale == 1 else (at + 0.5) / scale - 0.5


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value} is no share; give a number from 0 to 1")
    return value
