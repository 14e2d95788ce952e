"""Data sets by their address: downloaded, checked and extracted once, then found in the cache."""

from __future__ import annotations

import glob
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from layerwise.core.data.archive import extract_archive
from layerwise.core.data.fetch import (
    DownloadError,
    check_address,
    check_file,
    fetch_file,
    file_sha256,
)
from layerwise.core.data.members import ArchiveError, ArchiveLimits, archive_kind
from layerwise.core.data.source import DataPath
from layerwise.core.data.urls import URLs
from layerwise.core.errors import LayerwiseError, MissingDependencyError, nearest
from layerwise.core.types import PathLike

__all__ = ["layerwise_cfg", "layerwise_path", "untar_data"]

_FOLDERS = ("archive", "data", "models")
_ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".txz", ".tar", ".zip")


def layerwise_cfg(base: PathLike | None = None) -> dict[str, DataPath]:
    """The folders that layerwise keeps things in: "archive", "data" and "models" below one root.

    Nothing is made by asking.

    Args:
        base: the root; by default what the environment names in `LAYERWISE_HOME`, else
            `~/.layerwise`.

    Example:
        >>> layerwise_cfg("/tmp/cache")["data"].as_posix()
        '/tmp/cache/data'
    """
    root = DataPath(base or os.environ.get("LAYERWISE_HOME") or "~/.layerwise").expanduser()
    return {name: root / name for name in _FOLDERS}


def layerwise_path(folder: str) -> DataPath:
    """One of the folders in `layerwise_cfg`: "archive", "data" or "models".

    Raises:
        ValueError: if it is none of them.

    Example:
        >>> layerwise_path("data").name
        'data'
    """
    if folder not in _FOLDERS:
        raise ValueError(
            f"there is no folder {folder!r}.{nearest(folder, _FOLDERS)} There are: "
            f"{', '.join(_FOLDERS)}"
        )
    return layerwise_cfg()[folder]


@dataclass(frozen=True)
class _Wanted:
    """What is looked for, and how it is checked."""

    url: str
    name: str  # of the archive
    sha256: str | None
    size: int | None
    allow_http: bool

    @property
    def stem(self) -> str:
        ending = next((end for end in _ENDINGS if self.name.lower().endswith(end)), "")
        return self.name[: len(self.name) - len(ending)]

    def check(self, file: Path, where: str) -> None:
        """Raise unless the file is an archive, and the one expected, if that is known."""
        check_file(file, where, sha256=self.sha256, size=self.size)
        with file.open("rb") as opened:
            try:
                archive_kind(opened.read(512))
            except ArchiveError as error:
                raise DownloadError(f"{where!r} is no archive: {error}") from error


def untar_data(
    url: str,
    archive: PathLike | None = None,
    data: PathLike | None = None,
    force_download: bool = False,
    base: PathLike | None = None,
    sha256: str | None = None,
    size: int | None = None,
    *,
    limits: ArchiveLimits | None = None,
    allow_http: bool = False,
) -> DataPath:
    """The folder with the data of the archive at `url`, from the nearest place that has it.

    Looked through in turn: the folder itself and the archive in the cache; the mirror that the
    environment names in `LAYERWISE_MIRROR`, a folder or an https address that has archives under
    the last part of their address; the address itself. Two processes may ask at once.

    Args:
        url: an https address, such as one of `URLs`.
        archive: folder for archives; by default "archive" of `layerwise_cfg`.
        data: folder for extracted data; by default "data" of `layerwise_cfg`.
        force_download: get and extract it again, in place of what is there.
        base: root of the cache, in place of the one in `layerwise_cfg`.
        sha256: expected sum of the archive; without, it is not checked.
        size: expected bytes of the archive.
        limits: how much may come out of the archive.
        allow_http: fetch from http addresses, too: for servers on this machine, in tests.

    Raises:
        DownloadError: if no place has the archive, or it is another one than expected.
        ArchiveError: if it is damaged or unsafe.
        MissingDependencyError: if it has to be downloaded and pooch is not there.

    Example:
        >>> with tempfile.TemporaryDirectory() as base:
        ...     Path(base, "digits", "train").mkdir(parents=True)
        ...     _ = shutil.make_archive(f"{base}/archive/digits", "zip", base, "digits")
        ...     untar_data("https://example.com/digits.zip", base=base).ls().attrgot("name")
        (#1) ['train']
    """
    wanted = _Wanted(url, _archive_name(url, allow_http=allow_http), sha256, size, allow_http)
    folders = layerwise_cfg(base)
    archives, target = Path(archive or folders["archive"]), DataPath(data or folders["data"])
    target = target.expanduser() / wanted.stem
    archives = archives.expanduser()
    if not force_download:
        _check_record(archives, wanted)
        if target.is_dir():  # nothing is written then: the cache may be read-only
            return target
    archives.mkdir(parents=True, exist_ok=True)
    with _locked(archives / f".{wanted.name}.lock"):
        if force_download or not target.is_dir():
            _remove_leftovers(archives, wanted.name)
            _remove_leftovers(target.parent, wanted.stem)
            source = _archive_file(archives, wanted, force=force_download)
            _extract(source, target, limits)
            _write_record(archives, wanted, source)
    return target


