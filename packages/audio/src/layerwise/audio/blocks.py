"""Blocks for sounds: files to clips of one rate, and if wanted to spectrograms on the device."""

from __future__ import annotations

from typing import Any

from layerwise.audio.config import AudioConfig, SpectrogramConfig, spec_of
from layerwise.audio.folder import cache_audio_folder
from layerwise.audio.levels import AudioNormalize
from layerwise.audio.padding import PadAudio
from layerwise.audio.reading import ReadAudio
from layerwise.core.data.block import TransformBlock
from layerwise.core.errors import names_nearest
from layerwise.core.transforms.transform import Transform
from layerwise.core.types import PathLike

__all__ = ["AudioBlock", "MelSpecBlock", "SpecBlock"]

_BASIC, _MEL = AudioConfig.BasicSpectrogram(), AudioConfig.BasicMelSpectrogram()


class AudioBlock(TransformBlock):
    """A block for sounds: files to clips of one rate, those of a batch filled up to the longest.

    Args:
        cache_folder: keep resampled clips there, see `ReadAudio`; they are made anew each time when
            None.
        sample_rate: samples in a second; as in the files when None, which then have to agree.
        force_mono: the mean of the channels.
        crop_signal_to: milliseconds of every clip, of which a file is decoded no further: a random
            part in training, the middle otherwise. Whole clips when None.

    Example:
        >>> import torch
        >>> from layerwise.audio.types import AudioTensor
        >>> from layerwise.core.data.block import CategoryBlock, DataBlock
        >>> clips = [AudioTensor(torch.zeros(1, 80 * n), sr=8000) for n in range(1, 11)]
        >>> block = DataBlock((AudioBlock, CategoryBlock), get_y=lambda clip: clip.nsamples > 400)
        >>> x, y = block.dataloaders(clips, bs=4).one_batch()
        >>> x.sr, x.shape[:2], len(x.lengths)
        (16000, torch.Size([4, 1]), 4)
    """

    @names_nearest
    def __init__(
        self,
        cache_folder: PathLike | None = None,
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        *,
        batch_tfms: Any = None,
    ) -> None:
        # Files are opened and decoded: worth processes of their own where there is enough to do.
        settings: dict[str, Any] = {"num_workers": None}
        if crop_signal_to is None:
            settings["before_batch"] = PadAudio()
        super().__init__(
            type_tfms=ReadAudio(sample_rate, force_mono, crop_signal_to, cache_folder),
            batch_tfms=batch_tfms,
            dls_kwargs=settings,
        )

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        cache_folder: PathLike | None = None,
        n_workers: int | None = None,
    ) -> AudioBlock:
        """A block for the sounds below `path`, which are resampled now, by several processes.

        Args:
            path: the folder of the sounds.
            sample_rate: see the class.
            force_mono: see the class.
            crop_signal_to: see the class; crops are taken from the resampled clips.
            cache_folder: where these are kept; beside `path`, with `_cached` added to its name,
                when None.
            n_workers: processes; 0 does the work here, None takes one for each core.

        Raises:
            DataError: if there is no sound, or a file is none; it is named.
        """
        folder = cache_audio_folder(path, cache_folder, sample_rate, force_mono, n_workers)
        return cls(folder, sample_rate, force_mono, crop_signal_to)


def SpecBlock(  # noqa: N802 - reads as a class, like all blocks
    spectrogram: SpectrogramConfig | Transform = _BASIC,
    cache_folder: PathLike | None = None,
    sample_rate: int | None = 16000,
    force_mono: bool = True,
    crop_signal_to: float | None = None,
    normalize: bool = True,
) -> AudioBlock:
    """A block for sounds whose batches are spectrograms, made on the device.

    Args:
        spectrogram: how they are made: one of `AudioConfig`, or a transform such as `AudioToSpec`.
        cache_folder: see `AudioBlock`, as all up to `crop_signal_to`.
        sample_rate: samples in a second.
        force_mono: the mean of the channels.
        crop_signal_to: milliseconds of every clip.
        normalize: bring the values of all data to mean 0 and deviation 1, as they are in a training
            batch.

    Example:
        >>> [type(step).__name__ for step in SpecBlock().batch_tfms]
        ['AudioToSpec', 'AudioNormalize']
    """
    steps: list[Transform] = [spec_of(spectrogram), *([AudioNormalize()] if normalize else [])]
    return AudioBlock(cache_folder, sample_rate, force_mono, crop_signal_to, batch_tfms=steps)


def MelSpecBlock(  # noqa: N802 - as above
    spectrogram: SpectrogramConfig | Transform = _MEL,
    cache_folder: PathLike | None = None,
    sample_rate: int | None = 16000,
    force_mono: bool = True,
    crop_signal_to: float | None = None,
    normalize: bool = True,
) -> AudioBlock:
    """`SpecBlock` of mel bands.

    Args:
        spectrogram: see `SpecBlock`, as all that follow.
        cache_folder: where resampled clips are kept.
        sample_rate: samples in a second.
        force_mono: the mean of the channels.
        crop_signal_to: milliseconds of every clip.
        normalize: bring values to mean 0 and deviation 1.
    """
    return SpecBlock(spectrogram, cache_folder, sample_rate, force_mono, crop_signal_to, normalize)
