"""Chorales in tables: a row a sixteenth, a column a voice."""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path

from layerwise.core.errors import DataError
from layerwise.core.types import PathLike

from layerwise_music.score import Note, Score

__all__ = ["read_chorale"]

_STEPS = 4  # rows of a quarter
_BAR = 16  # rows of a bar


def read_chorale(path: PathLike) -> Score:
    """The score of a table of pitches, a row for each sixteenth and a column for each voice.

    0 is silence. The tables do not tell a note that is held from one that is struck again, so that
    equal pitches below each other are one note; nor do they have bars: one begins every 16 rows.

    Args:
        path: a CSV file with a line of names first.

    Raises:
        DataError: if it is none such; names file and line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "two.csv")
        ...     _ = file.write_text("note0,note1\\n67,60\\n67,0\\n")
        ...     read_chorale(file).notes
        (Note(start=0, length=2, pitch=67), Note(start=0, length=1, pitch=60))
    """
    rows = _rows(Path(path))
    notes = []
    for voice in zip(*rows, strict=True):
        time = 0
        for pitch, held in groupby(voice):
            length = len(list(held))
            if pitch:
                notes.append(Note(time, length, pitch))
            time += length
    bars = range(0, len(rows), _BAR)
    return Score(notes, bars, len(rows), steps=_STEPS, tempo=80, title=Path(path).stem)


def _rows(path: Path) -> list[list[int]]:
    with path.open(encoding="utf8", newline="") as lines:
        reader = csv.reader(lines)
        try:
            width = len(next(reader, []))
            return [_pitches(row, width, f"{path}, line {reader.line_num}") for row in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no table of pitches: {error}") from error


def _pitches(row: list[str], width: int, place: str) -> list[int]:
    is_whole = len(row) == width and all(cell.strip().isdecimal() for cell in row)
    pitches = [int(cell) for cell in row] if is_whole else []
    if not is_whole or max(pitches, default=0) > 127:
        raise DataError(
            f"{place}: {','.join(row)[:60]!r} are no {width} pitches from 0 (silence) to 127, one "
            "for each voice"
        )
    return pitches
