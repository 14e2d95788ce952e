"""The members of a tar or zip archive, read one by one and with suspicion.

Links, devices and all else that is neither file nor folder are refused here, and all bytes are
counted as they are unpacked, since a header may lie. No more than a megabyte is held in memory.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from layerwise.core.errors import DataError

__all__ = ["ArchiveError", "ArchiveLimits"]

BLOCK = 512  # bytes of a tar header; contents are padded to a multiple
HEADER_BYTES = 1 << 20  # longest extended tar header that is read
FREE_BYTES = 256 << 20  # space on the disk that is left free
SMALL_BYTES = 64 << 20  # up to here the ratio is not looked at: tar headers pack very well
XZ_BYTES = 256 << 20  # memory for xz; its strongest setting takes 65 MiB


class ArchiveError(DataError):
    """An archive that is damaged, or has in it what no data set needs; says which member."""


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """How much may come out of one archive.

    Args:
        members: number of files and folders; data sets of this size are given as one file.
        member_bytes: size of one file.
        total_bytes: size of all together, with tar headers and padding.
        ratio: that size over the archive's own; looked at beyond 64 MiB. Text packs 10 times,
            a bomb 1,000 times.

    Example:
        >>> ArchiveLimits(members=2_000_000).ratio
        200.0
    """

    members: int = 500_000
    member_bytes: int = 32 << 30
    total_bytes: int = 128 << 30
    ratio: float = 200.0


class Source(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file with its content, or a folder without."""

    name: str
    content: Source | None


@dataclass(slots=True)
class Budget:
    """What has come out of the archive so far, held against the limits."""

    limits: ArchiveLimits
    archive_bytes: int
    folder: Path
    members: int = 0
    total: int = 0
    checked: int = -SMALL_BYTES

    def add_member(self) -> None:
        """Count a member."""
        self.members += 1
        if self.members > self.limits.members:
            raise ArchiveError(over(f"it has more than {self.limits.members} members", "members"))

    def add_bytes(self, count: int) -> None:
        """Count unpacked bytes, and look at the disk from time to time."""
        self.total += count
        if self.total > self.limits.total_bytes:
            what = f"it unpacks to more than {self.limits.total_bytes} bytes"
            raise ArchiveError(over(what, "total_bytes"))
        if self.total > max(SMALL_BYTES, self.limits.ratio * self.archive_bytes):
            what = f"{self.archive_bytes} bytes unpack to {self.total} and more, as a bomb does"
            raise ArchiveError(over(what, "ratio"))
        if self.total - self.checked >= SMALL_BYTES:
            self.checked = self.total
            if shutil.disk_usage(self.folder).free < FREE_BYTES:
                raise ArchiveError(
                    f"less than {FREE_BYTES >> 20} MiB are free on the disk of "
                    f"{str(self.folder.parent)!r}; make room, or extract elsewhere"
                )


def over(what: str, limit: str) -> str:
    """The sentence for a limit that is passed."""
    return f"{what}; if you trust it, raise the limit: ArchiveLimits({limit}=...)"


def short(name: str) -> str:
    """A member's name for an error message."""
    return repr(name) if len(name) <= 120 else f"{name[:117]!r}..."


@contextmanager
def _damage() -> Iterator[None]:
    """Whatever an unpacker raises inside of this context means that the archive is damaged."""
    try:
        yield
    except ArchiveError:
        raise
    except _DAMAGE as error:
        raise ArchiveError(f"it is damaged or cut short ({error}); get it again") from error


# `zipfile` lets the errors of its parts through: texts that do not decode, places before the start.
_DAMAGE = (
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)


@dataclass(slots=True)
class _Counted:
    """A stream whose bytes are counted as they are read."""

    stream: Source
    budget: Budget

    def read(self, size: int, /) -> bytes:
        with _damage():
            data = self.stream.read(size)
        self.budget.add_bytes(len(data))
        return data


def archive_members(file: IO[bytes], budget: Budget) -> Iterator[Member]:
    """The members of the archive in `file`, of the kind that its first bytes tell."""
    kind = archive_kind(file.read(BLOCK))
    file.seek(0)
    if kind == "zip":
        return _zip_members(file, budget)
    unpackers: dict[str, Callable[[IO[bytes]], Source]] = {
        "gzip": lambda packed: gzip.GzipFile(fileobj=packed),
        "bzip2": bz2.BZ2File,
        "xz": _Xz,
        "tar": lambda plain: plain,
    }
    return _tar_members(_Counted(unpackers[kind](file), budget))


def archive_kind(start: bytes) -> str:
    """What a file is by its first 512 bytes: "zip", "gzip", "bzip2", "xz" or "tar".

    Raises:
        ArchiveError: if it is none of them; says what it seems to be.
    """
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith(b"BZh"):
        return "bzip2"
    if start.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if start[257:262] == b"ustar":
        return "tar"
    raise ArchiveError(_what_else(start))


