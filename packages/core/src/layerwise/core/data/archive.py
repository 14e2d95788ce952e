"""Extraction of tar and zip archives that may be hostile.

Only plain files and folders come out, into a fresh folder that takes its final name in one rename.
Everything else makes the whole archive refused: nothing is repaired, and what was extracted so far
is removed. `tarfile`'s own data filter is not enough: names longer than the system's path limit
lead it astray (CVE-2025-4517).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from layerwise.core.data.members import (
    ArchiveError,
    ArchiveLimits,
    Budget,
    Member,
    Source,
    archive_members,
    over,
    short,
)
from layerwise.core.types import PathLike

__all__ = ["extract_archive"]

CHUNK = 1 << 20  # bytes written at once
NAME_BYTES = 1024  # longest name of a member; macOS takes no more, Linux 4,096 with all above it
PART_BYTES = 255  # longest name of a file or folder on the common file systems

# Names that file managers add next to the single folder that was packed.
_LITTER = re.compile(r"\._.*|\.DS_Store|__MACOSX|Thumbs\.db|desktop\.ini")


def extract_archive(
    archive: PathLike, folder: PathLike, *, limits: ArchiveLimits | None = None
) -> Path:
    """`folder`, made from a tar (plain, gzip, bzip2, xz) or zip archive; its bytes tell which.

    If the archive has everything in one top folder, `folder` is that one, else the whole.

    Args:
        archive: the file to extract; archives inside of it stay packed.
        folder: where to; it must not exist, and appears at once when all is extracted.
        limits: how much may come out; by default what `ArchiveLimits()` says.

    Raises:
        FileExistsError: if there is such a folder already.
        ArchiveError: if the archive is damaged; or has anything but files and folders, a name that
            is unsafe or there twice (up to case), or more in it than the limits allow.

    Example:
        >>> import zipfile
        >>> with tempfile.TemporaryDirectory() as here:
        ...     with zipfile.ZipFile(Path(here, "a.zip"), "w") as z:
        ...         z.writestr("top/file.txt", "hello")
        ...     (extract_archive(Path(here, "a.zip"), Path(here, "a")) / "file.txt").read_text()
        'hello'
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise FileExistsError(f"{str(folder)!r} is there already; remove it, or extract elsewhere")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(".part", f".{folder.name[:100]}.", folder.parent))
    try:
        inside = fresh / "content"  # not `fresh` itself, which only its owner may enter
        inside.mkdir()
        budget = Budget(limits or ArchiveLimits(), archive.stat().st_size, inside)
        with archive.open("rb") as file:
            _write_members(archive_members(file, budget), inside, budget)
        _single_folder(inside).rename(folder)
    except ArchiveError as error:
        raise ArchiveError(f"the archive {str(archive)!r} is refused: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _single_folder(inside: Path) -> Path:
    top = [entry for entry in inside.iterdir() if not _LITTER.fullmatch(entry.name)]
    return top[0] if len(top) == 1 and top[0].is_dir() else inside


def _write_members(members: Iterable[Member], inside: Path, budget: Budget) -> None:
    names = _Names()
    for member in members:
        budget.add_member()
        parts = _safe_parts(member.name)
        if not parts and member.content is None:
            continue  # the folder "./" itself
        names.add(parts, is_folder=member.content is None)
        target = inside.joinpath(*parts)
        if member.content is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            _write_file(member.content, target, member.name, budget.limits)


def _write_file(content: Source, target: Path, name: str, limits: ArchiveLimits) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("xb") as file:  # "x": never into something that is there
        while chunk := content.read(CHUNK):
            size += len(chunk)
            if size > limits.member_bytes:
                what = f"the member {short(name)} has more than {limits.member_bytes} bytes"
                raise ArchiveError(over(what, "member_bytes"))
            file.write(chunk)


def _safe_parts(name: str) -> tuple[str, ...]:
    """The parts of a member's name; () for the folder that all is in."""
    problem = ""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        problem = "has a control character, such as NUL or a line break"
    elif "\\" in name:
        problem = "has a backslash"
    elif name.startswith("/"):
        problem = "is absolute"
    elif parts and re.match(r"[A-Za-z]:", parts[0]):
        problem = "starts with the letter of a drive"
    elif ".." in parts:
        problem = "leads upwards (..)"
    elif len(os.fsencode(name)) > NAME_BYTES:
        problem = f"is longer than {NAME_BYTES} bytes"
    elif any(len(os.fsencode(part)) > PART_BYTES for part in parts):
        problem = f"has a part of more than {PART_BYTES} bytes"
    if problem:
        raise ArchiveError(f"the name of the member {short(name)} {problem}")
    return parts


@dataclass(slots=True)
class _Names:
    """The names so far, to find those that one system or another would take for the same file."""

    seen: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)

    def add(self, parts: tuple[str, ...], *, is_folder: bool) -> None:
        """Remember a name, or raise if it is there; a folder may be named any number of times."""
        if not parts:
            raise ArchiveError("it has a file without a name")
        key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        known = self.seen.get(key)
        if known is None:
            if parts[:-1]:
                self.add(parts[:-1], is_folder=True)
            self.seen[key] = (parts, is_folder)
        elif known[0] != parts:
            raise ArchiveError(
                f"the members {short('/'.join(known[0]))} and {short('/'.join(parts))} differ in "
                "case or accents only, and would be one file on some systems"
            )
        elif not (is_folder and known[1]):
            raise ArchiveError(f"the member {short('/'.join(parts))} is there twice")
