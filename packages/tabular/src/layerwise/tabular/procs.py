"""Preprocessing of tables: what is learnt from the training rows and done to all others.

Each step works on whole columns, and on those of a single row the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from layerwise.core.errors import nearest, warn_user
from layerwise.core.transforms.category import CategoryMap
from layerwise.core.transforms.numeric import Normalize
from layerwise.core.transforms.transform import InplaceTransform
from layerwise.tabular.codes import codes_of, labels_of
from layerwise.tabular.source import Array

__all__ = ["Categorify", "FillMissing", "FillStrategy", "NormalizeColumns", "TabularProc"]

Names = list[Any]


class TabularProc(InplaceTransform):
    """A step of preprocessing: changes columns of a `Tabular` in place.

    A subclass states `setups(self, to)`, which learns from the training rows, `encodes(self, to)`
    and, where there is a way back, `decodes(self, to)`. `to.column(name)` is the array of a column,
    `to.set_column(name, values)` replaces or adds it; `to.cat_names` and `to.cont_names` name them,
    and what a step adds, its `setups` declares with `to.add_name`.

    Example:
        >>> class LogPrice(TabularProc):
        ...     def encodes(self, to):
        ...         to.set_column("price", np.log1p(to.column("price")))
        ...     def decodes(self, to):
        ...         to.set_column("price", np.expm1(to.column("price")))
    """


class FillStrategy(Enum):
    """What `FillMissing` puts where a number is missing, learnt from the training rows."""

    median = "median"
    mean = "mean"
    mode = "mode"
    constant = "constant"


class FillMissing(TabularProc):
    """Numbers that are missing become a fill value; that they were missing becomes a category.

    A fill value is learnt for every column of numbers, so that a column without a gap in training
    may have one later.

    Args:
        fill_strategy: median, mean or mode of the training rows, or a constant.
        add_col: add the category `<name>_na` for each column with gaps in the training rows; "all":
            for each column, so that gaps that come later are told to the model too. Where training
            has no gap they have code 0, without a warning.
        fill_vals: the constants by column, for `FillStrategy.constant`; 0 where it names none.
        fills, flags: what was learnt: value by column, and names of the columns that have a
            category; for making an equal one.

    Raises:
        ValueError: for a column without any number in the training rows.

    Example:
        >>> from layerwise.tabular.pandas_table import TabularPandas
        >>> df = pd.DataFrame({"rooms": [1.0, 3.0, np.nan, 5.0]})
        >>> to = TabularPandas(df, FillMissing(), cont_names="rooms")
        >>> to.items["rooms"].tolist(), to.items["rooms_na"].tolist()
        ([1.0, 3.0, 3.0, 5.0], [False, False, True, False])
    """

    order: float = 0

    def __init__(
        self,
        fill_strategy: FillStrategy | str = FillStrategy.median,
        add_col: bool | str = True,
        fill_vals: Mapping[Any, float] | None = None,
        *,
        fills: Mapping[Any, float] | None = None,
        flags: Names | None = None,
    ) -> None:
        super().__init__()
        names = [strategy.name for strategy in FillStrategy]
        if isinstance(fill_strategy, str):
            if fill_strategy not in names:
                raise ValueError(
                    f"no fill_strategy {fill_strategy!r}.{nearest(fill_strategy, names)} "
                    f"There are: {', '.join(names)}"
                )
            fill_strategy = FillStrategy[fill_strategy]
        if not isinstance(fill_strategy, FillStrategy):
            raise TypeError(f"fill_strategy={fill_strategy!r}; give one of {', '.join(names)}")
        if add_col not in (True, False, "all"):
            raise ValueError(f"add_col={add_col!r}; give True, False or 'all'")
        if fill_vals is not None and fill_strategy is not FillStrategy.constant:
            raise ValueError(
                f"fill_vals are for fill_strategy=FillStrategy.constant, not {fill_strategy.name}"
            )
        self.fill_strategy, self.add_col, self.fill_vals = fill_strategy, add_col, fill_vals
        self.fills = None if fills is None else dict(fills)
        self.flags: Names = list(flags or [])

    def setups(self, to: Any) -> None:
        """Learn a value for each column of numbers."""
        self.fills, self.flags = {}, []
        for name in to.cont_names:
            values = to.column(name)
            gaps = np.isnan(values)
            has_gaps = bool(gaps.any())
            self.fills[name] = self._fill(name, values[~gaps] if has_gaps else values)
            if self.add_col == "all" or (self.add_col and has_gaps):
                self.flags.append(name)
        for name in self.flags:
            to.add_name(_flag(name), "category", of=name)

    def _fill(self, name: Any, values: np.ndarray) -> float:
        if self.fill_strategy is FillStrategy.constant:
            return float((self.fill_vals or {}).get(name, 0.0))
        if not len(values):
            raise ValueError(
                f"column {name!r} has no number in any training row, so there is no "
                f"{self.fill_strategy.name} to fill it with; leave it out"
            )
        if self.fill_strategy is FillStrategy.median:
            return float(np.median(values))
        if self.fill_strategy is FillStrategy.mean:
            return float(values.mean(dtype=np.float64))
        found, counts = np.unique(values, return_counts=True)
        return float(found[counts.argmax()])

    def encodes(self, to: Any) -> None:
        """Fill the gaps, and add the categories that tell of them."""
        flags = set(self.flags)
        for name, fill in (self.fills or {}).items():
            values = to.column(name)
            gaps = np.isnan(values)
            if gaps.any():
                to.set_column(name, np.where(gaps, fill, values))
            if name in flags:
                to.set_column(_flag(name), gaps)


def _flag(name: Any) -> str:
    return f"{name}_na"


class Categorify(TabularProc):
    """Categories to codes: 0 for `#na#`, that is missing or never seen, then the known ones.

    A column of pandas' categories keeps their order, any other is sorted. Categories that no
    training row has get no code. What the models of this package learn of code 0 comes from
    training too (`CategoryEmbeddings`, `unknown_p`).

    Args:
        on_unseen: what to do about values that training had not: "warn" counts them, names column
            and values in one warning, and gives them code 0; "count" does without the warning;
            "raise" raises an error.
        classes: what was learnt: the vocabulary by column, without `#na#`; for making an equal one.

    Attributes:
        classes: the vocabulary of each column.

    Raises:
        ValueError: for columns of dates, and for unseen values with `on_unseen="raise"`.

    Example:
        >>> from layerwise.tabular.pandas_table import TabularPandas
        >>> df = pd.DataFrame({"job": ["clerk", "smith", None, "clerk"]})
        >>> to = TabularPandas(df, Categorify, cat_names="job")
        >>> to.items["job"].tolist(), to.classes["job"]
        ([1, 2, 0, 1], ['#na#', 'clerk', 'smith'])
    """

    order: float = 1

    def __init__(
        self, on_unseen: str = "warn", *, classes: Mapping[Any, Any] | None = None
    ) -> None:
        super().__init__()
        if on_unseen not in ("warn", "count", "raise"):
            raise ValueError(f"on_unseen={on_unseen!r}; give 'warn', 'count' or 'raise'")
        self.on_unseen = on_unseen
        self.classes: dict[Any, CategoryMap] = {
            name: CategoryMap(list(labels), sort=False, add_na=True)
            for name, labels in (classes or {}).items()
        }

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        classes = {name: list(vocab)[1:] for name, vocab in self.classes.items()}
        return {"on_unseen": self.on_unseen, "classes": classes}

    def setups(self, to: Any) -> None:
        """Learn the categories of each column."""
        self.classes = {}
        for name in to.cat_names:
            with _named(name):
                self.classes[name] = _vocab(to.column(name), name)

    def __getitem__(self, name: Any) -> CategoryMap:
        return self.classes[name]

    def encodes(self, to: Any) -> None:
        """Replace categories by codes."""
        for name, vocab in self.classes.items():
            column = to.column(name)
            with _named(name):
                codes = codes_of(column, vocab)
            unknown = codes < 0
            if unknown.any():
                codes[unknown] = 0
                if not _is_flag(to, name, column):
                    self._count(to, name, column[unknown])
            to.set_column(name, codes.astype(_narrowest(len(vocab)), copy=False))
        if to.unseen and self.on_unseen == "warn":
            warn_user(_told(to.unseen))

    def _count(self, to: Any, name: Any, values: Array) -> None:
        seen_now = Counter(str(value) for value in values[~pd.isna(values)])
        if not seen_now:
            return
        to.unseen[name] = seen_now
        if self.on_unseen == "raise":
            raise ValueError(
                f"{_told({name: seen_now})}. on_unseen='raise' in Categorify asks for this error"
            )

    def decodes(self, to: Any) -> None:
        """Replace codes by categories."""
        for name, vocab in self.classes.items():
            to.set_column(name, labels_of(to.column(name), vocab))


def _is_flag(to: Any, name: Any, column: Array) -> bool:
    """Whether a step made the column to tell of something, which was asked for and is no fault."""
    return name in to.schema.derived and column.dtype == bool


@contextmanager
def _named(name: Any) -> Iterator[None]:
    """A `TypeError` in here, which is that of values without a hash, names the column."""
    try:
        yield
    except TypeError as error:
        raise TypeError(
            f"column {name!r} has values that can be no categories ({error}); leave it out, or "
            "make columns of what is in them"
        ) from error


def _vocab(column: Array, name: Any) -> CategoryMap:
    if getattr(column.dtype, "kind", "O") in "mM" and not isinstance(column, pd.Categorical):
        raise ValueError(
            f"column {name!r} holds dates, each of which would be a category of its own; make "
            f"parts of them with add_datepart(df, {name!r})"
        )
    if isinstance(column, pd.Categorical):
        there = np.bincount(column.codes + 1, minlength=len(column.categories) + 1)[1:] > 0
        labels = list(column.categories[there])
        return CategoryMap(labels, sort=False, add_na=True)
    found = pd.unique(column)
    return CategoryMap(found[~pd.isna(found)], add_na=True)


def _narrowest(count: int) -> type[np.signedinteger[Any]]:
    return np.int8 if count <= 128 else np.int16 if count <= 32_768 else np.int32


def _told(unseen: Mapping[Any, Counter[str]]) -> str:
    parts = []
    for name, counts in unseen.items():
        listed = ", ".join(f"{v!r} ({n})" for v, n in counts.most_common(3))
        parts.append(f"column {name!r}: {listed}{', ...' if len(counts) > 3 else ''}")
    total = sum(counts.total() for counts in unseen.values())
    what = "value is" if total == 1 else "values are"
    told = f"{total} {what} none of the categories of training, {'; '.join(parts)}"
    has_spaces = any(value != value.strip() for counts in unseen.values() for value in counts)
    hint = "; some have spaces around them, which read_table leaves out" if has_spaces else ""
    return told + hint


class NormalizeColumns(TabularProc):
    """Numbers to mean 0 and standard deviation 1; what `Normalize` means among the procs of tables.

    A column that is constant in the training rows becomes 0.

    Args:
        means, stds: what was learnt, by column; for making an equal one.

    Raises:
        ValueError: if a column has gaps and no `FillMissing` stands before.

    Example:
        >>> from layerwise.tabular.pandas_table import TabularPandas
        >>> to = TabularPandas(pd.DataFrame({"age": [20.0, 40.0]}), Normalize, cont_names="age")
        >>> to.items["age"].tolist(), to.procs.means
        ([-1.0, 1.0], {'age': 30.0})
    """

    order: float = 2

    def __init__(
        self, means: Mapping[Any, float] | None = None, stds: Mapping[Any, float] | None = None
    ) -> None:
        super().__init__()
        if (means is None) != (stds is None):
            raise ValueError("NormalizeColumns takes means and stds together, or neither")
        self.means = None if means is None else dict(means)
        self.stds = None if stds is None else dict(stds)

    def setups(self, to: Any) -> None:
        """Measure each column of numbers."""
        self.means, self.stds = {}, {}
        for name in to.cont_names:
            values = to.column(name)
            refuse_gaps(values, name)
            self.means[name] = float(values.mean(dtype=np.float64)) if len(values) else 0.0
            self.stds[name] = float(values.std(dtype=np.float64)) if len(values) else 0.0

    def encodes(self, to: Any) -> None:
        """Subtract the mean and divide by the deviation."""
        for name, mean in (self.means or {}).items():
            values = to.column(name)
            found = values - mean  # in the precision of the column: dates in seconds need it
            found /= self._deviation(name)
            to.set_column(name, found.astype(np.float32, copy=False))

    def decodes(self, to: Any) -> None:
        """Numbers as they were."""
        for name, mean in (self.means or {}).items():
            to.set_column(name, to.column(name) * self._deviation(name) + mean)

    def _deviation(self, name: Any) -> float:
        return (self.stds or {})[name] or 1.0


def refuse_gaps(values: np.ndarray, name: Any) -> None:
    """Raise if numbers of the column `name` are missing."""
    gaps = int(np.isnan(values).sum())
    if gaps:
        raise ValueError(
            f"column {name!r} has {gaps} missing values; put FillMissing among the procs"
        )


def as_proc(step: Any) -> TabularProc:
    """The proc that `step` stands for: `Normalize`, of pictures elsewhere, is of columns here."""
    made = step() if isinstance(step, type) else step
    if type(made) is Normalize:
        if made.mean is not None:
            raise ValueError(
                "this Normalize has the mean and deviation of pictures; give Normalize() for a "
                "table, which measures each column, or NormalizeColumns(means, stds)"
            )
        return NormalizeColumns()
    if not isinstance(made, TabularProc):
        raise TypeError(
            f"{type(made).__name__} is no step for tables; procs are Categorify, FillMissing, "
            "Normalize, or a subclass of TabularProc"
        )
    return made
