"""Sound files as `AudioTensor` and back; a crop decodes no more than the crop."""

from __future__ import annotations

from pathlib import Path

from layerwise.audio.sound_files import AudioInfo, Readable, read_info
from layerwise.audio.types import AudioTensor
from layerwise.core.types import PathLike

__all__ = ["audio_info", "load_audio", "save_audio"]


def load_audio(
    fn: Readable,
    offset: int = 0,
    frames: int = -1,
    sr: int | None = None,
    mono: bool = False,
) -> AudioTensor:
    """(C, N) the signal in a file.

    Args:
        fn: a path, or the contents of a file: wav, flac, ogg, mp3 and what else libsndfile reads.
        offset: first sample that is taken, in samples of the file.
        frames: how many are taken at most, in samples of the file; all if -1.
        sr: rate of the result, to which a file of another is resampled; that of the file if None.
        mono: mean of the channels.

    Raises:
        BadItemError: when it is no sound, or broken; it is named.
        FileNotFoundError: (or another OSError of the system) when it cannot be opened.
        MissingDependencyError: without soundfile.

    Example:
        >>> import torch
        >>> file = AudioTensor(torch.zeros(2, 8000), sr=8000).wav_bytes()
        >>> sound = load_audio(file, offset=2000, frames=4000, sr=16000, mono=True)
        >>> tuple(sound.shape), sound.sr
        ((1, 8000), 16000)
    """
    return AudioTensor.create(fn, offset, frames, sr, mono)


def audio_info(fn: Readable) -> AudioInfo:
    """What the header of a file says; no samples are read.

    Args:
        fn: a path, or the contents of a file.

    Raises:
        BadItemError: when it is no sound; it is named.
        FileNotFoundError: (or another OSError of the system) when it cannot be opened.
        MissingDependencyError: without soundfile.

    Example:
        >>> import torch
        >>> audio_info(AudioTensor(torch.zeros(1, 4000), sr=8000).wav_bytes()).duration
        0.5
    """
    return read_info(fn)


def save_audio(x: AudioTensor, fn: PathLike, overwrite: bool = True) -> Path:
    """Write a signal to a file, whose ending says the format; returns its path.

    Args:
        x: (C, N) signal; what is beyond -1 to 1 is clipped.
        fn: .wav and .flac (16 bits), .ogg (Vorbis), .mp3 and others that libsndfile writes.
        overwrite: whether a file of this name may be replaced.

    Raises:
        FileExistsError: if it may not.
        ValueError: if the ending is not known, or the signal is a batch.
        MissingDependencyError: without soundfile.
    """
    return x.save(fn, overwrite)
