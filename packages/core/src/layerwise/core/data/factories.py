"""What the ready-made loaders of all domains share: what they check, and the block of a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from layerwise.core.data.block import (
    CategoryBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
)
from layerwise.core.data.filtered import FilteredBase
from layerwise.core.data.loader import loader_options
from layerwise.core.errors import DataError, refuse_unknown
from layerwise.core.items import listify

__all__: list[str] = []


def refuse_settings(
    settings: Mapping[str, Any], loaders: tuple[type, ...], *factories: Callable[..., Any]
) -> None:
    """Refuse what neither the factories nor their loaders know, naming the nearest of either.

    Args:
        settings: the keywords that a factory passes on.
        loaders: classes of the loaders that may be made.
        factories: the one that was called, and those that it calls.

    Raises:
        TypeError: names the first factory and the nearest keyword.
    """
    takers = [*factories, FilteredBase.dataloaders]
    own = {name for taker in takers for name in signature(taker).parameters}
    options = {name for loader in loaders for name in loader_options(loader)}
    known = (own | options) - {"self", "kwargs"}
    owner = getattr(factories[0], "__self__", None)  # a subclass says its own name
    called = f"{owner.__name__}." if isinstance(owner, type) else ""
    called += factories[0].__name__
    refuse_unknown(called, set(settings) - known, known)


def require_folders(path: Path, *names: str) -> None:
    """Name a folder that `path` has not; that there is no `path` is told by who looks into it.

    Raises:
        FileNotFoundError: names the folders that there are, and what else can be done.
    """
    missing = next((name for name in names if not (path / name).is_dir()), None)
    if missing is not None and path.is_dir():
        there = sorted(p.name for p in path.iterdir() if p.is_dir())
        raise FileNotFoundError(
            f"there is no folder {missing!r} in {str(path)!r}; it has "
            f"{', '.join(map(repr, there)) or 'no folders'}. Say which to take, train= and valid=, "
            "or let a random share validate, valid_pct="
        )


def block_of_label(label: Any) -> Callable[..., TransformBlock]:
    """The block for targets like `label`: numbers with a fraction, several classes, or one."""
    if isinstance(label, float):
        return RegressionBlock
    return MultiCategoryBlock if isinstance(label, list | tuple | set) else CategoryBlock


def block_of_columns(
    df: Any, label_col: Any, label_delim: str | None
) -> Callable[..., TransformBlock]:
    """The block for labels in columns of a frame: several classes where these or `label_delim` are.

    Args:
        df: a frame of pandas or polars.
        label_col: the column of the labels by name or position, or several.
        label_delim: what parts the labels of one cell.

    Raises:
        DataError: where each row has one label, and some have none.
    """
    columns = listify(label_col)
    if label_delim is not None or len(columns) > 1:
        return MultiCategoryBlock
    _require_labels(df, *columns)
    return CategoryBlock


def _require_labels(df: Any, label_col: str | int) -> None:
    """Name the rows that have no label; that there is no such column is told by who reads it.

    Args:
        df: a frame of pandas or polars.
        label_col: the column of the labels, by name or position.

    Raises:
        DataError: says how many labels are missing, and where the first are.
    """
    columns = list(df.columns)
    if isinstance(label_col, int) and label_col not in columns and label_col < len(columns):
        label_col = columns[label_col]
    if label_col not in columns:
        return
    labels = list(df[label_col])
    missing = [i for i, label in enumerate(labels) if label is None or label != label]  # nan
    if missing:
        places = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{len(missing)} of {len(labels)} rows have no label in the column {label_col!r}, the "
            f"first at position {places}; leave them out (df.dropna(subset=[{label_col!r}])) or "
            "give them one"
        )


def loaders_from(
    loaders: Any,
    data: Path,
    get_files: Callable[..., Any],
    *,
    name_re: str | None,
    label_delim: str | None,
    valid_pct: float,
    **settings: Any,
) -> Any:
    """Loaders of labelled files from wherever a command line says that they are.

    Args:
        loaders: the class with `from_csv`, `from_name_re` and `from_folder`.
        data: a table, whose first two columns are files beside it and labels; a folder of files
            whose names hold the label; or a folder with a folder for each label, below `train` and
            `valid` if there are such folders.
        get_files: finds the files below a folder.
        name_re: a regular expression whose first group is the label in a file's name.
        label_delim: what parts the labels of a file that has several, in a table.
        valid_pct: the share that validates, where no folders say which do.
        settings: for the loaders.

    Raises:
        DataError: if there is neither a file nor a folder, or a setting is of the other.
    """
    if data.is_file():
        if name_re is not None:
            raise DataError(f"{data} is a table, which has the labels; leave out name_re")
        return loaders.from_csv(
            data.parent, data.name, label_delim=label_delim, valid_pct=valid_pct, **settings
        )
    if not data.is_dir():
        raise DataError(f"there is neither a folder nor a table {str(data)!r}")
    if label_delim is not None:
        raise DataError(f"label_delim parts labels of a table, and {str(data)!r} is a folder")
    if name_re is not None:
        return loaders.from_name_re(data, get_files(data), name_re, valid_pct=valid_pct, **settings)
    is_split = (data / "train").is_dir() and (data / "valid").is_dir()
    return loaders.from_folder(data, valid_pct=None if is_split else valid_pct, **settings)
