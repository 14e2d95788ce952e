"""From signals to spectrograms: transforms of an item or of a whole batch, on its device.

Each keeps the sample rate and all settings in the spectrogram it makes, and turns the `lengths` of
a padded batch into frames. None takes a setting that it does not use.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Self

from torch import Tensor

from layerwise.audio.dsp.cepstrum import mfcc_of
from layerwise.audio.dsp.decibels import power_to_db
from layerwise.audio.dsp.fourier import spectrogram
from layerwise.audio.dsp.mel import melspectrogram
from layerwise.audio.levels import AmplitudeToDB
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.errors import names_nearest, refuse_unknown
from layerwise.core.transforms.transform import Transform

__all__ = [
    "AudioToMFCC",
    "AudioToSpec",
    "MelSpectrogram",
    "Spectrogram",
    "SpectrogramTransformer",
    "gives_spectrogram",
]

# B: items of a batch. C: channels. N: samples. F: rows. T: frames.

_OF_FRAMES = ("n_fft", "win_length", "hop_length", "window", "center", "pad_mode", "power")
_OF_MELS = ("n_mels", "f_min", "f_max", "htk", "norm")
_OF_DB = ("ref", "top_db")


class _ToSpectrogram(Transform):
    """What all transforms to spectrograms share: settings from a configuration, and metadata."""

    order: float = 40

    @classmethod
    def from_cfg(cls, cfg: Any) -> Self:
        """The transform that a configuration describes.

        Args:
            cfg: a dataclass or a mapping whose fields are keywords of this class.

        Raises:
            TypeError: for a field that is none, naming the nearest.
        """
        given = asdict(cfg) if is_dataclass(cfg) and not isinstance(cfg, type) else cfg
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{cls.__name__}.from_cfg takes a configuration such as AudioConfig.Voice(), not "
                f"{cfg!r}"
            )
        return cls(**given)

    def _made(self, x: AudioTensor, values: Tensor, settings: SpectrogramSettings) -> Any:
        meta = {k: v for k, v in vars(x).items() if k not in ("sr", "lengths")}
        lengths = vars(x).get("lengths")
        if lengths is not None:
            meta["lengths"] = settings.frames(lengths)
        return AudioSpectrogram(values, settings=settings, **meta)


def _spectrogram_of(x: AudioTensor, settings: SpectrogramSettings) -> Tensor:
    """(..., C, F, T) linear or in mel bands, before decibels."""
    frames = _attributes(settings, _OF_FRAMES)
    if settings.kind == "linear":
        return spectrogram(x, **frames)
    return melspectrogram(x, settings.sr, **frames, **_attributes(settings, _OF_MELS))


class Spectrogram(_ToSpectrogram):
    """Signals to spectrograms with evenly spaced frequencies.

    Args:
        n_fft: samples of a Fourier transform; 1024 are 64 ms at 16 kHz.
        win_length: samples under the window; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: "hann", "hamming", "blackman" or "ones".
        center: frame t has its middle at sample `t * hop_length`; it begins there otherwise.
        pad_mode: what stands beyond both ends where frames are centred: "constant" (zeros),
            "reflect" or "replicate". With the others, a clip alone differs from one that is filled
            up.
        power: exponent of the magnitude: 2 is power, 1 amplitude.

    Example:
        >>> import torch
        >>> made = Spectrogram(n_fft=256)(AudioTensor(torch.zeros(4, 1, 8000), sr=8000))
        >>> made.shape, made.hop_length
        (torch.Size([4, 1, 129, 63]), 128)
    """

    @names_nearest
    def __init__(
        self,
        n_fft: int = 1024,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: str = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float = 2.0,
    ) -> None:
        super().__init__()
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.window, self.center, self.pad_mode, self.power = window, center, pad_mode, power

    def encodes(self, x: AudioTensor) -> AudioSpectrogram:
        """(C, F, T), or (B, C, F, T) of a batch."""
        settings = SpectrogramSettings(sr=x.sr, **_attributes(self, _OF_FRAMES))
        made: AudioSpectrogram = self._made(x, _spectrogram_of(x, settings), settings)
        return made


class MelSpectrogram(_ToSpectrogram):
    """Signals to spectrograms in mel bands (Davis and Mermelstein, 1980).

    Args:
        n_fft: see `Spectrogram`, as all up to `power`.
        win_length: samples under the window.
        hop_length: samples from one frame to the next.
        window: its name.
        center: whether frames are centred.
        pad_mode: what stands beyond both ends.
        power: exponent of the magnitude.
        n_mels: bands.
        f_min: where the lowest begins, in Hz.
        f_max: where the highest ends, in Hz; half of the sample rate if None.
        htk: mel by the formula of HTK, not by that of Slaney.
        norm: "slaney" gives bands the same area, None the same height.

    Example:
        >>> import torch
        >>> MelSpectrogram(n_mels=40)(AudioTensor(torch.zeros(1, 8000), sr=8000)).shape
        torch.Size([1, 40, 16])
    """

    @names_nearest
    def __init__(
        self,
        n_fft: int = 1024,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: str = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float = 2.0,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        htk: bool = False,
        norm: str | None = "slaney",
    ) -> None:
        super().__init__()
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.window, self.center, self.pad_mode, self.power = window, center, pad_mode, power
        self.n_mels, self.f_min, self.f_max = n_mels, f_min, f_max
        self.htk, self.norm = htk, norm

    def encodes(self, x: AudioTensor) -> AudioSpectrogram:
        """(C, F, T), or (B, C, F, T) of a batch."""
        own = _attributes(self, _OF_FRAMES + _OF_MELS)
        settings = SpectrogramSettings(sr=x.sr, kind="mel", **own)
        made: AudioSpectrogram = self._made(x, _spectrogram_of(x, settings), settings)
        return made


class AudioToSpec(_ToSpectrogram):
    """Signals to spectrograms as models take them: in mel bands and decibels unless said otherwise.

    Args:
        mel: mel bands; evenly spaced frequencies otherwise.
        to_db: decibels.
        n_fft: see `Spectrogram`, as all up to `power`.
        win_length: samples under the window.
        hop_length: samples from one frame to the next.
        window: its name.
        center: whether frames are centred.
        pad_mode: what stands beyond both ends.
        power: exponent of the magnitude.
        n_mels: see `MelSpectrogram`, as all up to `norm`.
        f_min: in Hz.
        f_max: in Hz.
        htk: mel by the formula of HTK.
        norm: "slaney" or None.
        ref: the power (or amplitude) that is 0 dB, or "max" for the largest of each item.
        top_db: decibels below the loudest of an item at which values are cut off; None cuts
            nothing.

    Raises:
        ValueError: for a setting of mel bands without `mel`, or of decibels without `to_db`.

    Example:
        >>> import torch
        >>> made = AudioToSpec(n_mels=64)(AudioTensor(torch.zeros(2, 1, 16000), sr=16000))
        >>> made.shape, made.to_db, made.f_max
        (torch.Size([2, 1, 64, 32]), True, 8000.0)
        >>> AudioToSpec(mel=False, n_mels=64)
        Traceback (most recent call last):
        ...
        ValueError: n_mels=64 says something about mel bands, and mel=False; ...
    """

    @names_nearest
    def __init__(
        self,
        mel: bool = True,
        to_db: bool = True,
        n_fft: int = 1024,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: str = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float = 2.0,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        htk: bool = False,
        norm: str | None = "slaney",
        ref: float | str = 1.0,
        top_db: float | None = 80.0,
    ) -> None:
        super().__init__()
        _check_flag("mel", mel)
        _check_flag("to_db", to_db)
        self.mel, self.to_db = mel, to_db
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.window, self.center, self.pad_mode, self.power = window, center, pad_mode, power
        self.n_mels, self.f_min, self.f_max = n_mels, f_min, f_max
        self.htk, self.norm = htk, norm
        self.ref, self.top_db = ref, top_db
        if not mel:
            self._refuse_changed(_OF_MELS, "mel bands, and mel=False")
        if not to_db:
            self._refuse_changed(_OF_DB, "decibels, and to_db=False")
        self._to_db = AmplitudeToDB(ref=ref, top_db=top_db) if to_db else None

    def encodes(self, x: AudioTensor) -> AudioSpectrogram:
        """(C, F, T), or (B, C, F, T) of a batch."""
        own = _attributes(self, _OF_FRAMES + _OF_MELS)
        settings = SpectrogramSettings(sr=x.sr, kind="mel" if self.mel else "linear", **own)
        made: AudioSpectrogram = self._made(x, _spectrogram_of(x, settings), settings)
        return made if self._to_db is None else self._to_db(made)

    def _refuse_changed(self, names: tuple[str, ...], about: str) -> None:
        defaults = inspect.signature(type(self).__init__).parameters
        for name in names:
            value = getattr(self, name)
            if value != defaults[name].default:
                raise ValueError(f"{name}={value!r} says something about {about}; leave one out")


class AudioToMFCC(_ToSpectrogram):
    """Signals to mel frequency cepstral coefficients (Davis and Mermelstein, 1980).

    Args:
        n_mfcc: coefficients, `n_mels` at most.
        n_fft: see `Spectrogram`, as all up to `power`.
        win_length: samples under the window.
        hop_length: samples from one frame to the next.
        window: its name.
        center: whether frames are centred.
        pad_mode: what stands beyond both ends.
        power: exponent of the magnitude.
        n_mels: see `MelSpectrogram`, as all up to `norm`.
        f_min: in Hz.
        f_max: in Hz.
        htk: mel by the formula of HTK.
        norm: "slaney" or None.
        top_db: decibels below the loudest of an item at which bands are cut off; None cuts nothing.

    Raises:
        ValueError: if there are more coefficients than bands.

    Example:
        >>> import torch
        >>> AudioToMFCC(n_mfcc=13)(AudioTensor(torch.zeros(1, 16000), sr=16000)).shape
        torch.Size([1, 13, 32])
    """

    @names_nearest
    def __init__(
        self,
        n_mfcc: int = 20,
        n_fft: int = 1024,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: str = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float = 2.0,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        htk: bool = False,
        norm: str | None = "slaney",
        top_db: float | None = 80.0,
    ) -> None:
        super().__init__()
        if not 1 <= n_mfcc <= n_mels:
            raise ValueError(
                f"n_mfcc={n_mfcc} coefficients of n_mels={n_mels} bands; give 1 to {n_mels}"
            )
        self.n_mfcc = n_mfcc
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.window, self.center, self.pad_mode, self.power = window, center, pad_mode, power
        self.n_mels, self.f_min, self.f_max = n_mels, f_min, f_max
        self.htk, self.norm, self.top_db = htk, norm, top_db

    def encodes(self, x: AudioTensor) -> AudioSpectrogram:
        """(C, F, T), or (B, C, F, T) of a batch; F are coefficients."""
        own = _attributes(self, ("n_mfcc", "top_db", *_OF_FRAMES, *_OF_MELS))
        settings = SpectrogramSettings(sr=x.sr, kind="mfcc", **own)
        bands = power_to_db(_spectrogram_of(x, settings), top_db=self.top_db, item_dims=3)
        made: AudioSpectrogram = self._made(x, mfcc_of(bands, self.n_mfcc), settings)
        return made


def SpectrogramTransformer(  # noqa: N802 - the name that users of this family know
    mel: bool = True, to_db: bool = True
) -> Callable[..., AudioToSpec]:
    """A function that makes an `AudioToSpec` of this kind from the settings that concern it.

    Args:
        mel: mel bands; evenly spaced frequencies otherwise.
        to_db: decibels.

    Example:
        >>> make = SpectrogramTransformer(mel=False, to_db=True)
        >>> make(n_fft=512).n_fft
        512
        >>> make(n_mels=64)
        Traceback (most recent call last):
        ...
        TypeError: SpectrogramTransformer(mel=False, to_db=True) got an unknown keyword 'n_mels'...
    """
    left_out = {"self", "mel", "to_db", *(() if mel else _OF_MELS), *(() if to_db else _OF_DB)}
    whole = inspect.signature(AudioToSpec.__init__)
    taken = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, p in whole.parameters.items()
        if name not in left_out
    ]
    names = [p.name for p in taken]
    caller = f"SpectrogramTransformer(mel={mel}, to_db={to_db})"

    def make(**settings: Any) -> AudioToSpec:
        """The transform; see `AudioToSpec` for its settings."""
        refuse_unknown(caller, [name for name in settings if name not in names], names)
        return AudioToSpec(mel=mel, to_db=to_db, **settings)

    # What editors and `help` show, in place of the stars.
    make.__signature__ = inspect.Signature(taken, return_annotation=AudioToSpec)  # type: ignore[attr-defined]  # as in inspect's documentation
    return make


def gives_spectrogram(step: object) -> bool:
    """Whether a transform makes spectrograms of signals.

    One of ours does, and one whose method for an `AudioTensor` promises an `AudioSpectrogram`.

    Args:
        step: a transform, or any other step of a pipeline.

    Example:
        >>> gives_spectrogram(AudioToMFCC()), gives_spectrogram(AmplitudeToDB())
        (True, False)
    """
    method = type(step).encodes.find(AudioTensor) if isinstance(step, Transform) else None
    returns = None if method is None else method.returns
    return isinstance(returns, type) and issubclass(returns, AudioSpectrogram)


def _attributes(holder: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(holder, name) for name in names}


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):  # "False" would count as true
        raise ValueError(f"{name}={value!r}; give True or False")
