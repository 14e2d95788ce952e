"""`TabularPandas`: a frame made ready for a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from layerwise.core.data.filtered import SplitLists
from layerwise.core.errors import names_nearest, warn_user
from layerwise.core.train.freed_memory import give_back_freed
from layerwise.tabular.columns import Names, listed_names
from layerwise.tabular.schema import Schema, read_arrays
from layerwise.tabular.source import Array, Source
from layerwise.tabular.table import Tabular
from layerwise.tabular.targets import block_for, refuse_missing_targets, steps_of_block, target_of

__all__ = ["TabularPandas"]

_FEW_VALUES = 10  # whole numbers as targets that are more likely classes


class TabularPandas(Tabular):
    """A frame made ready for a model: what `procs` learn on the training rows, done to all.

    Args:
        df: a frame of pandas or polars, or a table of pyarrow; it is not changed.
        procs: `Categorify`, `FillMissing`, `Normalize`, `TargetEncode` or your own `TabularProc`s,
            as classes or objects; each knows its place in the order.
        cat_names: columns of categories.
        cont_names: columns of numbers.
        y_names: target columns; none for data to predict or to look at.
        y_block: what the targets are; numbers for columns of numbers, else classes, when None.
            `CategoryBlock()` for classes that are numbers; `MultiCategoryBlock()` for lists of
            labels, `MultiCategoryBlock(encoded=True, vocab=y_names)` for columns of zeros and ones.
            Of several columns each may have a block: `[CategoryBlock(), RegressionBlock()]`.
        splits: row numbers for training, then for validation; all rows train when None.
        do_setup: learn and encode now; otherwise `setup()` does.
        device: where batches are cut, see `to_device`.
        inplace: write the encoded columns to `df`, too.
        reduce_memory: numbers in single precision, as models take them; False keeps `items` in
            the precision of the frame.

    Raises:
        ValueError: for columns that are missing, twice there, or input and target at once; for
            numbers that are none, and targets that are missing; each by name.

    Example:
        >>> from layerwise.core.transforms.numeric import Normalize
        >>> from layerwise.tabular.procs import Categorify
        >>> df = pd.DataFrame({"job": ["clerk", "smith", "clerk", "cook"], "age": [25, 50, 35, 41],
        ...                    "pay": ["low", "high", "low", "high"]})
        >>> to = TabularPandas(df, [Categorify, Normalize], "job", "age", y_names="pay",
        ...                    splits=([0, 1, 3], [2]))
        >>> to.train.xs["job"].tolist(), to.vocab, len(to.valid)
        ([1, 3, 2], ['high', 'low'], 1)
    """

    @names_nearest
    def __init__(
        self,
        df: Any,
        procs: Any = None,
        cat_names: Names = None,
        cont_names: Names = None,
        y_names: Names = None,
        y_block: Any = None,
        splits: SplitLists | None = None,
        do_setup: bool = True,
        device: torch.device | str | None = None,
        inplace: bool = False,
        reduce_memory: bool = True,
    ) -> None:
        source = Source(df)
        cats, conts, ys = (listed_names(names) for names in (cat_names, cont_names, y_names))
        _refuse_names(source, cats, conts, ys)
        if not len(source):
            raise ValueError("the table has no rows, and so nothing to learn from")
        steps = [procs] if procs is not None and not isinstance(procs, Iterable) else procs
        schema = Schema(cats, conts, ys, steps or [], None, [cats, conts], source.names)
        arrays = read_arrays(source, [*cats, *conts, *ys], conts)
        super().__init__(schema, arrays, splits=_checked_splits(splits, len(source)))
        self.reduce_memory, self._y_block = reduce_memory, y_block
        self._write_to = df if inplace else None
        if device is not None:
            self.to_device(device)
        if do_setup:
            self.setup()

    def setup(self) -> None:
        """Learn from the training rows, and encode all."""
        if self.is_processed:
            return
        self._setup_target()
        for step in self.procs:
            step.setup(self, train_setup=True)
            step(self)
        self._encode_target()
        self._arrays.is_encoded = True
        if self.reduce_memory:
            for name in self.cont_names:
                column = self._arrays.columns[name]
                self._arrays.columns[name] = column.astype(np.float32, copy=False)
        give_back_freed()  # steps leave holes of the size of a column
        self._write_back()

    def process(self) -> Self:
        """Learn and encode, once."""
        self.setup()
        return self

    def _setup_target(self) -> None:
        names = self.y_names
        if not names:
            return
        columns = {name: self._arrays.columns[name] for name in names}
        refuse_missing_targets(columns)
        refuse_missing_targets(columns)
        if self._y_block is None:
            _hint_at_classes(columns)
        block = block_for(columns) if self._y_block is None else self._y_block
        self.schema.target = target_of(names, steps_of_block(block))
        train = self.train if self.splits is not None else self
        self.schema.target.learn({name: train.column(name) for name in names})


def _refuse_names(source: Source, cats: list[Any], conts: list[Any], ys: list[Any]) -> None:
    source.require([*cats, *conts, *ys])
    for what, names in (("cat_names", cats), ("cont_names", conts), ("y_names", ys)):
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise ValueError(f"{what} has {twice[0]!r} more than once")
    both = [name for name in cats if name in conts]
    if both:
        raise ValueError(f"column {both[0]!r} is in cat_names and in cont_names; choose one")
    leaks = [name for name in ys if name in cats or name in conts]
    if leaks:
        raise ValueError(
            f"column {leaks[0]!r} is the target and an input at once; leave it out of the inputs"
        )


def _checked_splits(splits: Any, count: int) -> SplitLists | None:
    if splits is None:
        return None
    made: list[Any] = []
    for split in splits:
        rows = np.asarray(split)
        if len(rows) and rows.dtype.kind not in "biu":
            raise TypeError(f"a split is a list of row numbers, and one has {rows[0].item()!r}")
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < count):
            raise ValueError(
                f"a split has rows {rows.min()} to {rows.max()}, and the table has {count}; splits "
                "are row numbers, not labels of the index"
            )
        made.append(rows)
    if not made or not len(made[0]):
        raise ValueError("there is no training row: the first of the splits is empty")
    trains = np.zeros(count, dtype=bool)
    trains[made[0]] = True
    shared = sum(int(trains[rows].sum()) for rows in made[1:])
    if shared:
        warn_user(
            f"{shared} rows are for training and for validation at once, which then measures "
            "what was learnt by heart",
        )
    return made


def _hint_at_classes(columns: Mapping[Any, Array]) -> None:
    """Say so where targets that will be taken as numbers look like classes."""
    for name, column in columns.items():
        if getattr(column.dtype, "kind", "O") not in "iu" or len(column) < 5 * _FEW_VALUES:
            continue
        values = pd.unique(column)
        if len(values) <= _FEW_VALUES:
            listed = ", ".join(map(str, sorted(values)))
            warn_user(
                f"the target {name!r} has only the whole numbers {listed} and is taken as a number "
                "to predict; for classes pass y_block=CategoryBlock(), for numbers "
                "y_block=RegressionBlock()",
            )
