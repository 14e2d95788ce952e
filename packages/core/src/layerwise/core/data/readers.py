"""Getters and labellers: what is read off one item, its name, a row or an object."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from layerwise.core.errors import DataError, nearest
from layerwise.core.items import L, listify
from layerwise.core.types import PathLike

__all__ = [
    "AttrGetter",
    "ColReader",
    "ItemGetter",
    "OfName",
    "RegexLabeller",
    "parent_label",
    "using_attr",
]

_UNSET: Any = "<no default>"  # a text, so that it stays the same through pickling


@dataclass(frozen=True)
class ItemGetter:
    """`x[i]` of each item `x`.

    Args:
        i: position or key.

    Example:
        >>> ItemGetter(1)(("a", "b"))
        'b'
    """

    i: Any

    def __call__(self, x: Any) -> Any:
        """The part of `x`."""
        try:
            return x[self.i]
        except (LookupError, TypeError) as error:
            raise DataError(
                f"ItemGetter({self.i!r}): the item {_shown(x)} has no such part"
            ) from error


@dataclass(frozen=True)
class AttrGetter:
    """The attribute `nm` of each item.

    Args:
        nm: name of the attribute.
        default: what an item without it yields; when not given, such an item is an error.

    Example:
        >>> AttrGetter("stem")(Path("a/b.png")), AttrGetter("label", None)(Path("b.png"))
        ('b', None)
    """

    nm: str
    default: Any = _UNSET

    def __call__(self, x: Any) -> Any:
        """The attribute of `x`."""
        if isinstance(self.default, str) and self.default == _UNSET:
            try:
                return getattr(x, self.nm)
            except AttributeError as error:
                raise DataError(
                    f"AttrGetter({self.nm!r}): the item {_shown(x)} of type {type(x).__name__} has "
                    f"no such attribute.{nearest(self.nm, dir(x))} Give a default if it may lack"
                ) from error
        return getattr(x, self.nm, self.default)


class ColReader:
    """What a row has in `cols`: the value of one column, or an `L` of the values of several.

    A row may be a pandas Series, a named tuple, a dict, or anything else indexed by name or number.

    Args:
        cols: name or position of the column, or a list of such.
        pref: written before the value; a `Path` is taken as a folder.
        suff: written after the value, as an extension.
        label_delim: what parts the labels in a text; then a list of texts comes back, which is
            empty where the cell is empty or missing.
        allow_outside: let a value with `..` or an absolute one leave the folder `pref`. Off, since
            a table may come from someone else.

    Raises:
        DataError: if the row lacks the column, or the value leaves the folder.

    Example:
        >>> row = {"name": "cat", "labels": "pet animal"}
        >>> ColReader("name", pref="train/", suff=".png")(row)
        'train/cat.png'
        >>> ColReader("labels", label_delim=" ")(row)
        ['pet', 'animal']
    """

    def __init__(
        self,
        cols: str | int | Iterable[str | int],
        pref: PathLike = "",
        suff: str = "",
        label_delim: str | None = None,
        *,
        allow_outside: bool = False,
    ) -> None:
        self.cols = listify(cols)
        self.pref = str(pref) + os.sep if isinstance(pref, PurePath) else str(pref)
        self.suff = suff
        self.label_delim = label_delim
        self.allow_outside = allow_outside
        if not self.cols:
            raise ValueError("ColReader got no column; give a name, a position, or a list of them")

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal reader, but for a folder of this computer alone."""
        is_here = os.path.isabs(self.pref)  # noqa: PTH117 - text, as above
        return {
            "cols": self.cols,
            "pref": "" if is_here else self.pref,
            "suff": self.suff,
            "label_delim": self.label_delim,
            "allow_outside": self.allow_outside,
        }

    def __repr__(self) -> str:
        return (
            f"ColReader({self.cols!r}, pref={self.pref!r}, suff={self.suff!r}, "
            f"label_delim={self.label_delim!r})"
        )

    def __call__(self, row: Any) -> Any:
        """The value in `row`, a list of labels, or an `L` of these."""
        if len(self.cols) == 1:
            return self._read(row, self.cols[0])
        return L([self._read(row, col) for col in self.cols])

    def _read(self, row: Any, col: str | int) -> Any:
        value = _cell(row, col)
        if self.label_delim is not None:
            return [] if _is_missing(value) or value == "" else str(value).split(self.label_delim)
        if not self.pref and not self.suff:
            return value
        if _is_missing(value):
            raise DataError(f"{self!r}: column {col!r} is empty in the row {_shown(row)}")
        if self.pref.endswith(("/", os.sep)) and not self.allow_outside:
            self._check_inside(str(value), row)
        return f"{self.pref}{value}{self.suff}"

    def _check_inside(self, name: str, row: Any) -> None:
        away = PurePath(os.path.normpath(name)).parts[:1] == (os.pardir,)
        if away or os.path.isabs(name):  # noqa: PTH117 - text in, no path needed
            raise DataError(
                f"{self!r}: {name!r} in the row {_shown(row)} leaves the folder {self.pref!r}; "
                "if the table is trusted, give allow_outside=True"
            )


