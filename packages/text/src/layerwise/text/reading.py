"""Text files as texts; what is not of the encoding is told, with the file and the place."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.errors import DataError
from layerwise.core.types import PathLike

__all__ = ["read_text"]

_WAYS = ("strict", "replace", "ignore")
REPLACED = "\ufffd"  # what decoders write for bytes that have no meaning


def read_text(path: PathLike, encoding: str = "utf8", errors: str = "strict") -> str:
    """The text in a file; the marks at the ends of lines are all line feeds.

    Args:
        path: the file.
        encoding: what its bytes mean.
        errors: of bytes without a meaning: "strict" raises, "replace" puts `�` for them, "ignore"
            leaves them out.

    Raises:
        DataError: if there are such bytes; says where, and what to do.
        ValueError: for another `errors`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.txt")
        ...     _ = file.write_bytes("café".encode("latin1"))
        ...     read_text(file, encoding="latin1"), read_text(file, errors="replace")
        ('café', 'caf�')
    """
    if errors not in _WAYS:
        raise ValueError(f"errors={errors!r}; give one of {', '.join(map(repr, _WAYS))}")
    data = Path(path).read_bytes()
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: the byte {data[error.start]:#04x} at {error.start} is not of "
            f"{encoding}. Give the encoding it was written in, such as encoding='latin1', or "
            "errors='replace' to put � for such bytes"
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
