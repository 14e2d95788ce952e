"""Splitters by chance, by position, by name: which items train, which validate, as two `L`s.

A splitter with a seed never touches the global random state; one without draws from torch's global
generator, so that `set_seed` repeats its split.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from layerwise.core.errors import nearest
from layerwise.core.items import L, listify
from layerwise.core.types import PathLike

__all__ = [
    "ColSplitter",
    "EndSplitter",
    "FileSplitter",
    "FuncSplitter",
    "GrandparentSplitter",
    "IndexSplitter",
    "MaskSplitter",
    "RandomSplitter",
    "RandomSubsetSplitter",
]

Parts = tuple[L[int], L[int]]


def permuted(size: int, seed: int | None) -> list[int]:
    """The numbers below `size` in random order."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    order: list[int] = torch.randperm(size, generator=generator).tolist()
    return order


def size_of(items: Any, splitter: object) -> int:
    size = len(items)
    if size == 0:
        raise ValueError(f"{type(splitter).__name__} got no items to split; was any file found?")
    return size


def check_share(share: float, name: str) -> None:
    if isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"{name}={share!r} is no share of the items; give a number from 0 to 1")


def _warn_empty(share: float, size: int, name: str) -> None:
    """Say so where a share that is not 0 comes to no item."""
    if share > 0 and int(share * size) == 0:
        warnings.warn(
            f"{name}={share} of {size} items is less than one item, so that part is empty",
            stacklevel=3,
        )


@dataclass(frozen=True)
class RandomSplitter:
    """A random share of the items validates.

    Args:
        valid_pct: share for validation, from 0 to 1, rounded down to whole items.
        seed: decides the split; by default torch's global generator is drawn from.

    Example:
        >>> train, valid = RandomSplitter(valid_pct=0.25, seed=1)(range(8))
        >>> len(train), len(valid), sorted(train + valid) == list(range(8))
        (6, 2, True)
    """

    valid_pct: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self.valid_pct, "valid_pct")

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        _warn_empty(self.valid_pct, size, "valid_pct")
        order = permuted(size, self.seed)
        cut = int(self.valid_pct * size)
        return L(order[cut:]), L(order[:cut])


@dataclass(frozen=True)
class RandomSubsetSplitter:
    """Random shares of the items train and validate; the others are left out.

    Args:
        train_sz: share for training, above 0.
        valid_sz: share for validation, above 0; both together at most 1.
        seed: decides the split; by default torch's global generator is drawn from.

    Example:
        >>> train, valid = RandomSubsetSplitter(0.3, 0.1, seed=1)(range(10))
        >>> len(train), len(valid)
        (3, 1)
    """

    train_sz: float
    valid_sz: float
    seed: int | None = None

    def __post_init__(self) -> None:
        check_share(self.train_sz, "train_sz")
        check_share(self.valid_sz, "valid_sz")
        # A hair of room: 0.7 + 0.2 + 0.1 is above 1 in floating point.
        if 0 in (self.train_sz, self.valid_sz) or self.train_sz + self.valid_sz > 1 + 1e-9:
            raise ValueError(
                f"train_sz={self.train_sz} and valid_sz={self.valid_sz} have to be above 0 and "
                "together at most 1"
            )

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        _warn_empty(self.train_sz, size, "train_sz")
        _warn_empty(self.valid_sz, size, "valid_sz")
        order = permuted(size, self.seed)
        train, valid = int(self.train_sz * size), int(self.valid_sz * size)
        return L(order[:train]), L(order[train : train + valid])


@dataclass(frozen=True)
class EndSplitter:
    """The last share of the items validates, or the first: for data in order of time.

    Args:
        valid_pct: share for validation, from 0 to 1, rounded down to whole items.
        valid_last: whether the end validates; else the start.

    Example:
        >>> EndSplitter(0.25)("abcd")
        ((#3) [0, 1, 2], (#1) [3])
    """

    valid_pct: float = 0.2
    valid_last: bool = True

    def __post_init__(self) -> None:
        check_share(self.valid_pct, "valid_pct")

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        _warn_empty(self.valid_pct, size, "valid_pct")
        cut = int(self.valid_pct * size)
        if self.valid_last:
            return L.range(size - cut), L.range(size - cut, size)
        return L.range(cut, size), L.range(cut)


