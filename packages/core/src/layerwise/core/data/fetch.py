"""One file from one https address, under its name only when it is whole and what was expected."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from layerwise.core.errors import LayerwiseError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

__all__ = ["DownloadError"]

CHUNK = 1 << 16  # bytes written at once
TIMEOUT = 60  # seconds without a byte


class DownloadError(LayerwiseError, OSError):
    """A file could not be had, or is not the one that was expected."""


def check_address(url: str, *, allow_http: bool = False) -> None:
    """Raise unless `url` is an https address (or http, where that is allowed)."""
    scheme = urlsplit(url).scheme
    if scheme not in (("https", "http") if allow_http else ("https",)):
        raise DownloadError(f"{url!r} is not fetched: only https addresses are, not {scheme!r}")


def fetch_file(
    url: str, target: Path, *, check: Callable[[Path], None], allow_http: bool = False
) -> None:
    """Download `url` to `target`, which appears (or is replaced) at once if `check` is content.

    Raises:
        DownloadError: if the address is none for us, leads to one by a redirect, does not answer,
            or stops early.
        MissingDependencyError: if pooch is not there.
    """
    check_address(url, allow_http=allow_http)
    answers: list[Response] = []
    downloader = _downloader(url, answers, allow_http=allow_http)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp("", f".{target.name}~", target.parent)
    os.close(handle)
    part = Path(name)
    try:
        downloader(url, name, None)
        check(part)
        part.chmod(0o644)  # temporary files are for their owner alone
        part.replace(target)
    except LayerwiseError:
        raise
    except OSError as error:  # all errors of requests are OSErrors
        raise DownloadError(f"{url!r} could not be downloaded: {error}") from error
    finally:
        for answer in answers:  # pooch leaves an answer open that it does not read to its end
            answer.close()
        part.unlink(missing_ok=True)


def _downloader(
    url: str, answers: list[Response], *, allow_http: bool
) -> Callable[[str, str, Any], object]:
    """The downloader of pooch; it refuses redirects that leave https and notes all `answers`."""
    try:
        import pooch
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "pooch", needed_for="downloads", install="layerwise-core[download]"
        ) from error

    def check_redirect(response: Response, **_settings: object) -> None:
        answers.append(response)
        if response.is_redirect:
            to = urljoin(response.url, response.headers["location"])
            try:
                check_address(to, allow_http=allow_http)
            except DownloadError as error:
                raise DownloadError(f"{url!r} redirects elsewhere: {error}") from error

    made: Callable[[str, str, Any], object] = pooch.HTTPDownloader(
        progressbar=True, chunk_size=CHUNK, timeout=TIMEOUT, hooks={"response": check_redirect}
    )
    return made


def file_sha256(path: Path) -> str:
    """The SHA-256 sum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, where: str, *, sha256: str | None, size: int | None) -> None:
    """Raise unless the file has the size and the sum that are expected, where they are."""
    found = path.stat().st_size
    if size is not None and found != size:
        raise DownloadError(f"{where!r} has {found} bytes, not the {size} expected")
    if sha256 is not None and (is_sum := file_sha256(path)) != sha256.lower():
        raise DownloadError(
            f"{where!r} is not the file expected: its SHA-256 is {is_sum}, expected is "
            f"{sha256.lower()}"
        )
