"""Which files are sounds: listed below a folder, and opened by their place in a list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerwise.audio.types import AudioTensor
from layerwise.core.data.source import get_files
from layerwise.core.items import L
from layerwise.core.transforms.transform import Transform
from layerwise.core.types import PathLike

__all__ = ["AudioGetter", "OpenAudio", "audio_extensions", "get_audio_files"]

# Written out, since `mimetypes` reads files of the system and so differs from machine to machine.
audio_extensions: frozenset[str] = frozenset(
    "." + ending
    for ending in [
        "aif",
        "aifc",
        "aiff",
        "au",
        "caf",
        "flac",
        "mp3",
        "oga",
        "ogg",
        "opus",
        "rf64",
        "snd",
        "w64",
        "wav",
    ]
)
"""Endings of the sound files that can be read."""


def get_audio_files(
    path: PathLike, recurse: bool = True, folders: str | Iterable[str] | None = None
) -> L[Path]:
    """The sound files below `path`, sorted.

    Args:
        path: the folder to look in.
        recurse: look into the folders below, too.
        folders: of the folders directly below `path`, look into these alone.

    Raises:
        FileNotFoundError: if there is no folder `path`, or none of `folders` in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ["b.wav", "a.FLAC", "notes.txt"]:
        ...         Path(folder, name).touch()
        ...     get_audio_files(folder).attrgot("name")
        (#2) ['a.FLAC', 'b.wav']
    """
    return get_files(path, audio_extensions, recurse, folders)


@dataclass(frozen=True)
class AudioGetter:
    """`get_audio_files` of the folder `suf` below the path that is given.

    Args:
        suf: folder below the path; by default the path itself.
        recurse: as in `get_audio_files`.
        folders: as in `get_audio_files`.

    Example:
        >>> AudioGetter("train")
        AudioGetter(suf='train', recurse=True, folders=None)
    """

    suf: str = ""
    recurse: bool = True
    folders: str | Collection[str] | None = None

    def __call__(self, path: PathLike) -> L[Path]:
        """The files, as `Path`s."""
        return get_audio_files(Path(path) / self.suf, self.recurse, self.folders)


class OpenAudio(Transform):
    """From the place of a file in a list to its signal; decodes to the file.

    Args:
        items: paths of sound files.

    Example:
        >>> OpenAudio(["a.wav", "b.wav"]).decode(1).name
        'b.wav'
    """

    def __init__(self, items: Sequence[PathLike]) -> None:
        super().__init__()
        self.items = list(items)

    def encodes(self, i: int) -> AudioTensor:
        """(C, N) the signal of file `i`."""
        return AudioTensor.create(self.items[i])

    def decodes(self, i: int) -> Any:
        """The path of file `i`."""
        return Path(self.items[i])
