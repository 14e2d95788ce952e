"""Many files that can be made again, each of them whole or not there."""

import secrets
from pathlib import Path

__all__: list[str] = []


def put_whole(path: Path, data: bytes) -> None:
    """Write `data` as the file `path`, which appears at once; folders are made.

    Unlike `core.files.atomic.write_whole` this waits for no disk: flushing each of thousands of
    small files takes several times as long as making them. A power cut may leave empty files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # short, however long the name is
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
