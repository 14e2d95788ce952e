"""Tables of ratings, read strictly: what is wrong is told with file, column and line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from layerwise.collab.ids import BadRowError, plain
from layerwise.core.data.csv_check import check_csv
from layerwise.core.errors import DataError, nearest
from layerwise.core.types import PathLike

__all__ = ["read_ratings"]


def read_ratings(
    path: PathLike,
    delimiter: str = ",",
    names: list[str] | None = None,
    encoding: str = "utf-8",
    na_values: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    r"""The table in a file of separated values.

    Args:
        path: the file.
        delimiter: what parts the columns.
        names: of the columns, for a file that does not begin with them.
        encoding: of the text; "latin-1" for older files.
        na_values: a text, or several, that stand for a missing value, such as "?"; besides those
            that pandas knows.

    Raises:
        DataError: for a file that is empty, is not in that encoding, or has a line with another
            number of fields; names the file, and the line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "ratings.csv"
        ...     _ = file.write_text("user,film,rating\n7,Alien,4.5\n")
        ...     read_ratings(file).to_dict("records")
        [{'user': 7, 'film': 'Alien', 'rating': 4.5}]
    """
    if names is None:
        check_csv(Path(path), delimiter, encoding)
    else:
        _check_unnamed(Path(path), delimiter, len(names), encoding)
    return pd.read_csv(
        path, delimiter=delimiter, names=names, encoding=encoding, na_values=na_values,
        low_memory=False,
    )  # fmt: skip


def _check_unnamed(path: Path, delimiter: str, columns: int, encoding: str) -> None:
    """Nothing, if each line has a field for each column."""
    with path.open(newline="", encoding=encoding) as file:
        reader = csv.reader(file, delimiter=delimiter)
        for fields in reader:
            if fields and len(fields) != columns:
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields for {columns} names; "
                    "name each column, and say what parts them with delimiter="
                )


def line_of(path: PathLike, row: int, delimiter: str, has_names: bool, encoding: str) -> int:
    """The line of a file that the row at position `row` ends on, as pandas counts rows."""
    with Path(path).open(newline="", encoding=encoding) as file:
        reader = csv.reader(file, delimiter=delimiter)
        filled = (reader.line_num for fields in reader if fields)
        return next(line for i, line in enumerate(filled) if i == row + has_names)


@contextmanager
def rows_placed(place: Callable[[int], str]) -> Iterator[None]:
    """Within this context, an error about a row becomes one that says where the row is.

    Args:
        place: from the position of a row to words.

    Example:
        >>> with rows_placed(lambda row: f"ratings.csv, line {row + 2}"):
        ...     raise BadRowError(3, "column 'rating' is empty")
        Traceback (most recent call last):
        ...
        layerwise.core.errors.DataError: ratings.csv, line 5: column 'rating' is empty
    """
    try:
        yield
    except BadRowError as error:
        raise DataError(f"{place(error.row)}: {error}") from error


def chosen_columns(df: Any, names: Sequence[str | None], told: str = "the frame") -> list[str]:
    """The names of the columns for user, item and so on: as given, else by their places.

    Args:
        df: the frame.
        names: what was asked for; None: the column at that place.
        told: what the frame is, for messages.

    Raises:
        TypeError: if `df` is no frame.
        DataError: for a frame without rows or with two columns of one name, and a column that is
            missing; names the nearest.

    Example:
        >>> df = pd.DataFrame({"user": [1], "film": [2], "rating": [3.0], "title": ["Alien"]})
        >>> chosen_columns(df, [None, "title", None])
        ['user', 'title', 'rating']
    """
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"ratings come as a frame of pandas, not as {type(df).__name__}")
    twice = df.columns[df.columns.duplicated()]
    if len(twice):
        raise DataError(f"{told} has several columns named {twice[0]!r}; rename all but one")
    if not len(df):
        raise DataError(f"{told} has no rows; there is nothing to learn from")
    found = []
    for place, name in enumerate(names):
        if name is None and place >= df.shape[1]:
            raise DataError(
                f"{told} has {df.shape[1]} columns ({', '.join(map(str, df.columns))}); the first "
                f"{len(names)} are user, item and rating, unless user_name=, item_name= and "
                "rating_name= say otherwise"
            )
        own = df.columns[place] if name is None else name
        if own not in df.columns:
            raise DataError(
                f"{told} has no column {own!r}.{nearest(str(own), map(str, df.columns))} It has "
                f"{', '.join(map(str, df.columns))}"
            )
        found.append(own)
    if len(set(found)) < len(found):
        raise DataError(
            f"{told}: {', '.join(map(repr, found))} are to be {_parts(len(found))}; each is a "
            "column of its own. Pass user_name=, item_name= and rating_name="
        )
    return found


def _parts(count: int) -> str:
    return "user, item and rating" if count == 3 else "user and item"


def rating_values(column: pd.Series) -> NDArray[np.float32]:
    """(N,) the ratings of a column.

    Raises:
        BadRowError: for the first that is missing, infinite or no number.

    Example:
        >>> rating_values(pd.Series([3, 4], name="rating"))
        array([3., 4.], dtype=float32)
    """
    is_plain = pd.api.types.is_numeric_dtype(column)
    numbers = column if is_plain else pd.to_numeric(column.astype(object), errors="coerce")
    values: NDArray[np.float32] = numbers.to_numpy(np.float32, na_value=np.nan)
    wrong = ~np.isfinite(values)
    if not is_plain and not wrong.any():  # text or dates throughout, though they could be read so
        wrong = ~column.map(lambda one: isinstance(one, Number)).to_numpy(bool)
    if not wrong.any():
        return values
    row = int(wrong.argmax())
    one = plain(column.iloc[row])
    told = "has no rating there (a missing value)" if pd.isna(one) else f"holds {one!r} there"
    raise BadRowError(
        row,
        f"column {column.name!r} {told}; ratings are finite numbers. Drop such rows, or convert "
        "the column with pd.to_numeric",
    )
