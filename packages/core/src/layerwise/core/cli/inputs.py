"""Items that a command line names: files, texts and rows, for what an exported learner takes."""

from __future__ import annotations

import csv
import gzip
import mimetypes
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from layerwise.core.errors import ConfigError, nearest
from layerwise.core.serve.intake import Column, Intake

__all__: list[str] = []

_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")


@dataclass(frozen=True)
class Given:
    """One item.

    Args:
        number: its place among all, from 0.
        name: what it is called in the output: the file, and the row of a table.
        load: reads it.
    """

    number: int
    name: str
    load: Callable[[], Any]


Found = Iterator[tuple[str, Callable[[], Any]]]


def items_of(
    intake: Intake, inputs: Sequence[str], column: str, delimiter: str | None = None
) -> Iterator[Given]:
    """The items that the words of a command line stand for.

    Args:
        intake: what the learner takes.
        inputs: files, folders and "-".
        column: of a table, which has the texts.
        delimiter: of a table; see `delimiter_of` when None.

    Raises:
        ConfigError: if a word stands for nothing that the learner takes.
    """
    kinds: dict[str, Callable[[str], Found]] = {
        "file": partial(_files, media_type=intake.media_type),
        "text": partial(_texts, column=column, delimiter=delimiter),
        "row": partial(_rows, columns=intake.columns, delimiter=delimiter),
    }
    for word in inputs:
        if word != "-" and not Path(word).exists():
            raise ConfigError(f"there is no file or folder {word!r}")
    found = (each for word in inputs for each in kinds[intake.kind](word))
    return (Given(number, name, load) for number, (name, load) in enumerate(found))


def _files(word: str, media_type: str | None) -> Found:
    if word == "-":
        raise ConfigError(
            '"-" stands for texts; this learner takes files, so name files or folders'
        )
    path = Path(word)
    if not path.is_dir():
        yield word, path.read_bytes
        return
    for file in files_below(path, media_type):
        yield str(file), file.read_bytes


def files_below(folder: Path, media_type: str | None = None) -> Iterator[Path]:
    """Files in a folder and those below it, sorted, without hidden ones.

    Args:
        folder: where to look.
        media_type: what their endings have to say, such as "image/*"; any when None.
    """
    for file in sorted(folder.rglob("*")):
        guessed = mimetypes.guess_type(file.name)[0] or ""
        fits = media_type is None or guessed.startswith(media_type.removesuffix("*"))
        if fits and file.is_file() and not file.name.startswith("."):
            yield file


def _texts(word: str, column: str, delimiter: str | None) -> Found:
    if word == "-":
        if sys.stdin is None:  # closed by whoever started this program
            raise ConfigError('"-" stands for the texts of the input, which is closed')
        for i, line in enumerate(sys.stdin):
            if line.strip():
                yield f"line {i + 1}", partial(str, line.rstrip("\n"))
        return
    path = Path(word)
    if path.is_dir():
        for file in sorted(path.rglob("*.txt")):
            yield str(file), partial(file.read_text, "utf8")
    elif word.endswith(_TABLES):
        for i, row in _table(path, [column], delimiter):
            yield f"{word}:{i}", partial(str, row[column])
    else:
        yield word, partial(path.read_text, "utf8")


def _rows(word: str, columns: Sequence[Column], delimiter: str | None) -> Found:
    if word == "-" or Path(word).is_dir():
        raise ConfigError(
            f"this learner takes rows; name a table of separated values, not {word!r}"
        )
    by_name = {str(column.name): column for column in columns}
    for i, row in _table(Path(word), list(by_name), delimiter):
        yield f"{word}:{i}", partial(_typed, row, by_name)


def delimiter_of(path: Path, given: str | None) -> str:
    """What parts the columns of a table: what is given, else what its ending says."""
    if given is not None:
        if len(given) != 1:
            raise ConfigError(f"delimiter={given!r}; give one character")
        return given
    return "\t" if ".tsv" in path.suffixes else ","


def _table(
    path: Path, needed: Sequence[str], delimiter: str | None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table of separated values, with their number in the file; its first row is 2."""
    read: Any = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", newline="", encoding="utf-8-sig") as file:
        kind = delimiter_of(path, delimiter)
        reader = csv.DictReader(file, delimiter=kind, skipinitialspace=True)
        known = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = known
        for name in needed:
            if name not in known:
                raise ConfigError(
                    f"{path} has no column {name!r}.{nearest(name, known)} It has: "
                    f"{', '.join(known)}; parted by {kind!r}, see --delimiter"
                )
        for row in reader:
            yield reader.line_num, row


def _typed(row: dict[str, str], columns: dict[str, Column]) -> dict[str, Any]:
    return {name: _value(row[name], column) for name, column in columns.items()}


def _value(text: str | None, column: Column) -> Any:
    """A text of a table as its column has it; an empty one is missing."""
    if text is None or not text.strip():
        return None
    if not column.is_number:
        known = {str(choice): choice for choice in column.choices}
        return known.get(text, known.get(text.strip(), text))
    try:
        return float(text)
    except ValueError:
        return text  # which is refused by name
