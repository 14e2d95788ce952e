"""From a file to the clip that is asked for: its rate, its channels, and no more than the crop.

C: channels. N: samples.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads

from layerwise.audio.sound_files import audio_info, wav_of
from layerwise.audio.types import AudioTensor
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.files.atomic import write_whole
from layerwise.core.random import generator
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform
from layerwise.core.types import PathLike

__all__ = ["ReadAudio", "cached_clip"]

_TRAINING = 0  # the number of its split


def cached_clip(
    fn: PathLike, folder: PathLike, sample_rate: int | None = None, force_mono: bool = False
) -> Path:
    """The file in `folder` with the file `fn` at another rate and in one channel.

    It is written if it is not there, as a WAV file of 16 bits. Its name holds a digest of the path
    of `fn`, when it was changed last, its size and the settings, so that what was made of another
    file, or with other settings, is never taken for it. What is no longer needed is not deleted.

    Args:
        fn: a sound.
        folder: where prepared clips are kept; made if it is not there.
        sample_rate: samples in a second; those of the file when None.
        force_mono: the mean of its channels.

    Raises:
        BadItemError: when the file is no sound; it is named.
        FileNotFoundError: (or another OSError of the system) when it cannot be opened.
    """
    source = Path(fn).resolve()
    known = source.stat()
    facts = [str(source), known.st_mtime_ns, known.st_size, sample_rate, force_mono]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
    target = Path(folder) / f"{source.stem}-{digest}.wav"
    if not target.exists():
        clip = AudioTensor.create(source, sr=sample_rate, mono=force_mono)
        write_whole(target, [wav_of(clip, clip.sr)])
    return target


class ReadAudio(Transform):
    """Files to clips of one rate: what an `AudioBlock` begins with.

    Of a clip that is longer than `crop_signal_to` only that much is decoded: from a random place on
    in training, from the middle otherwise. A shorter one is filled up with zeros behind its end.

    Args:
        sample_rate: samples in a second; files of another rate are resampled. As in the files when
            None, which then have to agree.
        force_mono: take the mean of the channels.
        crop_signal_to: milliseconds of every clip; all of it when None.
        cache_folder: keep clips with their new rate there, for the next time they are read; see
            `cached_clip`. They are made anew each time when None.

    Raises:
        ValueError: for a rate or a length that is not positive.

    Example:
        >>> read = ReadAudio(sample_rate=16000, crop_signal_to=500)
        >>> read(AudioTensor(torch.zeros(2, 4000), sr=8000)).shape
        torch.Size([1, 8000])
    """

    @names_nearest
    def __init__(
        self,
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        cache_folder: PathLike | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("sample_rate", sample_rate), ("crop_signal_to", crop_signal_to)):
            if value is not None and value <= 0:
                raise ValueError(f"{name}={value}; give a positive number, or None")
        self.sample_rate, self.force_mono = sample_rate, force_mono
        self.crop_signal_to = crop_signal_to
        self.cache_folder = None if cache_folder is None else Path(cache_folder)
        self._is_training = False

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one, but for a folder of this computer."""
        own = {"sample_rate": self.sample_rate, "force_mono": self.force_mono}
        return {**own, "crop_signal_to": self.crop_signal_to}

    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:
        self._is_training = split_idx == _TRAINING
        return super()._apply(part, x, split_idx, kwargs)

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, fn: str | Path) -> AudioTensor:
        if self.cache_folder is not None:
            fn = cached_clip(fn, self.cache_folder, self.sample_rate, self.force_mono)
        return self._read(fn)

    @encodes.register
    def _(self, contents: bytes) -> AudioTensor:
        return self._read(contents)

    @encodes.register
    def _(self, clip: AudioTensor) -> AudioTensor:
        if self.crop_signal_to is not None:
            start, size = self._crop(clip.nsamples, clip.sr)
            clip = clip[:, start : start + size]
        return self._filled(
            AudioTensor.create(clip, sr=self.sample_rate or clip.sr, mono=self.force_mono)
        )

    def _read(self, fn: Any) -> AudioTensor:
        start, size = 0, -1
        if self.crop_signal_to is not None:
            info = audio_info(fn)
            start, size = self._crop(info.frames, info.sr)
        clip = AudioTensor.create(fn, start, size, sr=self.sample_rate, mono=self.force_mono)
        if clip.nsamples == 0:
            name = f"{len(fn)} bytes" if isinstance(fn, bytes) else str(fn)
            raise DataError(f"the sound {name} has no samples. Replace or remove it.")
        return self._filled(clip)

    def _crop(self, there: int, sr: int) -> tuple[int, int]:
        """The first sample of the crop, and how many."""
        size = max(1, round((self.crop_signal_to or 0) * sr / 1000))
        spare = max(0, there - size)
        if not self._is_training:
            return spare // 2, size
        return int(torch.randint(spare + 1, (), generator=generator())), size

    def _filled(self, clip: AudioTensor) -> AudioTensor:
        """Exactly as long as `crop_signal_to` says."""
        if self.crop_signal_to is None:
            return clip
        size = max(1, round(self.crop_signal_to * clip.sr / 1000))
        return dress(F.pad(clip.as_plain(), (0, size - clip.nsamples)), clip)
