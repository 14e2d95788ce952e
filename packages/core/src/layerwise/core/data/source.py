"""Where items come from: the files below a folder, listed fast and always in the same order."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from layerwise.core.errors import nearest
from layerwise.core.items import L, listify
from layerwise.core.types import PathLike

__all__ = [
    "DataPath",
    "FileGetter",
    "ImageGetter",
    "get_files",
    "get_image_files",
    "get_text_files",
    "image_extensions",
]

P = TypeVar("P", bound=Path)


def _endings(names: str) -> frozenset[str]:
    return frozenset("." + name for name in names.split())


# Written out, since `mimetypes` reads files of the system and so differs from machine to machine.
image_extensions: frozenset[str] = _endings("""
    3ds apng art avif avifs bmp btif cgm cmx cr2 crw cur djv djvu dpx dwg dxf emf
    erf exr fbs fh fh4 fh5 fh7 fhc fits fpx fst g3 gif hdr heic heics heif heifs
    hif ico ief j2c j2k jfif jng jp2 jpe jpeg jpf jpg jpg2 jpgm jph jpm jpx jxl
    jxr jxs jxss ktx ktx2 mdi mmr nef npx orf pbm pct pcx pgm pic pict pjpeg pjpg
    png pnm ppm psd qoi ras rgb rlc sgi sid sub svg svgz t38 tfx tga tif tiff uvg
    uvi uvvg uvvi wbmp wdp webp wmf xbm xif xpm xwd