def _what_else(start: bytes) -> str:
    """What a file is that is no archive, as far as its first bytes tell."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        title = re.search(rb"<title[^>]*>([^<]*)", start, re.IGNORECASE)
        named = f", titled {title.group(1).decode(errors='replace').strip()!r}" if title else ""
        return f"it is a web page (HTML){named}; the address led to something else"
    if text.startswith(b"<"):
        return f"it is XML, perhaps an error message: {start[:100].decode(errors='replace')!r}"
    if not start:
        return "it is empty"
    return f"it is neither tar nor zip; it starts with {start[:16]!r}"


class _Xz:
    """`lzma.LZMAFile` with a limit on memory, which an xz header can otherwise drive up."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.unpack = lzma.LZMADecompressor(memlimit=XZ_BYTES)

    def read(self, size: int, /) -> bytes:
        raw = b""
        while True:
            if self.unpack.eof:
                raw = self.unpack.unused_data.lstrip(b"\0") or self.file.read(BLOCK).lstrip(b"\0")
                if not raw:
                    return b""
                self.unpack = lzma.LZMADecompressor(memlimit=XZ_BYTES)
            elif self.unpack.needs_input:
                raw = self.file.read(1 << 16)
                if not raw:
                    raise EOFError("the xz stream ends early")
            if data := self.unpack.decompress(raw, size):
                return data
            raw = b""


# -------------------------------------------------------------------------------------------- zip


def _zip_members(file: IO[bytes], budget: Budget) -> Iterator[Member]:
    with _damage():
        archive = zipfile.ZipFile(file)
    with archive:
        for info in archive.infolist():
            _check_zip_member(info)
            # `orig_filename`: in `filename` a NUL has cut the name, and backslashes may be gone.
            if info.is_dir():
                yield Member(info.orig_filename, None)
                continue
            with _damage():
                content = archive.open(info)
            with content:
                yield Member(info.orig_filename, _Counted(content, budget))


def _check_zip_member(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "link" if kind == stat.S_IFLNK else "device or the like"
        raise ArchiveError(f"the member {short(info.orig_filename)} is a {what}")
    if info.flag_bits & 0x1:
        raise ArchiveError(f"the member {short(info.orig_filename)} is encrypted")
    # The other methods of `zipfile` unpack without a limit on memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(
            f"the member {short(info.orig_filename)} is packed by method {info.compress_type}; "
            "only stored and deflated ones are read"
        )


# -------------------------------------------------------------------------------------------- tar


def _tar_members(stream: Source) -> Iterator[Member]:
    """The files and folders of a tar stream; extended headers are read, the rest is refused."""
    extra: dict[str, str] = {}  # what the extended headers say about the next member
    while True:
        block = _exactly(stream, BLOCK, "before its end mark")
        if not any(block):
            break
        info = _tar_header(block)
        if info.type == tarfile.XHDTYPE:
            extra |= _pax_records(_header_content(stream, info))
        elif info.type == tarfile.XGLTYPE:
            _check_global(_pax_records(_header_content(stream, info)))
        elif info.type == tarfile.GNUTYPE_LONGNAME:
            name = _header_content(stream, info).rstrip(b"\0")
            extra["path"] = name.decode("utf-8", "surrogateescape")
        else:
            yield from _tar_member(stream, info, extra)
            extra = {}
    while stream.read(1 << 20):
        pass  # to the end, where gzip keeps its checksum


def _tar_member(stream: Source, info: tarfile.TarInfo, extra: dict[str, str]) -> Iterator[Member]:
    name = extra.get("path", info.name)
    if info.type == tarfile.DIRTYPE:
        yield Member(name, None)
        return
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
        kinds = {b"1": "hard link", b"2": "symbolic link", b"K": "link", b"6": "pipe"}
        kind = kinds.get(info.type) or ("device" if info.type in b"34" else "special file")
        raise ArchiveError(f"the member {short(name)} is a {kind}; only files and folders are made")
    size = int(extra["size"]) if extra.get("size", "").isdecimal() else info.size
    content = _TarContent(stream, size, name)
    yield Member(name, content)
    while content.left:
        content.read(1 << 20)
    _exactly(stream, -size % BLOCK, f"in the member {short(name)}")


@dataclass(slots=True)
class _TarContent:
    """The next `left` bytes of a tar stream."""

    stream: Source
    left: int
    name: str

    def read(self, size: int, /) -> bytes:
        if not self.left:
            return b""
        data = self.stream.read(min(size, self.left))
        if not data:
            raise ArchiveError(f"it ends in the member {short(self.name)}: cut short")
        self.left -= len(data)
        return data


def _exactly(stream: Source, size: int, where: str) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise ArchiveError(f"it ends {where}: cut short, or no tar archive")
        data += more
    return data


def _tar_header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ArchiveError(
            f"a tar header is damaged, or this is no tar archive ({error})"
        ) from error
    if info.size < 0:
        raise ArchiveError(f"the member {short(info.name)} claims a negative size")
    if b"\0" in block[:100].rstrip(b"\0"):
        raise ArchiveError(f"the name of the member {short(info.name)} goes on behind a NUL")
    return info


def _header_content(stream: Source, info: tarfile.TarInfo) -> bytes:
    if info.size > HEADER_BYTES:
        raise ArchiveError(f"an extended header of {info.size} bytes is longer than any name needs")
    data = _exactly(stream, info.size, "in an extended header")
    _exactly(stream, -info.size % BLOCK, "in an extended header")
    return data


def _pax_records(data: bytes) -> dict[str, str]:
    """The records `length key=value` of an extended header."""
    records = {}
    while data:
        length = re.match(rb"(\d{1,7}) ", data)
        end = int(length.group(1)) if length else 0
        record = data[length.end() : end] if length else b""
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or not record.endswith(b"\n") or end > len(data):
            raise ArchiveError("an extended tar header is damaged")
        if key.startswith(b"GNU.sparse"):
            raise ArchiveError("it has a sparse file; only plain files are made")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[end:]
    return records


def _check_global(records: dict[str, str]) -> None:
    for key in ("path", "size"):
        if key in records:
            raise ArchiveError(f"it gives one {key!r} to all of its members")
