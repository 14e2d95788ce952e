"""Folders of sounds prepared once: other rate, one channel, cropped, by several processes.

Each file has its prepared one at the same place below another folder, where `prepared.json` says
with which settings all of it was made. Files that are there, made with these settings and not older
than the sound, are not made again, so that what was interrupted is taken up where it was left.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from layerwise.audio.files import get_audio_files
from layerwise.audio.reading import ReadAudio, cached_clip
from layerwise.audio.sound_files import wav_of
from layerwise.audio.types import AudioTensor
from layerwise.core.data.parallel import parallel_gen
from layerwise.core.errors import DataError
from layerwise.core.files.atomic import write_whole
from layerwise.core.types import PathLike

__all__ = ["PreprocessAudio", "cache_audio_folder", "preprocess_audio_folder"]

_SETTINGS = "prepared.json"

Job = tuple[str, str]
"""A sound, and where its prepared form goes."""


class PreprocessAudio:
    """From a sound to its prepared form: other rate, one channel, the middle of it.

    Called on pairs of files it writes WAV files of 16 bits, which is what
    `preprocess_audio_folder` does with several processes.

    Args:
        sample_rate: samples in a second; as in the file when None.
        force_mono: the mean of the channels.
        crop_signal_to: milliseconds from the middle, with zeros behind what is shorter; all of it
            when None.

    Example:
        >>> import torch
        >>> prepare = PreprocessAudio(sample_rate=16000, force_mono=True)
        >>> prepare.prepare(AudioTensor(torch.zeros(2, 400), sr=8000)).shape
        torch.Size([1, 800])
    """

    def __init__(
        self,
        sample_rate: int | None = None,
        force_mono: bool = False,
        crop_signal_to: float | None = None,
    ) -> None:
        self._read = ReadAudio(sample_rate, force_mono, crop_signal_to)

    def prepare(self, sound: PathLike | bytes | AudioTensor) -> AudioTensor:
        """The prepared form of a file or of a clip."""
        made: AudioTensor = self._read(sound)
        return made

    def __call__(self, jobs: Iterator[Job]) -> Iterator[int]:
        """Write the prepared form of each file; gives its samples."""
        for source, target in jobs:
            made = self.prepare(source)
            write_whole(Path(target), [wav_of(made, made.sr)])
            yield made.nsamples


def preprocess_audio_folder(
    path: PathLike,
    folders: str | Iterable[str] | None = None,
    output_dir: PathLike | None = None,
    sample_rate: int | None = None,
    force_mono: bool = False,
    crop_signal_to: float | None = None,
    n_workers: int | None = None,
) -> Path:
    """The folder with the prepared form of every sound below `path`, in the same tree.

    Args:
        path: the folder of the sounds.
        folders: of the folders directly below, take these alone.
        output_dir: where prepared files go; beside `path`, with `_cached` added to its name, when
            None.
        sample_rate: samples in a second; as in each file when None.
        force_mono: the mean of the channels.
        crop_signal_to: milliseconds from the middle, with zeros behind what is shorter; all of it
            when None.
        n_workers: processes; 0 does the work here, None takes one for each core.

    Raises:
        DataError: if there is no sound, or a file is none; it is named.
        FileNotFoundError: if there is no folder.

    Example:
        >>> import torch
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     sound = Path(folder, "sounds", "dog", "1.wav")
        ...     sound.parent.mkdir(parents=True)
        ...     _ = AudioTensor(torch.zeros(2, 400), sr=8000).save(sound)
        ...     made = preprocess_audio_folder(sound.parents[1], sample_rate=16000, n_workers=0)
        ...     made.name, AudioTensor.create(made / "dog" / "1.wav").shape
        ('sounds_cached', torch.Size([2, 800]))
    """
    source = Path(path)
    target = source.parent / f"{source.name}_cached" if output_dir is None else Path(output_dir)
    files = _sounds(source, folders, target)
    settings: dict[str, Any] = {
        "sample_rate": sample_rate, "force_mono": force_mono, "crop_signal_to": crop_signal_to
    }  # fmt: skip
    if _read_settings(target) != settings:
        write_whole(target / _SETTINGS, [json.dumps(settings, indent=1).encode()])
    # What is older than this note was made with other settings, also where a run was stopped.
    since = (target / _SETTINGS).stat().st_mtime_ns
    jobs = [
        (str(file), str(made))
        for file, made in _targets(files, source, target).items()
        if not _is_current(made, file, since)
    ]
    for _ in parallel_gen(PreprocessAudio, jobs, n_workers, **settings):
        pass
    return target


def cache_audio_folder(
    path: PathLike,
    cache_folder: PathLike | None = None,
    sample_rate: int | None = 16000,
    force_mono: bool = True,
    n_workers: int | None = None,
) -> Path:
    """The cache of an `AudioBlock`, filled with all sounds below `path` by several processes.

    Args:
        path: the folder of the sounds.
        cache_folder: see `ReadAudio`; beside `path`, with `_cached` added to its name, when None.
        sample_rate: see `ReadAudio`.
        force_mono: see `ReadAudio`.
        n_workers: processes; 0 does the work here, None takes one for each core.

    Raises:
        DataError: if there is no sound, or a file is none; it is named.
    """
    source = Path(path)
    target = source.parent / f"{source.name}_cached" if cache_folder is None else Path(cache_folder)
    settings: dict[str, Any] = {
        "folder": str(target),
        "sample_rate": sample_rate,
        "force_mono": force_mono,
    }
    files = [str(file) for file in _sounds(source, None, target)]
    for _ in parallel_gen(_FillCache, files, n_workers, **settings):
        pass
    return target


class _FillCache:
    """`cached_clip` of one file after the other."""

    def __init__(self, folder: str, sample_rate: int | None, force_mono: bool) -> None:
        self.folder, self.sample_rate, self.force_mono = folder, sample_rate, force_mono

    def __call__(self, files: Iterator[str]) -> Iterator[str]:
        for file in files:
            yield str(cached_clip(file, self.folder, self.sample_rate, self.force_mono))


def _sounds(path: Path, folders: str | Iterable[str] | None, target: Path) -> list[Path]:
    """The sounds below `path` that do not lie in `target`."""
    files = [file for file in get_audio_files(path, folders=folders) if target not in file.parents]
    if not files:
        raise DataError(f"there is no sound below {str(path)!r}; is the path right, or folders=?")
    return files


def _targets(files: list[Path], source: Path, target: Path) -> dict[Path, Path]:
    """Where the prepared form of each file goes: its name, ending in .wav.

    Two sounds that differ in their ending alone keep it in their names.
    """
    bare = {file: file.relative_to(source).with_suffix(".wav") for file in files}
    taken = Counter(bare.values())
    found = {}
    for file, name in bare.items():
        full = file.relative_to(source)
        found[file] = target / (name if taken[name] == 1 else full.with_name(f"{full.name}.wav"))
    return found


def _is_current(made: Path, file: Path, since: int) -> bool:
    """Whether a prepared file is there, and newer than its sound and than `since`."""
    return made.exists() and made.stat().st_mtime_ns >= max(since, file.stat().st_mtime_ns)


def _read_settings(target: Path) -> Any:
    """With what the files in `target` were made; None where that is not known."""
    try:
        return json.loads((target / _SETTINGS).read_text("utf8"))
    except (FileNotFoundError, ValueError):
        return None