""")
"""Endings of image files, after the registry of media types and common use."""

_EXTENSIONS_OF: dict[str, frozenset[str]] = {
    "audio": _endings(
        "aac aif aifc aiff amr au flac m4a mid midi mka mp2 mp3 oga ogg opus ra snd wav weba wma"
    ),
    "image": image_extensions,
    "text": _endings(
        "bat c css csv h htm html ini log markdown md n3 py rst rtf sgm sgml tab tsv txt vcf xml "
        "yaml yml"
    ),
    "video": _endings("3gp avi flv m4v mkv mov mp4 mpeg mpg ogv qt ts webm wmv"),
}

# On Python 3.11 only the class of this system (PosixPath or WindowsPath) can be subclassed.
if TYPE_CHECKING:
    _SystemPath = Path
else:
    _SystemPath = type(Path())


class DataPath(_SystemPath):
    """A `Path` that lists itself: what `untar_data` returns.

    Whatever a path makes of itself (`path / "train"`, `path.parent`, `path.glob("*")`) is again a
    `DataPath`.
    """

    __slots__ = ()

    def ls(
        self,
        n_max: int | None = None,
        file_type: str | None = None,
        file_exts: str | Iterable[str] | None = None,
    ) -> L[DataPath]:
        """The entries of this folder, sorted by name.

        Args:
            n_max: at most so many; by default all.
            file_type: only files of this kind: "audio", "image", "text" or "video", by their name.
            file_exts: only files that end so, such as ".csv"; added to those of `file_type`.

        Raises:
            ValueError: if `file_type` is not one of the four.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     DataPath(folder, "a.csv").touch()
            ...     DataPath(folder, "b.png").touch()
            ...     DataPath(folder).ls(file_type="image").attrgot("name")
            (#1) ['b.png']
        """
        if file_type is not None and file_type not in _EXTENSIONS_OF:
            raise ValueError(
                f"file_type={file_type!r} is not known.{nearest(file_type, _EXTENSIONS_OF)} "
                f"Known are {', '.join(_EXTENSIONS_OF)}; other files are chosen with file_exts"
            )
        wanted = [*_EXTENSIONS_OF.get(file_type or "", ()), *listify(file_exts)]
        matches = _name_test(wanted if file_type or file_exts else None)
        names = sorted(name for name in os.listdir(self) if matches(name))  # noqa: PTH208 - names
        return L(self / name for name in names[:n_max])


def _name_test(extensions: Iterable[str] | None) -> Callable[[str], bool]:
    """A function that says whether a file name has one of the extensions (any name for None)."""
    if extensions is None:
        return lambda _name: True
    wanted = {"." + str(end).lower().removeprefix(".") for end in listify(extensions)}
    single = {end for end in wanted if end.count(".") == 1}
    several = tuple(wanted - single)  # such as .tar.gz

    def matches(name: str) -> bool:
        stem, dot, end = name.lower().rpartition(".")
        return bool(stem) and (dot + end in single or name.lower().endswith(several))

    return matches


def get_files(
    path: PathLike,
    extensions: str | Iterable[str] | None = None,
    recurse: bool = True,
    folders: str | Iterable[str] | None = None,
    followlinks: bool = True,
) -> L[Path]:
    """All files below `path`, sorted as paths are, hidden ones and hidden folders left out.

    Args:
        path: the folder to look in; the paths that come back are of its class.
        extensions: keep files that end so, in whatever case: ".csv", {".png", ".jpg"}, ".tar.gz".
        recurse: look into the folders below, too.
        folders: of the folders directly below `path`, look into these alone. The files of `path`
            itself are then left out, unless "." is among the folders.
        followlinks: look into folders that are symbolic links. A link to a folder that it lies in
            is never followed.

    Raises:
        FileNotFoundError: if there is no folder `path`, or none of `folders` in it.
        NotADirectoryError: if `path` is a file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ["b.txt", "a.txt", "c.png"]:
        ...         Path(folder, name).touch()
        ...     get_files(folder, extensions=".txt").attrgot("name")
        (#2) ['a.txt', 'b.txt']
    """
    root = path if isinstance(path, Path) else Path(path)
    chosen = listify(folders)
    _check_folders(root, chosen)
    search = _Search(_name_test(extensions), recurse, followlinks, frozenset(chosen))
    found: list[str] = []
    search.collect(os.fspath(root), (), found)
    # The class itself, called with one string, is the cheapest of the ways to make a path.
    return L(map(type(root), found))


def _check_folders(root: Path, folders: list[str]) -> None:
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {str(root)!r} to take files from")
    if not root.is_dir():
        raise NotADirectoryError(f"{str(root)!r} is a file; give the folder that it lies in")
    if folders and not any((root / name).is_dir() for name in folders):
        there = sorted(p.name for p in root.iterdir() if p.is_dir())
        raise FileNotFoundError(
            f"none of the folders {', '.join(map(repr, folders))} is in {str(root)!r}; "
            f"it has {', '.join(map(repr, there)) or 'no folders'}"
        )


@dataclass(frozen=True, slots=True)
class _Search:
    """What `get_files` looks for; `folders` concerns the first level alone."""

    matches: Callable[[str], bool]
    recurse: bool
    followlinks: bool
    folders: frozenset[str]

    def collect(self, folder: str, above: tuple[tuple[int, int], ...], found: list[str]) -> None:
        """Append the files below `folder` to `found`; `above` identifies the folders it lies in."""
        status = os.stat(folder)  # noqa: PTH116 - a Path per folder would cost more than the stat
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return  # a link back to where we came from
        files_too = bool(above) or not self.folders or "." in self.folders
        inside: dict[str, bool] = {}  # names to keep; whether each is a folder
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir():
                    if name[0] != "." and self._enters(entry, is_first=not above):
                        inside[name] = True
                elif files_too and name[0] != "." and self.matches(name):
                    inside[name] = False
        start = os.path.join(folder, "")  # noqa: PTH118 - text, as above
        for name in sorted(inside):
            if inside[name]:
                self.collect(start + name, (*above, identity), found)
            else:
                found.append(start + name)

    def _enters(self, entry: os.DirEntry[str], *, is_first: bool) -> bool:
        if is_first and self.folders and entry.name not in self.folders:
            return False
        return self.recurse and (self.followlinks or not entry.is_symlink())


@dataclass(frozen=True)
class FileGetter:
    """`get_files` of the folder `suffix` below the path that is given.

    Args:
        suffix: folder below the path; by default the path itself.
        extensions: as in `get_files`.
        recurse: as in `get_files`.
        folders: as in `get_files`.

    Example:
        >>> FileGetter("images", extensions=".png")
        FileGetter(suffix='images', extensions='.png', recurse=True, folders=None)
    """

    suffix: str = ""
    extensions: str | Collection[str] | None = None
    recurse: bool = True
    folders: str | Collection[str] | None = None

    def __call__(self, path: PathLike) -> L[Path]:
        """The files, as `Path`s."""
        return get_files(_as_path(path) / self.suffix, self.extensions, self.recurse, self.folders)


def get_image_files(
    path: PathLike, recurse: bool = True, folders: str | Iterable[str] | None = None
) -> L[Path]:
    """The image files below `path`, sorted; see `get_files`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "cat.JPG").touch()
        ...     get_image_files(folder).attrgot("name")
        (#1) ['cat.JPG']
    """
    return get_files(path, image_extensions, recurse, folders)


@dataclass(frozen=True)
class ImageGetter:
    """`get_image_files` of the folder `suffix` below the path that is given.

    Args:
        suffix: folder below the path; by default the path itself.
        recurse: as in `get_files`.
        folders: as in `get_files`.
    """

    suffix: str = ""
    recurse: bool = True
    folders: str | Collection[str] | None = None

    def __call__(self, path: PathLike) -> L[Path]:
        """The files, as `Path`s."""
        return get_image_files(_as_path(path) / self.suffix, self.recurse, self.folders)


def get_text_files(
    path: PathLike, recurse: bool = True, folders: str | Iterable[str] | None = None
) -> L[Path]:
    """The `.txt` files below `path`, sorted; see `get_files`."""
    return get_files(path, ".txt", recurse, folders)


def _as_path(path: Any) -> Path:
    return path if isinstance(path, Path) else Path(path)
