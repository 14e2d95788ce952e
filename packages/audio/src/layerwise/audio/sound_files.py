"""Sound files: samples in and out, and no more of a file decoded than is asked for."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from layerwise.core.errors import BadItemError, MissingDependencyError, nearest
from layerwise.core.types import PathLike

__all__ = [
    "AudioInfo",
    "Readable",
    "audio_info",
    "read_samples",
    "wav_of",
    "write_samples",
]

# C: channels. N: samples.

Readable = PathLike | bytes
"""A path, or the contents of a file."""

Samples = np.ndarray[Any, np.dtype[np.float32]]

# Samples that are decoded at a time, so that a header cannot ask for memory that no data fill.
_PIECE = 1 << 20
# A frame of mp3 may need bits that came with frames before it; ten frames hold all there can be.
_LEAD = 10 * 1152
_LARGEST_PAGE = 27 + 255 + 255 * 255  # bytes of a page of ogg (RFC 3533)
_FORMATS = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")


class AudioInfo(NamedTuple):
    """What the header of a file says.

    `frames` are samples of each channel, as promised; -1 where the header does not say.
    """

    sr: int
    frames: int
    channels: int
    format: str
    subtype: str

    @property
    def duration(self) -> float:
        """Seconds, as promised."""
        return self.frames / self.sr


def audio_info(fn: Readable) -> AudioInfo:
    """What the header of a file says; no samples are read.

    Args:
        fn: a path, or the contents of a file.

    Raises:
        BadItemError: when it is no sound; it is named.
        FileNotFoundError: (or another OSError of the system) when it cannot be opened.
        MissingDependencyError: without soundfile.

    Example:
        >>> audio_info(wav_of(torch.zeros(2, 100), 8000))
        AudioInfo(sr=8000, frames=100, channels=2, format='WAV', subtype='PCM_16')
    """
    with _opened(fn) as sound:
        return AudioInfo(
            sound.samplerate, sound.frames, sound.channels, sound.format, sound.subtype
        )


def read_samples(fn: Readable, offset: int = 0, frames: int = -1) -> tuple[Tensor, int]:
    """The samples of a file, and its sample rate.

    Only what is asked for is decoded, and of mp3 and ogg a fraction of a second before it, without
    which it would be another sound; memory is taken as data come, whatever a header promises.

    Args:
        fn: a path, or the contents of a file.
        offset: first sample that is read; beyond the end there is nothing.
        frames: how many at most; all if -1.

    Returns:
        (C, N) from -1 to 1 in float32, and samples in a second.

    Raises:
        BadItemError: when it is no sound, broken, or has samples that are not finite; it is named.
        ValueError: if `offset` or `frames` are negative.
        FileNotFoundError: (or another OSError of the system) when it cannot be opened.
        MissingDependencyError: without soundfile.

    Example:
        >>> samples, sr = read_samples(wav_of(torch.ones(1, 100), 8000), offset=90, frames=20)
        >>> samples.shape, sr
        (torch.Size([1, 10]), 8000)
    """
    if offset < 0 or frames < -1:
        raise ValueError(
            f"offset={offset}, frames={frames}; give a first sample from 0 on and how many to "
            "read, -1 for all"
        )
    with _opened(fn) as sound:
        if offset and offset >= sound.frames:
            return torch.zeros(sound.channels, 0), sound.samplerate
        lead = _lead(fn, sound.subtype, offset)
        if offset:
            sound.seek(offset - lead)
        pieces = list(_pieces(sound, frames if frames < 0 else lead + frames))
        rate = sound.samplerate
    if not all(_is_finite(piece) for piece in pieces):
        raise BadItemError(
            f"the sound {_name(fn)} has samples that are no finite numbers. Replace or remove it."
        )
    samples = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
    return torch.from_numpy(samples[lead:].T).contiguous(), rate


def _lead(fn: Readable, subtype: str, offset: int) -> int:
    """How many samples before `offset` reading has to begin, so that it gives the right ones."""
    if subtype.startswith("MPEG"):
        return min(offset, _LEAD)
    # libvorbis counts the samples of a page back from its end, which for the last page is the end
    # of the sound rather than of what the page decodes to; so that page is reached by reading.
    return max(0, offset - _last_page(fn)) if subtype == "VORBIS" else 0


def _last_page(fn: Readable) -> int:
    """The sample with which the last page of an ogg begins; 0 if it has only one."""
    if isinstance(fn, bytes):
        tail = fn[-2 * _LARGEST_PAGE :]
    else:
        with Path(fn).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * _LARGEST_PAGE))
            tail = file.read()
    last = tail.rfind(b"OggS\0")
    before = tail.rfind(b"OggS\0", 0, max(0, last))
    return int.from_bytes(tail[before + 6 : before + 14], "little") if before >= 0 else 0


def _pieces(sound: Any, frames: int) -> Iterator[Samples]:
    """(N, C) piece by piece, until enough or the end; one without samples if there are none."""
    left = frames if frames >= 0 else None
    read = 0
    while left is None or left > 0:
        wanted = _PIECE if left is None else min(left, _PIECE)
        piece = sound.read(wanted, "float32", always_2d=True)
        if len(piece) == 0:
            break
        read += len(piece)
        left = None if left is None else left - len(piece)
        yield piece
    if read == 0:
        yield np.zeros((0, sound.channels), np.float32)


def _is_finite(piece: Samples) -> bool:
    # A sum is the cheapest look at all samples; only one of very large numbers needs a second.
    return bool(np.isfinite(piece.sum(dtype=np.float64)) or np.isfinite(piece).all())


def write_samples(fn: PathLike, samples: Tensor, sr: int, overwrite: bool = True) -> Path:
    """Write a signal to a file, whose ending says the format; returns its path.

    Args:
        fn: .wav and .flac (16 bits), .ogg (Vorbis), .mp3 and others that libsndfile writes.
        samples: (C, N) from -1 to 1; what is beyond is clipped.
        sr: samples in a second.
        overwrite: whether a file of this name may be replaced.

    Raises:
        FileExistsError: if it may not.
        ValueError: if the ending is not known, or the samples are no (C, N).
        MissingDependencyError: without soundfile.
    """
    path = Path(fn)
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(
            f"{path.name!r} does not say in which format to write; give it one of the endings "
            f"{', '.join(_FORMATS)}.{nearest(path.suffix.lower(), _FORMATS)}"
        )
    if samples.ndim != 2:
        raise ValueError(f"samples of shape {tuple(samples.shape)}; give (C, N)")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{str(path)!r} is there; give another name, or overwrite=True")
    soundfile = _soundfile()
    values = samples.detach().cpu().float().clamp(-1, 1)
    # OGG is told by name, since libsndfile knows no ending .oga.
    kinds = {".oga": ("OGG", "VORBIS"), ".opus": ("OGG", "OPUS")}
    kind, subtype = kinds.get(path.suffix.lower(), (None, None))
    soundfile.write(os.fspath(path), values.T.numpy(), int(sr), subtype=subtype, format=kind)
    return path


def wav_of(samples: Tensor, sr: int) -> bytes:
    """The contents of a WAV file of 16 bits, made by the standard library alone.

    Args:
        samples: (C, N) from -1 to 1; what is beyond is clipped.
        sr: samples in a second.

    Example:
        >>> wav_of(torch.zeros(1, 10), 8000)[:4]
        b'RIFF'
    """
    # Full scale is 32768, as libsndfile reads it: a file comes back as it was.
    whole = (samples.detach().cpu().double() * 32768).round().clamp(-32768, 32767)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(int(sr))
        file.writeframes(whole.T.contiguous().numpy().astype("<i2").tobytes())
    return buffer.getvalue()


@contextmanager
def _opened(fn: Readable) -> Iterator[Any]:
    """The file as soundfile opens it; what it says about broken contents names the file."""
    soundfile = _soundfile()
    if not isinstance(fn, str | os.PathLike | bytes):
        raise TypeError(
            "a sound is read from a path or the bytes of a file, not from the "
            f"{type(fn).__name__} {fn!r:.40}; AudioTensor.create also makes one of an array"
        )
    # Opened here, so that a file that is not there says so in the words of the system; read by its
    # number, without a call of Python for each few bytes.
    with io.BytesIO(fn) if isinstance(fn, bytes) else Path(fn).open("rb") as file:
        source = file if isinstance(fn, bytes) else file.fileno()
        try:
            with soundfile.SoundFile(source, closefd=False) as sound:
                if sound.frames == 0 and "without an End-Of-Stream" in sound.extra_info:
                    # libsndfile finds the length of an ogg at its end, and takes none for 0.
                    raise BadItemError(
                        f"cannot read the sound {_name(fn)}: it ends too early. Replace or remove "
                        "it."
                    )
                yield sound
        except soundfile.SoundFileError as error:
            file.seek(0, os.SEEK_END)
            said = "the file is empty" if file.tell() == 0 else str(error).rpartition("> ")[2]
            raise BadItemError(
                f"cannot read the sound {_name(fn)}: {said} Replace or remove it."
            ) from error


def _name(fn: Readable) -> str:
    return f"<{len(fn)} bytes in memory>" if isinstance(fn, bytes) else os.fspath(fn)


def _soundfile() -> Any:
    try:
        import soundfile  # type: ignore[import-untyped]  # it has none
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "soundfile", needed_for="sound files", install="soundfile"
        ) from error
    return soundfile
