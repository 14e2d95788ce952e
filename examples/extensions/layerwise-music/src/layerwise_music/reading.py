"""Files of music, of any kind that is read here."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike as AnyPath
from pathlib import Path

from layerwise.core.data.source import get_files
from layerwise.core.errors import DataError, nearest, warn_user
from layerwise.core.types import PathLike

from layerwise_music.abc_notation import read_abc
from layerwise_music.chorale import read_chorale
from layerwise_music.midi import read_midi
from layerwise_music.score import Score

__all__ = ["MUSIC_EXTENSIONS", "get_music_files", "read_scores"]

MUSIC_EXTENSIONS = (".abc", ".csv", ".mid", ".midi")
"""Endings of files that are read: books of tunes, tables of chorales, MIDI files."""


def get_music_files(path: PathLike, folders: str | Iterable[str] | None = None) -> list[Path]:
    """The files of music below `path`, in the order of their names.

    Args:
        path: a folder.
        folders: names of folders in it; all when None.
    """
    return sorted(map(Path, get_files(path, extensions=MUSIC_EXTENSIONS, folders=folders)))


def read_scores(
    files: PathLike | Iterable[PathLike], steps: int = 12, *, on_bad: str = "raise"
) -> list[Score]:
    """The scores in files; a book in ABC notation has many, other files one each.

    Args:
        files: one or several, told apart by their endings, see `MUSIC_EXTENSIONS`.
        steps: of a quarter; tables of chorales have 4 of their own, and are put on this grid.
        on_bad: "raise", or "skip" to leave out files and tunes that cannot be read, with a warning.

    Raises:
        DataError: for a file that cannot be read, or of another kind; names it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     book = Path(folder, "two.abc")
        ...     _ = book.write_text("X:1\\nK:C\\nCDEF|\\n\\nX:2\\nK:C\\nG4|\\n")
        ...     [len(score.notes) for score in read_scores(book)]
        [4, 1]
    """
    if on_bad not in ("raise", "skip"):
        raise ValueError(f"on_bad={on_bad!r}; give 'raise' or 'skip'")
    paths = [files] if isinstance(files, str | AnyPath) else list(files)
    found: list[Score] = []
    for path in map(Path, paths):
        try:
            found += _read(path, steps, on_bad)
        except DataError as error:
            if on_bad == "raise":
                raise
            warn_user(f"left out a file: {error}")
    return found


def _read(path: Path, steps: int, on_bad: str) -> list[Score]:
    suffix = path.suffix.lower()
    if suffix == ".abc":
        return read_abc(path, steps, on_bad=on_bad)
    if suffix == ".csv":
        return [read_chorale(path).on_grid(steps)]
    if suffix in (".mid", ".midi"):
        return [read_midi(path, steps)]
    raise DataError(
        f"{path} ends in {suffix!r}.{nearest(suffix, MUSIC_EXTENSIONS)} Music is read from files "
        f"with {', '.join(MUSIC_EXTENSIONS)}"
    )