def _archive_name(url: str, *, allow_http: bool) -> str:
    if "://" not in str(url):
        known = [name for name in vars(URLs) if not name.startswith("_")]
        raise ValueError(
            f"{url!r} is no address; give https://..., or one of URLs.{nearest(str(url), known)}"
        )
    check_address(url, allow_http=allow_http)
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if not name or name.startswith(".") or "\\" in name or not name.isprintable():
        raise ValueError(f"the address {url!r} does not end in the name of an archive")
    return name


# -------------------------------------------------------------------------- where the archive is


def _archive_file(archives: Path, wanted: _Wanted, *, force: bool) -> Path:
    """The archive, checked: in the cache, in a mirror that is a folder, or downloaded."""
    cached = archives / wanted.name
    looked: list[str] = [f"cache: no {str(cached)!r}"]
    if cached.is_file() and not force:
        try:
            wanted.check(cached, str(cached))
            return cached
        except LayerwiseError as error:
            looked = [f"cache: {error}"]
    mirror = os.environ.get("LAYERWISE_MIRROR", "")
    found = _from_mirror(mirror, cached, wanted, looked)
    if found is not None:
        return found
    try:
        _fetch(wanted.url, cached, wanted)
    except LayerwiseError as error:
        looked.append(f"address: {error}")
        kind = MissingDependencyError if isinstance(error, ImportError) else DownloadError
        raise kind(_not_found(wanted, looked)) from error
    return cached


def _from_mirror(mirror: str, cached: Path, wanted: _Wanted, looked: list[str]) -> Path | None:
    """The archive from the mirror; what was not found is added to `looked`."""
    if not mirror:
        looked.append("mirror: LAYERWISE_MIRROR is not set")
        return None
    for name in dict.fromkeys([wanted.name, f"{wanted.stem}.tgz"]):
        try:
            if "://" in mirror:
                _fetch(f"{mirror.rstrip('/')}/{name}", cached, wanted)
                return cached
            file = Path(mirror).expanduser() / name
            if file.is_file():
                wanted.check(file, str(file))
                return file
            looked.append(f"mirror: no {str(file)!r}")
        except LayerwiseError as error:
            looked.append(f"mirror: {error}")
    return None


def _fetch(url: str, cached: Path, wanted: _Wanted) -> None:
    fetch_file(
        url, cached, check=lambda part: wanted.check(part, url), allow_http=wanted.allow_http
    )


def _not_found(wanted: _Wanted, looked: list[str]) -> str:
    places = "".join(f"\n  - {place}" for place in looked)
    return (
        f"the archive {wanted.name!r} was not found in any of three places:{places}\n"
        "Without a way to the network, set LAYERWISE_MIRROR to a folder that has it (or to an "
        "https address), or put it into the cache by hand."
    )


# ------------------------------------------------------------------------- what is in the cache


def _extract(source: Path, target: Path, limits: ArchiveLimits | None) -> None:
    """Extract beside `target` and move it there, in place of what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}~") as aside:
        fresh = extract_archive(source, Path(aside) / "new", limits=limits)
        if target.exists():
            target.rename(Path(aside) / "old")
        fresh.rename(target)


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove what processes that were killed have left; we hold the lock, so none is at work."""
    for path in folder.glob(f".{glob.escape(name)}~????????"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _record_file(archives: Path, wanted: _Wanted) -> Path:
    return archives / f".{wanted.name}.json"


def _write_record(archives: Path, wanted: _Wanted, source: Path) -> None:
    """Note which archive the data came from: two addresses may end in the same name."""
    record = {"url": wanted.url, "sha256": file_sha256(source), "size": source.stat().st_size}
    file = _record_file(archives, wanted)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(record), encoding="utf-8")
    part.replace(file)


def _check_record(archives: Path, wanted: _Wanted) -> None:
    """Raise if the cache has data of this name that came from elsewhere, or of another sum."""
    file = _record_file(archives, wanted)
    if not file.is_file():
        return
    record = json.loads(file.read_text(encoding="utf-8"))
    again = "give force_download=True to replace it, or data= and archive= to keep both"
    if record.get("url") != wanted.url:
        raise DownloadError(
            f"{wanted.name!r} in the cache came from {record.get('url')!r}, not {wanted.url!r}; "
            f"{again}"
        )
    if wanted.sha256 is not None and record.get("sha256") != wanted.sha256.lower():
        raise DownloadError(
            f"{wanted.name!r} in the cache has the SHA-256 {record.get('sha256')}, expected is "
            f"{wanted.sha256.lower()}; {again}"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time is inside; the system frees the lock of one that dies."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
