"""Ready-made settings of spectrograms, and the usual steps for clips.

A configuration is a frozen dataclass, whose fields are keywords of the transform that it stands
for: `AudioToSpec.from_cfg(AudioConfig.Voice())`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from inspect import Parameter, signature
from typing import Any

from layerwise.audio.augment.convert import DownmixMono, Resample
from layerwise.audio.augment.resize import ResizeSignal
from layerwise.audio.spectrum import AudioToMFCC, AudioToSpec
from layerwise.core.errors import refuse_unknown
from layerwise.core.transforms.transform import Transform

__all__ = [
    "AudioConfig",
    "SpectrogramConfig",
    "audio_item_tfms",
    "config_from_func",
    "spec_of",
]


@dataclass(frozen=True, kw_only=True)
class _Frames:
    """How a signal is cut into frames; see `Spectrogram`."""

    n_fft: int = 1024
    win_length: int | None = None
    hop_length: int | None = None
    window: str = "hann"
    center: bool = True
    pad_mode: str = "constant"
    power: float = 2.0


@dataclass(frozen=True, kw_only=True)
class _BasicSpectrogram(_Frames):
    """Evenly spaced frequencies in dB; fields as keywords of `AudioToSpec`."""

    mel: bool = False
    to_db: bool = True
    ref: float | str = 1.0
    top_db: float | None = 80.0


@dataclass(frozen=True, kw_only=True)
class _Mel:
    """Mel bands; see `MelSpectrogram`."""

    n_mels: int = 128
    f_min: float = 0.0
    f_max: float | None = None
    htk: bool = False
    norm: str | None = "slaney"


@dataclass(frozen=True, kw_only=True)
class _BasicMelSpectrogram(_Mel, _Frames):
    """Mel bands in dB; fields as keywords of `AudioToSpec`."""

    mel: bool = True
    to_db: bool = True
    ref: float | str = 1.0
    top_db: float | None = 80.0


@dataclass(frozen=True, kw_only=True)
class _BasicMFCC(_Mel, _Frames):
    """Cepstral coefficients; fields as keywords of `AudioToMFCC`."""

    n_mfcc: int = 20
    top_db: float | None = 80.0


@dataclass(frozen=True, kw_only=True)
class _Voice(_Mel, _Frames):
    """Mel bands where voices are, in small steps, as power and not in dB.

    50 to 8000 Hz, so signals need 16 kHz at least. 128 samples are 8 ms at that rate. `to_db=True`
    gives decibels.
    """

    mel: bool = True
    to_db: bool = False
    hop_length: int | None = 128
    f_min: float = 50.0
    f_max: float | None = 8000.0


class AudioConfig:
    """The configurations by name: `AudioConfig.BasicMelSpectrogram(n_mels=64)`.

    `BasicSpectrogram` (evenly spaced frequencies, dB), `BasicMelSpectrogram` (mel bands, dB),
    `BasicMFCC` (cepstral coefficients) and `Voice` (mel bands of 50 to 8000 Hz, no dB).

    Example:
        >>> AudioConfig.Voice().f_min, AudioConfig.Voice(to_db=True).to_db
        (50.0, True)
        >>> AudioToSpec.from_cfg(AudioConfig.BasicSpectrogram(n_fft=512)).n_fft
        512
    """

    BasicSpectrogram = _BasicSpectrogram
    BasicMelSpectrogram = _BasicMelSpectrogram
    BasicMFCC = _BasicMFCC
    Voice = _Voice


SpectrogramConfig = _BasicSpectrogram | _BasicMelSpectrogram | _BasicMFCC | _Voice
"""One of `AudioConfig`."""


def spec_of(config: SpectrogramConfig | Transform) -> Transform:
    """The transform to spectrograms that `config` describes; one that is given is what it is.

    Raises:
        TypeError: if it is neither.

    Example:
        >>> type(spec_of(AudioConfig.BasicMFCC())).__name__, spec_of(AudioConfig.Voice()).to_db
        ('AudioToMFCC', False)
    """
    if isinstance(config, Transform):
        return config
    if not isinstance(config, SpectrogramConfig):
        kind = f"the class {config.__name__}" if isinstance(config, type) else repr(config)
        raise TypeError(
            f"{kind} describes no spectrogram; give one of AudioConfig, such as "
            "AudioConfig.BasicMelSpectrogram(), or a transform, such as AudioToSpec(n_mels=64)"
        )
    if isinstance(config, _BasicMFCC):
        return AudioToMFCC.from_cfg(config)
    return AudioToSpec.from_cfg(config)


def config_from_func(func: Callable[..., Any], name: str, **defaults: Any) -> type:
    """A frozen dataclass whose fields are the parameters of `func`, with their defaults.

    Args:
        func: a function, or a class such as `AudioToSpec`.
        name: of the dataclass.
        defaults: other defaults; for parameters without one too.

    Raises:
        TypeError: for a default of something that is no parameter; names the nearest.

    Example:
        >>> Coarse = config_from_func(AudioToSpec, "Coarse", hop_length=2048)
        >>> Coarse().hop_length, AudioToSpec.from_cfg(Coarse(n_mels=32)).n_mels
        (2048, 32)
    """
    stars = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    # Of a transform the class itself is called in another way than its constructor.
    made = signature(vars(func)["__init__"] if isinstance(func, type) else func).parameters
    known = {n: p for n, p in made.items() if p.kind not in stars and n != "self"}
    refuse_unknown("config_from_func", set(defaults) - set(known), known)
    fields: list[Any] = []
    for key, parameter in known.items():
        default = defaults.get(key, parameter.default)
        own = field() if default is Parameter.empty else field(default=default)
        fields.append((key, parameter.annotation, own))
    return make_dataclass(name, fields, frozen=True, kw_only=True)


def audio_item_tfms(
    sample_rate: int | None = 16000,
    force_mono: bool = True,
    crop_signal_to: float | None = None,
) -> list[Transform]:
    """The usual steps for clips that are read as they are: other rate, one channel, one length.

    `AudioBlock` does this while it reads, which decodes no more than the crop; these are for clips
    that come in another way.

    Args:
        sample_rate: samples in a second; left out when None.
        force_mono: the mean of the channels.
        crop_signal_to: milliseconds, a random part in training, with zeros where a clip is
            shorter; left out when None.

    Example:
        >>> [type(step).__name__ for step in audio_item_tfms(crop_signal_to=500)]
        ['DownmixMono', 'Resample', 'ResizeSignal']
    """
    steps: list[Transform] = []
    if force_mono:
        steps.append(DownmixMono())
    if sample_rate is not None:
        steps.append(Resample(sample_rate))
    if crop_signal_to is not None:
        steps.append(ResizeSignal(crop_signal_to))
    return steps
