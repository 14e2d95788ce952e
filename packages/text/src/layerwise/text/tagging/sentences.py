"""Sentences whose words have labels, and files of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layerwise.core.errors import DataError
from layerwise.core.types import PathLike
from layerwise.text.reading import read_text

__all__ = ["Sentence", "read_conll"]

_DOCUMENT = "-DOCSTART-"  # what stands in the data of CoNLL-2003 where a document begins


@dataclass(frozen=True)
class Sentence:
    """Words, and a label for each where they are known.

    Args:
        words: in their order.
        labels: as many; None for a sentence to predict.

    Raises:
        DataError: if there is not one label for each word, or no word.

    Example:
        >>> Sentence(["Ada", "writes"], ["B-PER", "O"]).labels[0]
        'B-PER'
    """

    words: Sequence[str]
    labels: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not len(self.words) or (self.labels is not None and len(self.labels) != len(self.words)):
            labels = "no" if self.labels is None else len(self.labels)
            raise DataError(
                f"{len(self.words)} words and {labels} labels in {list(self.words)[:5]}; a "
                "sentence has a word or more, and one label for each of them"
            )


def read_conll(
    path: PathLike,
    word_col: int = 0,
    label_col: int = -1,
    delimiter: str | None = None,
    encoding: str = "utf8",
) -> list[Sentence]:
    r"""The sentences of a file with a word and a label in each line, an empty line between them.

    Such are the files of CoNLL-2003. Lines that begin a document (`-DOCSTART-`) are left out.

    Args:
        path: the file.
        word_col: column of the word.
        label_col: column of the label; -1 is the last.
        delimiter: what parts columns; any white space when None.
        encoding: of the file.

    Raises:
        DataError: for a line without these columns, or bytes that are not of the encoding; names
            the line.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.txt")
        ...     _ = file.write_text("Ada NNP B-PER\nwrites VBZ O\n\nYes UH O\n")
        ...     [list(sentence.words) for sentence in read_conll(file)]
        [['Ada', 'writes'], ['Yes']]
    """
    lines = read_text(path, encoding).split("\n")
    made: list[Sentence] = []
    words: list[str] = []
    labels: list[str] = []
    for row in _rows(lines, word_col, label_col, delimiter, path):
        if row is not None:
            words.append(row[0])
            labels.append(row[1])
        elif words:
            made.append(Sentence(words, labels))
            words, labels = [], []
    return made


def _rows(
    lines: list[str], word_col: int, label_col: int, delimiter: str | None, path: PathLike
) -> Iterator[tuple[str, str] | None]:
    """Word and label of each line; None where a sentence ends."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_DOCUMENT):
            yield None
            continue
        columns = line.rstrip("\r").split(delimiter)
        try:
            word, label = columns[word_col], columns[label_col]
        except IndexError:
            word = label = ""
        if not word or not label or len(columns) < 2:
            raise DataError(
                f"{path}, line {number}: {line[:60]!r} has {len(columns)} columns, and the word is "
                f"to be in column {word_col} and its label in column {label_col}; say which with "
                "word_col= and label_col=, and with delimiter= what parts them"
            )
        yield word, label
    yield None
