"""Copies of a folder of pictures, none larger than needed: what is decoded in every epoch is small.

A JPEG is decoded at the scale that is enough. A file is written whole or not at all, so that a run
that was stopped can be resumed.
"""

import io
from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from PIL import Image

from layerwise.core.data.source import get_image_files
from layerwise.core.errors import BadItemError, refuse_unknown
from layerwise.core.files.atomic import write_whole
from layerwise.core.items import L
from layerwise.core.types import PathLike
from layerwise.vision.io import ImageSource
from layerwise.vision.tools.files import put_whole
from layerwise.vision.tools.report import FilesReport
from layerwise.vision.tools.threads import core_count, in_threads

__all__ = ["resize_image", "resize_images", "resize_to"]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

_SAVE_OPTIONS = (
    "compress_level", "lossless", "method", "optimize", "progressive", "quality", "subsampling",
)  # fmt: skip


def resize_to(img: Any, targ_sz: int, use_min: bool = False) -> tuple[int, int]:
    """Width and height of `img` in proportion when its longer side is brought to `targ_sz`.

    Args:
        img: a picture, or anything with a `size` of width and height.
        targ_sz: pixels.
        use_min: bring the shorter side to it.

    Example:
        >>> resize_to(Image.new("L", (400, 300)), 200)
        (200, 150)
    """
    return _scaled(img.size, targ_sz, longer=not use_min)


def resize_image(
    file: PathLike,
    dest: PathLike,
    src: PathLike = ".",
    max_size: int | None = None,
    n_channels: int = 3,
    ext: str | None = None,
    img_format: str | None = None,
    resample: int = Image.Resampling.BILINEAR,
    resume: bool = False,
    **kwargs: Any,
) -> Path | None:
    """The file written in `dest` for the picture `src / file`; None where nothing had to be done.

    Args:
        file: path in `src`, and in `dest`.
        dest: folder for the result.
        src: folder of the picture.
        max_size: the longer side has so many pixels at most; no limit when None.
        n_channels: 3 for colours, 1 for greys, 4 for colours and transparency.
        ext: ending of the result, such as ".png", in place of its own.
        img_format: format of the result, by the name that Pillow has for it; that of its ending
            when None.
        resample: filter of Pillow.
        resume: leave what is in `dest` already.
        kwargs: settings of Pillow for what is written, for example `quality`.

    Raises:
        BadItemError: if the file is no picture, or a broken one.
        FileNotFoundError: if it is not there.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("L", (40, 20)).save(f"{folder}/a.png")
        ...     made = resize_image("a.png", f"{folder}/small", folder, max_size=10, ext=".jpg")
        ...     made.name, ImageSource(made).size
        ('a.jpg', (10, 5))
    """
    _refuse_unknown(resize_image, kwargs)
    source, target = Path(src) / file, _target(file, dest, ext)
    if resume and target.exists() and target.stat().st_size and not _same(source, target):
        return None
    mode, picture = _mode_of(n_channels), ImageSource(source)
    size = picture.full_size
    if max_size is not None and max(size) > max_size:
        size = _scaled(size, max_size, longer=True)
    same_kind = img_format is None and ext in (None, source.suffix) and picture.mode == mode
    if same_kind and size == picture.full_size:
        return _copied(picture, source, target)
    # Twice the pixels that are needed are enough for any filter.
    image = picture.drafted(2 * size[0], 2 * size[1]).decode(mode)
    if image.size != size:
        image = image.resize(size, resample, reducing_gap=3.0)
    data = _encoded(image, target, img_format, kwargs)
    if target.exists():
        write_whole(target, [data])  # in place of what may be the only copy
    else:
        put_whole(target, data)
    return target