@dataclass(frozen=True)
class IndexSplitter:
    """The items at `valid_idx` validate.

    Args:
        valid_idx: positions from 0, each once, in any order; it is kept.

    Raises:
        ValueError: when called, if a position is given twice or is none of the items'.

    Example:
        >>> IndexSplitter([1, 3])("abcd")
        ((#2) [0, 2], (#2) [1, 3])
    """

    valid_idx: Any

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        valid = L(self.valid_idx, use_list=hasattr(self.valid_idx, "__len__")).map(int)
        chosen = set(valid)
        outside = valid.filter(lambda i: not 0 <= i < size)
        if outside:
            raise ValueError(
                f"the positions {outside[:5]!r} are outside of 0 to {size - 1}, those of the items"
            )
        if len(chosen) != len(valid):
            twice = [i for i, n in Counter(valid).items() if n > 1]
            raise ValueError(f"the positions {twice[:5]} are given more than once in valid_idx")
        return L.range(size).filter(lambda i: i not in chosen), valid


@dataclass(frozen=True)
class MaskSplitter:
    """The items whose place in `mask` is true validate.

    Args:
        mask: one truth value per item: list, tensor, array or Series.

    Example:
        >>> MaskSplitter([True, False, True])("abc")
        ((#1) [1], (#2) [0, 2])
    """

    mask: Any

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        mask = self.mask.tolist() if hasattr(self.mask, "tolist") else list(self.mask)
        if len(mask) != size:
            raise ValueError(f"the mask has {len(mask)} values for {size} items; give one per item")
        return _parted(mask)


def _parted(validates: Iterable[object]) -> Parts:
    flags = [bool(flag) for flag in validates]
    valid = L(i for i, flag in enumerate(flags) if flag)
    return L(i for i, flag in enumerate(flags) if not flag), valid


@dataclass(frozen=True)
class FuncSplitter:
    """The items for which `func` holds validate.

    Args:
        func: one item in, a truth value out.

    Warns:
        UserWarning: when called, if it holds for none of the items, or for all.

    Example:
        >>> FuncSplitter(lambda o: o > 2)([1, 2, 3])
        ((#2) [0, 1], (#1) [2])
    """

    func: Callable[[Any], object]

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        train, valid = _parted(self.func(item) for item in items)
        if not (train and valid):
            which, empty = ("none", "validation") if not valid else ("all", "training")
            warnings.warn(
                f"FuncSplitter: the function holds for {which} of the {size} items, which leaves "
                f"the {empty} part empty",
                stacklevel=2,
            )
        return train, valid


@dataclass(frozen=True)
class GrandparentSplitter:
    """The folder two levels above a file says its part: `train/cat/1.png`, `valid/dog/2.png`.

    Args:
        train_name: name of the folder for training, or several.
        valid_name: name of the folder for validation, or several.

    Raises:
        ValueError: if a name is in both; when called, if a part has no file.

    Example:
        >>> GrandparentSplitter()(["train/cat/1.png", "valid/cat/2.png", "test/cat/3.png"])
        ((#1) [0], (#1) [1])
    """

    train_name: str | Sequence[str] = "train"
    valid_name: str | Sequence[str] = "valid"

    def __post_init__(self) -> None:
        both = set(listify(self.train_name)) & set(listify(self.valid_name))
        if both:
            raise ValueError(f"the folders {sorted(both)} are given for training and validation")

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size_of(items, self)
        members: dict[str, list[int]] = defaultdict(list)
        for i, item in enumerate(items):
            members[Path(item).parent.parent.name].append(i)
        return self._part(members, self.train_name), self._part(members, self.valid_name)

    def _part(self, members: dict[str, list[int]], names: str | Sequence[str]) -> L[int]:
        wanted = listify(names)
        found = L([i for name in wanted for i in members.get(name, ())])
        if not found:
            there = sorted(name for name in members if name)
            raise ValueError(
                f"no file lies two levels below a folder {' or '.join(map(repr, wanted))}."
                f"{nearest(wanted[0], there) if wanted else ''} The folders found there: "
                f"{', '.join(map(repr, there[:10])) or 'none'}{', ...' if there[10:] else ''}"
            )
        return found


