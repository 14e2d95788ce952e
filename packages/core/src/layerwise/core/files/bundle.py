"""Bundles: one zip, stored and not packed, of JSON and safetensors. Nothing in it can run.

Each file is listed in `manifest.json` with its size and SHA-256. Any zip program opens a bundle.
Reading is strict: the file has to be, byte for byte, what `write_bundle` makes of these members, so
that nothing can hide between, before or after them and no two programs see different things in it.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import torch

from layerwise.core._version import __version__
from layerwise.core.errors import BundleError
from layerwise.core.files.atomic import Buffer, write_whole
from layerwise.core.files.plain import from_json, to_json

__all__ = ["read_bundle", "write_bundle"]

FORMAT, VERSION = "layerwise-bundle", 1
MANIFEST = "manifest.json"
MAX_BYTES = 64 << 30
_MEMBERS = 1000
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}){0,7}")
_DIRECTORY_BYTES = 1 << 20
_MANIFEST_BYTES = 1 << 20

Content = Buffer | Sequence[Buffer]


# -- zip --------------------------------------------------------------------------------------

_LIMIT = 0xFFFFFFFF  # sizes and places from here on are written in the fields of zip64
_STAMP = (0, 33)  # time and date of all members: midnight of the first of January 1980
_HEAD = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One member: name, size and check sum."""

    name: bytes
    size: int
    crc: int

    def head(self) -> bytes:
        """What stands before its content."""
        extra = struct.pack("<2H2Q", 1, 16, self.size, self.size) if self.size >= _LIMIT else b""
        size = min(self.size, _LIMIT)
        fields = (45 if extra else 20, 0, 0, *_STAMP, self.crc, size, size)
        return _HEAD.pack(b"PK\3\4", *fields, len(self.name), len(extra)) + self.name + extra

    def central(self, at: int) -> bytes:
        """What stands for it in the directory, if its head is at the byte `at`."""
        large = [self.size] * 2 * (self.size >= _LIMIT) + [at] * (at >= _LIMIT)
        extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        size, need = min(self.size, _LIMIT), 45 if extra else 20
        fields = (need, need, 0, 0, *_STAMP, self.crc, size, size, len(self.name), len(extra))
        place = (0, 0, 0, 0, min(at, _LIMIT))
        return _CENTRAL.pack(b"PK\1\2", *fields, *place) + self.name + extra


def _directory(entries: Sequence[_Entry]) -> bytes:
    """All that stands after the last member."""
    at, records = 0, []
    for entry in entries:
        records.append(entry.central(at))
        at += len(entry.head()) + entry.size
    directory = b"".join(records)
    count, size = len(entries), len(directory)
    if at >= _LIMIT:
        fields = (44, 45, 45, 0, 0, count, count, size, at)
        directory += _END64.pack(b"PK\6\6", *fields)
        directory += _LOCATOR.pack(b"PK\6\7", 0, at + size, 1)
    return directory + _END.pack(b"PK\5\6", 0, 0, count, count, size, min(at, _LIMIT), 0)


# -- writing ----------------------------------------------------------------------------------


def write_bundle(path: str | Path, members: Mapping[str, Content], *, kind: str) -> Path:
    """Write a bundle whole or not at all. Returns the path.

    Args:
        path: the file.
        members: content by name; one piece, or several that follow each other.
        kind: what it is a bundle of; asked for again when it is read.

    Raises:
        BundleError: if there are names that `read_bundle` would refuse.
        OSError: if it cannot be written; what was there before is as it was.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = write_bundle(f"{folder}/a.bundle", {"model.json": b"{}"}, kind="learner")
        ...     read_bundle(path, kind="learner")
        {'model.json': b'{}'}
    """
    parts = {name: _pieces(content) for name, content in members.items()}
    _check_names([MANIFEST, *parts])
    files = {name: _measured(content) for name, content in parts.items()}
    manifest = to_json({
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": {"layerwise-core": __version__, "torch": str(torch.__version__)},
        "files": files,
    })  # fmt: skip
    whole = {MANIFEST: [memoryview(manifest)], **parts}
    entries = [
        _Entry(name.encode(), sum(map(len, content)), _crc(content))
        for name, content in whole.items()
    ]
    target = Path(path)
    write_whole(target, _in_order(entries, whole))
    return target


