"""Pictures fetched from many addresses at once, each decoded before it becomes a file."""

import io
import threading
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from PIL import Image

from layerwise.core.data.fetch import DownloadError, check_address
from layerwise.core.errors import BadItemError, MissingDependencyError
from layerwise.core.items import L
from layerwise.core.types import PathLike
from layerwise.vision.io import ImageSource
from layerwise.vision.tools.files import put_whole
from layerwise.vision.tools.report import FilesReport
from layerwise.vision.tools.threads import core_count, in_threads

if TYPE_CHECKING:
    from requests import Response

__all__ = ["download_images"]

_CHUNK = 1 << 16  # bytes read at once
_PATIENCE = 15  # a whole file may take so many times what a single answer may


def download_images(
    dest: PathLike,
    url_file: PathLike | None = None,
    urls: Iterable[str] | None = None,
    max_pics: int = 1000,
    n_workers: int = 8,
    timeout: float = 4,
    preserve_filename: bool = False,
    *,
    max_bytes: int = 1 << 25,
    allow_http: bool = False,
) -> FilesReport:
    """Fetch the pictures at many addresses into a folder; what could not be had is reported.

    A file appears in the folder when all of it has come and it was decoded to its end. Nothing
    there is replaced: numbers go on where those in the folder end.

    Args:
        dest: the folder; it is made.
        url_file: a text file with an address in each line, in place of `urls`.
        urls: the addresses; one that comes twice is fetched once.
        max_pics: only so many of them, from the first on.
        n_workers: how many are fetched at a time.
        timeout: seconds without a byte after which one is given up; a whole file may take 15 times
            as long.
        preserve_filename: name files as their addresses end; otherwise they are numbered.
        max_bytes: a larger file is refused; 32 MiB is more than cameras write as JPEG.
        allow_http: fetch from http addresses, too.

    Raises:
        ValueError: if neither `url_file` nor `urls` is given, or both.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     download_images(folder, urls=[])
        0 done, 0 kept, 0 failed
    """
    addresses = _addresses(url_file, urls)[:max_pics]
    folder = Path(dest)
    folder.mkdir(parents=True, exist_ok=True)
    store = _Store(folder, preserve_filename)
    fetch = partial(
        _fetch, store=store, timeout=timeout, max_bytes=max_bytes, allow_http=allow_http
    )
    made: list[Path | str] = [""] * len(addresses)
    jobs = list(enumerate(addresses))
    for i, result in in_threads(fetch, jobs, core_count(n_workers), "download"):
        made[i] = result
    report = FilesReport(
        done=L([each for each in made if isinstance(each, Path)]),
        failed={u: e for u, e in zip(addresses, made, strict=True) if isinstance(e, str)},
    )
    report.warn("downloaded")
    return report


def _addresses(url_file: PathLike | None, urls: Iterable[str] | None) -> list[str]:
    if (url_file is None) == (urls is None):
        raise ValueError("give either url_file=, a file with an address in each line, or urls=")
    if isinstance(urls, str):
        raise TypeError(f"urls={urls!r} is one address; give a list of them")
    lines = Path(url_file).read_text("utf-8").splitlines() if url_file is not None else urls
    found = [str(line).strip() for line in lines or ()]
    return list(dict.fromkeys(line for line in found if line))


class _Store:
    """The folder that pictures go to: names that are free, also with several threads at work."""

    def __init__(self, folder: Path, preserve: bool) -> None:
        self.folder, self.preserve = folder, preserve
        numbers = [int(p.stem) for p in folder.iterdir() if p.stem.isascii() and p.stem.isdigit()]
        self.start = max(numbers, default=-1) + 1
        self._lock = threading.Lock()

    def add(self, number: int, url: str, data: bytes, kind: str) -> Path:
        stem, ending = f"{self.start + number:08d}", _ending(kind)
        if self.preserve:
            stem, ending = _own_name(url, ending) or (stem, ending)
        with self._lock:
            target, count = self.folder / f"{stem}{ending}", 0
            while target.exists():
                count += 1
                target = self.folder / f"{stem}_{count}{ending}"
            put_whole(target, data)
        return target


def _ending(kind: str) -> str:
    """How the name of a file of that format ends."""
    usual = {"JPEG": ".jpg", "TIFF": ".tif", "MPO": ".jpg"}
    endings = (end for end, each in Image.registered_extensions().items() if each == kind)
    return usual.get(kind) or next(endings, f".{kind.lower()}")


def _own_name(url: str, ending: str) -> tuple[str, str] | None:
    """Stem and ending of the name in an address, if it is one for a file here."""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    safe = "".join(c if c.isalnum() or c in "-_.() " else "_" for c in name).strip(". ")[:60]
    if not safe:
        return None
    path = Path(safe)
    known = Image.registered_extensions()
    # An ending that tells the truth is kept as it is written.
    if known.get(path.suffix.lower()) == known.get(ending):
        return path.stem, path.suffix
    return (path.stem if path.suffix.lower() in known else safe), ending


def _fetch(
    job: tuple[int, str], store: _Store, timeout: float, max_bytes: int, allow_http: bool
) -> Path | str:
    """The file of one address, or why there is none."""
    number, url = job
    try:
        check_address(url, allow_http=allow_http)
        data = _read(url, timeout, max_bytes, allow_http=allow_http)
        return store.add(number, url, data, _format_of(data))
    except MissingDependencyError:
        raise
    except (BadItemError, OSError, ValueError) as error:  # those of requests are OSErrors
        return str(error) or type(error).__name__


def _format_of(data: bytes) -> str:
    """The format of a picture that is whole."""
    ImageSource(data).decode()
    with Image.open(io.BytesIO(data)) as image:
        return image.format or ""


def _read(url: str, timeout: float, max_bytes: int, *, allow_http: bool) -> bytes:
    try:
        import requests
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "requests", needed_for="downloads", install="layerwise-core[download]"
        ) from error

    def check_redirect(answer: "Response", **_settings: object) -> None:
        if answer.is_redirect:
            check_address(urljoin(answer.url, answer.headers["location"]), allow_http=allow_http)

    end = time.monotonic() + _PATIENCE * timeout
    headers = {"User-Agent": "layerwise", "Accept": "image/*"}
    with requests.get(
        url, timeout=timeout, stream=True, headers=headers, hooks={"response": check_redirect}
    ) as answer:
        answer.raise_for_status()
        return _body(answer.iter_content(_CHUNK), end, max_bytes)


def _body(chunks: Iterable[Any], end: float, max_bytes: int) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > max_bytes:
            raise DownloadError(f"the file has more than {max_bytes} bytes, see max_bytes=")
        if time.monotonic() > end:
            raise DownloadError("the file comes too slowly, see timeout=")
    return bytes(data)