@dataclass(frozen=True)
class FileSplitter:
    """The files whose names are listed in the text file `fname`, one a line, validate.

    Args:
        fname: the text file; it is read at once, so that the split cannot change later.

    Raises:
        ValueError: if the file lists nothing; when called, if none of its names is an item's.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "valid.txt").write_text("b.png")
        ...     FileSplitter(Path(folder, "valid.txt"))(["x/a.png", "x/b.png"])
        ((#1) [0], (#1) [1])
    """

    fname: PathLike
    names: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        lines = Path(self.fname).read_text(encoding="utf-8").splitlines()
        names = frozenset(line.strip() for line in lines if line.strip())
        if not names:
            raise ValueError(f"{str(self.fname)!r} lists no file names")
        object.__setattr__(self, "names", names)

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size_of(items, self)
        train, valid = _parted(Path(item).name in self.names for item in items)
        if not valid:
            raise ValueError(
                f"none of the {len(self.names)} names in {str(self.fname)!r} is an item's; it "
                f"lists {min(self.names)!r}, the first item is {Path(items[0]).name!r}"
            )
        return train, valid


@dataclass(frozen=True)
class ColSplitter:
    """The rows of a table validate whose column `col` is true, or has one of the values `on`.

    Args:
        col: name of the column, or its position.
        on: value, or list of values, that stands for validation; by default the column is a mask.

    Raises:
        ValueError: when called, if the column is missing, is no mask, or never is `on`.

    Example:
        >>> rows = [{"part": "train"}, {"part": "test"}]
        >>> ColSplitter("part", on="test")(rows)
        ((#1) [0], (#1) [1])
    """

    col: str | int = "is_valid"
    on: Any = None

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size_of(items, self)
        values = _column(items, self.col)
        if self.on is None:
            return _parted(_as_flag(value, self.col) for value in values)
        wanted = listify(self.on)
        train, valid = _parted(value in wanted for value in values)
        if not valid:
            there = list(dict.fromkeys(values))
            raise ValueError(
                f"column {self.col!r} never is {' or '.join(map(repr, wanted))}; "
                f"it holds {', '.join(map(repr, there[:5]))}{', ...' if there[5:] else ''}"
            )
        return train, valid


def _column(items: Any, col: str | int) -> list[Any]:
    """The values of one column of a table, or of rows that are indexed by name."""
    if hasattr(items, "columns"):
        names = list(items.columns)
        if isinstance(col, int) and col not in names and -len(names) <= col < len(names):
            col = names[col]
        if col not in names:
            known = [str(name) for name in names]
            raise ValueError(
                f"the table has no column {col!r}.{nearest(str(col), known)} "
                f"It has: {', '.join(known)}"
            )
        values = items[col]
        return list(values.tolist() if hasattr(values, "tolist") else values)
    return [
        getattr(row, str(col)) if col in getattr(row, "_fields", ()) else row[col] for row in items
    ]


def _as_flag(value: Any, col: str | int) -> bool:
    """The truth value in a cell; a text such as "False" is true to Python and so is refused."""
    if isinstance(value, (bool, int)) or (isinstance(value, float) and value in (0.0, 1.0)):
        return bool(value)
    if type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    raise ValueError(
        f"column {col!r} holds {value!r}, which is no truth value; say which values stand for "
        "validation, as in ColSplitter(col, on=['valid'])"
    )
