"""Files that are written whole or not at all: there is always either the old one or the new one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__: list[str] = []

Buffer = bytes | bytearray | memoryview


def write_whole(path: Path, parts: Iterable[Buffer]) -> None:
    """Write `parts`, one after the other, as the file `path`; folders are made.

    They go to a file of another name beside it, which is flushed to the disk and then renamed.

    Raises:
        OSError: names the file; the old one, if any, is as it was.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_whole(Path(folder, "a", "greeting"), [b"hel", b"lo"])
        ...     Path(folder, "a", "greeting").read_bytes()
        b'hello'
    """
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not by `tempfile`, whose files only their owner may read.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb", buffering=0) as f:
                for part in parts:
                    _write(f.fileno(), part)
                os.fsync(f.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)


def left_behind(path: Path) -> list[Path]:
    """The temporary files of `write_whole(path, ...)` in processes that died while they wrote."""
    return sorted(path.parent.glob(f".{path.name}.????????.tmp"))


def _write(handle: int, part: Buffer) -> None:
    rest = memoryview(part).cast("B")
    while rest:  # one call writes 2 GiB at most
        rest = rest[os.write(handle, rest) :]


def _flush_folder(folder: Path) -> None:
    """Have the new name on the disk too."""
    if os.name != "posix":  # other systems do not open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors inside say which file was to be written; those of a full disk do not by themselves."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(path)):
            error.add_note(f"while {path} was written")
            raise
        raise OSError(
            error.errno, f"{error.strerror}, while this was written", str(path)
        ) from error