def _cell(row: Any, col: str | int) -> Any:
    """The value of `col` in `row`: an attribute of a named tuple, else an index."""
    try:
        if isinstance(col, str) and col in getattr(row, "_fields", ()):
            return getattr(row, col)
        if isinstance(col, int) and hasattr(row, "iloc") and col not in row.index:
            return row.iloc[col]
        return row[col]
    except (LookupError, TypeError) as error:
        names = _column_names(row)
        raise DataError(
            f"ColReader: no column {col!r} in the row {_shown(row)}."
            f"{nearest(str(col), names)} Its columns: {', '.join(names) or 'without names'}"
        ) from error


def _column_names(row: Any) -> list[str]:
    if isinstance(row, Mapping):
        return [str(key) for key in row]
    index = getattr(row, "index", None) if hasattr(row, "iloc") else None
    return [str(name) for name in (getattr(row, "_fields", ()) if index is None else index)]


def _is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, or unequal to itself as NaN is; pandas' NA has no answer."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, float) and value != value


@dataclass(frozen=True)
class OfName:
    """A function of a file's name as one of its path.

    Args:
        label_func: from the name, without its folder, to the label.

    Example:
        >>> OfName(str.isupper)("cats/SHY.png")
        False
        >>> OfName(RegexLabeller(r"^(.+?)_"))("pets/beagle_3.jpg")
        'beagle'
    """

    label_func: Callable[[str], Any]

    def __call__(self, path: PathLike) -> Any:
        """The label for the name of `path`."""
        return self.label_func(Path(path).name)


@dataclass(frozen=True)
class RegexLabeller:
    r"""The first group of `pat` in the name of each item, a path with `/` between its parts.

    Args:
        pat: regular expression with a group in brackets.
        match: the pattern has to fit from the start of the name, instead of anywhere.

    Raises:
        ValueError: if the pattern has no group or is no regular expression.
        DataError: when called, if the pattern does not fit.

    Example:
        >>> RegexLabeller(r"([^/]+)_\d+\.jpg$")(Path("images/great_pyrenees_173.jpg"))
        'great_pyrenees'
    """

    pat: str | re.Pattern[str]
    match: bool = False

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.pat).groups
        except re.error as error:
            raise ValueError(f"{self.pat!r} is no regular expression: {error}") from error
        if not groups:
            raise ValueError(
                f"the pattern {self.pat!r} has no group; put brackets around the label, as in "
                r"r'^(.*)_\d+.jpg$'"
            )

    def __call__(self, o: Any) -> str:
        """The label in the name of `o`."""
        name = str(o).replace(os.sep, "/")
        pattern = re.compile(self.pat)
        found = pattern.match(name) if self.match else pattern.search(name)
        if found is None or found.group(1) is None:
            how = "at the start of" if self.match else "in"
            raise DataError(f"the pattern {pattern.pattern!r} was not found {how} {name!r}")
        return found.group(1)


@dataclass(frozen=True)
class using_attr:  # noqa: N801 - used as a function, as readers of the fastai book know it
    r"""`f` of an attribute of each item instead of the item itself.

    Args:
        f: a reader, such as `RegexLabeller`.
        attr: the name of the attribute.

    Example:
        >>> using_attr(RegexLabeller(r"(.+)_\d+.jpg$"), "name")(Path("images/pug_12.jpg"))
        'pug'
    """

    f: Callable[[Any], Any]
    attr: str

    def __call__(self, o: Any) -> Any:
        """`f` of the attribute of `o`."""
        return self.f(getattr(o, self.attr))


def parent_label(o: PathLike) -> str:
    """The name of the folder that the file `o` lies in.

    Raises:
        DataError: if the path has no folder in it.

    Example:
        >>> parent_label("train/cat/1.png")
        'cat'
    """
    name = Path(o).parent.name
    if not name:
        raise DataError(f"{str(o)!r} names no folder that could be its label")
    return name


def _shown(item: Any) -> str:
    text = " ".join(repr(item).split())  # a Series spreads over lines
    return text if len(text) <= 200 else text[:200] + "..."