def _pieces(content: Content) -> list[memoryview]:
    pieces = [content] if isinstance(content, bytes | bytearray | memoryview) else content
    return [memoryview(piece).cast("B") for piece in pieces if len(piece)]


def _measured(content: Sequence[memoryview]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    return {"bytes": sum(map(len, content)), "sha256": digest.hexdigest()}


def _crc(content: Sequence[Buffer]) -> int:
    total = 0
    for piece in content:
        total = zlib.crc32(piece, total)
    return total


def _in_order(
    entries: Sequence[_Entry], members: Mapping[str, Sequence[Buffer]]
) -> Iterator[Buffer]:
    for entry, content in zip(entries, members.values(), strict=True):
        yield entry.head()
        yield from content
    yield _directory(entries)


def _check_names(names: Sequence[str]) -> None:
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        raise BundleError(
            f"a member named {wrong[0]!r:.120}: names are letters, digits, '_', '.' and '-', in "
            "folders apart by '/'"
        )
    if len(names) > _MEMBERS:
        raise BundleError(f"a bundle of {len(names)} members; up to {_MEMBERS} are read")
    if len({name.lower() for name in names}) != len(names):
        raise BundleError("a bundle with two members of one name")


# -- reading ----------------------------------------------------------------------------------


def read_bundle(
    path: str | Path, *, kind: str, max_bytes: int = MAX_BYTES, sha256: str | None = None
) -> dict[str, bytes]:
    """The members of the bundle at `path` by name, without the manifest.

    Args:
        path: the file.
        kind: what it has to be a bundle of.
        max_bytes: refuse files larger than this.
        sha256: the SHA-256 of the whole file, as `sha256sum` prints it; got from whom you trust,
            it proves that the file is theirs. The sums inside only show that it is not damaged.

    Raises:
        BundleError: if it is anything but a whole bundle of this kind.
    """
    file = Path(path)
    try:
        if not file.is_file():
            told = "it is a folder; give a file in it" if file.is_dir() else "there is no such file"
            raise BundleError(told)
        with file.open("rb", buffering=0) as f:
            size = file.stat().st_size
            if size > max_bytes:
                raise BundleError(f"it has {size} bytes, more than max_bytes={max_bytes}")
            if sha256 is not None:
                _check_digest(f, sha256)
            return _members(f, size, kind)
    except BundleError as error:
        raise BundleError(f"{file} cannot be used: {error}") from error
    except (OSError, ValueError, MemoryError) as error:
        raise BundleError(f"{file} cannot be read: {error or 'out of memory'}") from error


def _check_digest(f: FileIO, expected: str) -> None:
    found = hashlib.file_digest(f, "sha256").hexdigest()
    if found != expected.lower().strip():
        raise BundleError(
            f"its SHA-256 is {found}, expected was {expected!r}; it is another file than the one "
            "you were told of"
        )


def _members(f: FileIO, size: int, kind: str) -> dict[str, bytes]:
    _check_start(_at(f, 0, min(size, 512)))
    entries = _entries(f, size)
    at = len(entries[0].head()) + entries[0].size
    manifest = from_json(_content(f, 0, entries[0]))
    files = _files(manifest, kind)
    listed = {name.encode(): entry["bytes"] for name, entry in files.items()}
    if listed != {entry.name: entry.size for entry in entries[1:]}:
        raise BundleError("its members are not those of its manifest")
    found = {}
    for entry in entries[1:]:
        name = entry.name.decode()
        found[name] = _content(f, at, entry)
        if hashlib.sha256(found[name]).hexdigest() != files[name]["sha256"]:
            raise BundleError(f"its member {name!r} is damaged or was exchanged")
        at += len(entry.head()) + entry.size
    return found


def _entries(f: FileIO, size: int) -> list[_Entry]:
    """The members that the directory at the end lists, once the whole of it is as we write it."""
    tail = _at(f, max(size - _DIRECTORY_BYTES, 0), min(size, _DIRECTORY_BYTES))
    end = tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\5\6"):
        raise BundleError("it is cut short, or something was put behind it")
    _, _, _, _, count, length, at, _ = _END.unpack(end)
    if not 0 < count <= _MEMBERS:
        raise BundleError(f"it lists {count} members")
    after = _END.size + (_END64.size + _LOCATOR.size if at == _LIMIT else 0)
    directory = tail[: -after or None][-length:] if length else b""
    entries = list(_listed(directory, size))
    if len(entries) != count or not tail.endswith(whole := _directory(entries)):
        raise BundleError(_OTHER)
    if sum(len(e.head()) + e.size for e in entries) + len(whole) != size:
        raise BundleError(_OTHER)
    try:
        names = [entry.name.decode("ascii") for entry in entries]
    except UnicodeDecodeError as error:
        raise BundleError("a member has a name with more than plain letters") from error
    _check_names(names)
    if names[0] != MANIFEST or entries[0].size > _MANIFEST_BYTES:
        raise BundleError(_OTHER)
    return entries


_OTHER = "it was written or changed by another program than layerwise"


def _listed(directory: bytes, file_bytes: int) -> Iterator[_Entry]:
    at = 0
    while len(directory) - at >= _CENTRAL.size:
        fields = _CENTRAL.unpack_from(directory, at)
        crc, _, size, name_bytes, extra_bytes = fields[7:12]
        at += _CENTRAL.size
        name = directory[at : at + name_bytes]
        extra = directory[at + name_bytes : at + name_bytes + extra_bytes]
        at += name_bytes + extra_bytes
        if size == _LIMIT and len(extra) >= 12:
            size = int.from_bytes(extra[4:12], "little")
        if size > file_bytes:
            raise BundleError("it is cut short")
        yield _Entry(name, size, crc)


def _content(f: FileIO, at: int, entry: _Entry) -> bytes:
    head = entry.head()
    if _at(f, at, len(head)) != head:
        raise BundleError(_OTHER)
    content = _at(f, at + len(head), entry.size)
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise BundleError(f"its member {entry.name.decode()!r} is damaged")
    return content


def _at(f: FileIO, at: int, size: int) -> bytes:
    f.seek(at)
    first = f.read(size)  # one call reads 2 GiB at most
    if len(first) in (0, size):
        return first
    pieces = [first]
    while (rest := size - sum(map(len, pieces))) and (piece := f.read(rest)):
        pieces.append(piece)
    return b"".join(pieces)


def _files(manifest: Any, kind: str) -> dict[str, Any]:
    """The entry `files` of the manifest, when all of it is as it has to be."""
    match manifest:
        case {"format": "layerwise-bundle", "version": int(version)} if version > VERSION:
            by = manifest.get("packages")
            raise BundleError(
                f"it is a bundle of version {version}, written with {by!r:.200}; layerwise-core "
                f"{__version__} reads version {VERSION}: pip install -U layerwise-core"
            )
        case {"format": "layerwise-bundle", "version": 1, "kind": str(found), "files": dict(files)}:
            if found != kind:
                raise BundleError(f"it is a bundle of a {found!r:.40}, not of a {kind!r}")
            for entry in files.values():
                match entry:
                    case {"bytes": int(size), "sha256": str()} if size >= 0:
                        continue
                raise BundleError("its manifest is damaged")
            return files
    raise BundleError("its manifest is that of something else")


def _check_start(start: bytes) -> None:
    """Raise unless a bundle can start so; says what it seems to be instead."""
    name = start[_HEAD.size : _HEAD.size + len(MANIFEST)]
    if start.startswith(b"PK\3\4") and name == MANIFEST.encode():
        return
    if not start:
        raise BundleError("it is empty")
    if (start.startswith(b"PK\3\4") and b"/data.pkl" in start) or start.startswith(b"\x80"):
        raise BundleError(
            "it is a pickle, as torch.save or other programs write; such files can run code when "
            "they are loaded, so they are not read"
        )
    if start.startswith(b"PK"):
        raise BundleError("it is a zip archive of something else")
    raise BundleError(f"it is no bundle; it starts with {start[:16]!r}")