def resize_images(
    path: PathLike,
    max_workers: int | None = None,
    max_size: int | None = None,
    recurse: bool = False,
    dest: PathLike = ".",
    n_channels: int = 3,
    ext: str | None = None,
    img_format: str | None = None,
    resample: int = Image.Resampling.BILINEAR,
    resume: bool = False,
    **kwargs: Any,
) -> FilesReport:
    """All pictures of a folder as `resize_image` makes them; what could not be made is reported.

    Each picture is found in `dest` where it was in `path`. Where both are one folder, pictures that
    need no change are left alone and the others replaced.

    Args:
        path: folder of the pictures.
        max_workers: threads; one for each core when None.
        max_size: the longer side has so many pixels at most; no limit when None.
        recurse: the folders below as well; `dest` itself is left out if it is one of them.
        dest: folder for the results.
        n_channels: see `resize_image`, as are all that follow.
        ext: ending of the results.
        img_format: format of the results.
        resample: filter of Pillow.
        resume: leave what is in `dest` already.
        kwargs: settings of Pillow for what is written, for example `quality`.

    Raises:
        ValueError: if two pictures would be written as one, for example `a.png` and `a.jpg` with
            `ext=".jpg"`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("RGB", (40, 20)).save(f"{folder}/a.png")
        ...     resize_images(folder, max_size=10, dest=f"{folder}/small")
        1 done, 0 kept, 0 failed
    """
    _refuse_unknown(resize_images, kwargs)
    _mode_of(n_channels)
    files = _pictures(Path(path), Path(dest), recurse=recurse)
    _check_targets(files, dest, ext)
    one = partial(
        _attempt, dest=dest, src=path, max_size=max_size, n_channels=n_channels, ext=ext,
        img_format=img_format, resample=resample, resume=resume, **kwargs,
    )  # fmt: skip
    made: list[Path | str | None] = [None] * len(files)
    for i, result in in_threads(one, files, core_count(max_workers, "max_workers"), "resize"):
        made[i] = result
    report = FilesReport(
        done=L([each for each in made if isinstance(each, Path)]),
        kept=L([_target(f, dest, ext) for f, each in zip(files, made, strict=True) if not each]),
        failed={str(f): e for f, e in zip(files, made, strict=True) if isinstance(e, str)},
    )
    report.warn("resized")
    return report


def _refuse_unknown(function: Callable[..., Any], options: dict[str, Any]) -> None:
    known = {*signature(function).parameters, *_SAVE_OPTIONS} - {"kwargs"}
    refuse_unknown(function.__name__, set(options) - known, known)


def _attempt(file: Path, **settings: Any) -> Path | str | None:
    """What `resize_image` returns, or why it failed."""
    try:
        return resize_image(file, **settings)
    except (BadItemError, OSError) as error:
        return str(error)


def _pictures(path: Path, dest: Path, *, recurse: bool) -> list[Path]:
    """The pictures below `path`, as paths in it."""
    start, result = path.resolve(), dest.resolve()
    inside = result != start and result.is_relative_to(start)
    files = get_image_files(path, recurse=recurse)
    if inside:
        files = files.filter(lambda file: not file.resolve().is_relative_to(result))
    return [file.relative_to(path) for file in files]


def _check_targets(files: Sequence[Path], dest: PathLike, ext: str | None) -> None:
    seen: dict[Path, Path] = {}
    for file in files:
        other = seen.setdefault(_target(file, dest, ext), file)
        if other != file:
            raise ValueError(
                f"{other} and {file} would both be written as {_target(file, dest, ext)}; rename "
                "one of them, or leave ext= out"
            )


def _target(file: PathLike, dest: PathLike, ext: str | None) -> Path:
    target = Path(dest) / file
    return target if ext is None else target.with_suffix(ext if ext[:1] == "." else f".{ext}")


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def _mode_of(n_channels: int) -> str:
    if n_channels not in _MODES:
        raise ValueError(f"n_channels={n_channels}; give 1 (greys), 3 (colours) or 4 (with alpha)")
    return _MODES[n_channels]


def _scaled(size: tuple[int, int], to: int, *, longer: bool) -> tuple[int, int]:
    if to < 1:
        raise ValueError(f"a picture cannot have {to} pixels a side; give 1 or more")
    ratio = to / (max if longer else min)(size)
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _copied(picture: ImageSource, source: Path, target: Path) -> Path | None:
    """The file as it is, if it can be read to its end; None if it is there already."""
    picture.decode()
    if _same(source, target):
        return None
    put_whole(target, picture.data)
    return target


def _encoded(
    image: Image.Image, target: Path, img_format: str | None, options: dict[str, Any]
) -> bytes:
    kind = img_format or Image.registered_extensions().get(target.suffix.lower())
    if kind is None:
        raise ValueError(
            f"no format that Pillow writes ends in {target.suffix!r}; give img_format="
        )
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
