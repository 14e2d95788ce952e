"""`Tabular`: rows of a table as a model takes them, and the way there and back.

The columns are arrays, each of its own narrow type. `procs` change them in place; when batches are
first wanted they are packed into one matrix of codes and one of numbers, of which the columns are
views from then on. Splits are row numbers into the same arrays, so nothing is held twice.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from layerwise.core.data.filtered import FilteredBase, SplitLists
from layerwise.core.errors import DataError, nearest, warn_user
from layerwise.core.items import L
from layerwise.core.serve.intake import Column
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.tabular.codes import objects
from layerwise.tabular.display import display_rows
from layerwise.tabular.loader import TabDataLoader, TabWeightedDL
from layerwise.tabular.predictor import TabularPredictor
from layerwise.tabular.schema import Arrays, Schema, read_arrays
from layerwise.tabular.source import Array, Source

__all__ = ["Tabular"]


class Tabular(FilteredBase):
    """Rows of a table: categories as codes, numbers as floats, and targets as the loss takes them.

    `TabularPandas` makes one of a frame; `new` makes others of new rows, and `subset` of a split.

    Args:
        schema: what is known of the columns.
        arrays: the columns of all rows.
        rows: which of them these are; all when None.
        splits: row numbers of each split, training first.

    Attributes:
        unseen: of the columns with categories that training had not, how often each came.
    """

    dl_type: Any = TabDataLoader
    weighted_type: Any = TabWeightedDL
    predictor_type: Any = TabularPredictor
    n_inp = 2
    splits: SplitLists | None

    def __init__(
        self,
        schema: Schema,
        arrays: Arrays,
        rows: np.ndarray | None = None,
        splits: SplitLists | None = None,
    ) -> None:
        self.schema, self._arrays, self._rows, self.splits = schema, arrays, rows, splits
        self.unseen: dict[Any, Counter[str]] = {}
        self._device: torch.device | None = None
        self._write_to: Any = None

    def __repr__(self) -> str:
        kinds = {"categories": self.cat_names, "numbers": self.cont_names, "targets": self.y_names}
        told = [f"{kind} {_listed(names)}" for kind, names in kinds.items() if names]
        rows = "1 row" if len(self) == 1 else f"{len(self)} rows"
        return f"{type(self).__name__}: {'; '.join([rows, *told])}"

    @property
    def is_processed(self) -> bool:
        """Whether the columns are encoded: `procs` have been applied, and not been undone."""
        return self._arrays.is_encoded

    # -- columns ---------------------------------------------------------------------------

    def column(self, name: Any) -> Array:
        """(N,) the column `name` of these rows, as it is by now.

        Raises:
            KeyError: if there is none of that name; names the nearest.
        """
        column = self._arrays.columns.get(name)
        if column is None:
            known = list(map(str, self._arrays.columns))
            told = f"no column {name!r}.{nearest(str(name), known)} There are: {', '.join(known)}"
            raise KeyError(told)
        return column if self._rows is None else column[self._rows]

    def set_column(self, name: Any, values: Array) -> None:
        """Replace or add a column.

        Raises:
            ValueError: if there are not as many values as rows.
        """
        if len(values) != len(self):
            raise ValueError(
                f"{len(values)} values of column {name!r} for {len(self)} rows; give one for each"
            )
        if self._rows is not None:
            raise ValueError("the columns of a split are those of the whole table; set them there")
        self._arrays.columns[name] = values
        self._arrays.packed = None

    def add_name(self, name: Any, kind: str, of: Any) -> None:
        """Declare, in `setups`, a column that `encodes` will add.

        Args:
            name: its name.
            kind: "category" or "number".
            of: the column it is made of.

        Raises:
            ValueError: if there is a column of that name.
        """
        if self.has_column(name):
            raise ValueError(
                f"a step adds the column {name!r} to what is made of {of!r}, and the table has one "
                "of that name; rename it"
            )
        {"category": self.cat_names, "number": self.cont_names}[kind].append(name)
        self.schema.derived[name] = self.schema.derived.get(of, of)

    def has_column(self, name: Any) -> bool:
        """Whether there is a column of that name."""
        return name in self._arrays.columns

    @property
    def cat_names(self) -> list[Any]:
        """The columns of categories."""
        return self.schema.cat_names

    @property
    def cont_names(self) -> list[Any]:
        """The columns of numbers."""
        return self.schema.cont_names

    @property
    def x_names(self) -> list[Any]:
        """All inputs."""
        return [*self.cat_names, *self.cont_names]

    @property
    def y_names(self) -> list[Any]:
        """The targets."""
        return self.schema.y_names

    @property
    def all_col_names(self) -> list[Any]:
        """Inputs, then targets; those of them that these rows have by now."""
        return self._there([*self.x_names, *self.y_names])

    def _there(self, names: Sequence[Any]) -> list[Any]:
        """Without targets of new rows, and what steps will add to rows that are not encoded."""
        return [name for name in names if self.has_column(name)]

    @property
    def procs(self) -> Pipeline:
        """The steps of preprocessing."""
        return self.schema.procs

    @property
    def classes(self) -> dict[Any, Any]:
        """The vocabulary of each column of categories, `#na#` first."""
        found: dict[Any, Any] = getattr(self.procs, "classes", {}) if len(self.procs) else {}
        return found

    @property
    def row_numbers(self) -> np.ndarray:
        """(N,) the numbers of these rows in the table that they are a split of."""
        return np.arange(len(self)) if self._rows is None else self._rows

    # -- as frames -------------------------------------------------------------------------

    def _frame(self, names: Sequence[Any]) -> pd.DataFrame:
        columns = {name: self.column(name) for name in names}
        is_shared = self._rows is None  # else the columns of these rows are copies already
        return pd.DataFrame(columns, index=self._index(), copy=is_shared)

    def _index(self) -> pd.Index | None:
        """The labels of these rows; their numbers where the whole table has no labels."""
        index, rows = self._arrays.index, self._rows
        if rows is None:
            return index
        return pd.Index(rows) if index is None else index[rows]

    @property
    def items(self) -> pd.DataFrame:
        """All columns as they are by now; a frame of its own, of which changes stay there."""
        return self._frame(self.all_col_names)

    @property
    def xs(self) -> pd.DataFrame:
        """The inputs as they are by now: codes and numbers, as other libraries take them too."""
        return self._frame(self._there(self.x_names))

    @property
    def cats(self) -> pd.DataFrame:
        """The columns of categories as they are by now."""
        return self._frame(self._there(self.cat_names))

    @property
    def conts(self) -> pd.DataFrame:
        """The columns of numbers as they are by now."""
        return self._frame(self._there(self.cont_names))

    @property
    def ys(self) -> pd.DataFrame:
        """The targets as they are by now."""
        return self._frame(self._there(self.y_names))

    @property
    def y(self) -> pd.Series:
        """The only target, or the first.

        Raises:
            DataError: if these rows have none.
        """
        if not self._there(self.y_names):
            raise DataError("these rows have no target; name y_names, or give rows that have it")
        return self.ys.iloc[:, 0]

    targ = ys

    def __len__(self) -> int:
        return self._arrays.length if self._rows is None else len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        """A sample, for a number; a column or several as frames, for names."""
        if isinstance(key, int | np.integer):
            if not -len(self) <= key < len(self):
                raise IndexError(f"row {key} of a table of {len(self)} rows")
            return tuple(member[0] for member in self.gather(torch.tensor([key % len(self)])))
        return self._frame(key) if isinstance(key, list | L) else self._frame([key])[key]

    @property
    def iloc(self) -> _Located:
        """Rows by place, as a `Tabular`: `to.iloc[:5]`."""
        return _Located(self, np.arange(len(self)))

    @property
    def loc(self) -> _Located:
        """Rows by the label of their index, as a `Tabular`."""
        return _Located(self, pd.Series(np.arange(len(self)), index=self._index()).loc)

    def row(self, i: int) -> Self:
        """Row `i` as a table of its own."""
        return self.taken(np.array([i]))

    def taken(self, rows: np.ndarray) -> Self:
        """These rows of these rows."""
        made = copy.copy(self)
        made._rows = rows if self._rows is None else self._rows[rows]
        made.splits = None
        return made

    def subset(self, i: int) -> Self:
        """The rows of split `i`."""
        return self.taken(np.asarray(self._split(i)))

    def copy(self) -> Self:
        """A table whose columns can be replaced without a change here."""
        made = copy.copy(self)
        made._arrays = copy.copy(self._arrays)
        made._arrays.columns = dict(self._arrays.columns)
        made.unseen = dict(self.unseen)
        return made

    # -- for the learner -------------------------------------------------------------------

    @property
    def loss_func(self) -> Any:
        """The loss for the targets; None without any."""
        return None if self.schema.target is None else self.schema.target.loss_func

    @property
    def vocab(self) -> Any:
        """The classes of the target; None for numbers."""
        return None if self.schema.target is None else self.schema.target.vocab

    @property
    def c(self) -> int:
        """How many outputs the targets need."""
        return 0 if self.schema.target is None else self.schema.target.c

    def target_stats(self) -> tuple[list[float], list[float]] | None:
        """Means and deviations of targets that are numbers, over these rows; None for others."""
        target, values = self.schema.target, self._arrays.target
        if target is None or values is None:
            return None
        rows = self._rows
        return target.stats(values if rows is None else values[torch.from_numpy(rows)])

    # -- new rows --------------------------------------------------------------------------

    def new(self, data: Any, *, with_labels: bool | None = None, inplace: bool = False) -> Tabular:
        """Other rows with these columns; `process` encodes them.

        Args:
            data: a frame of pandas or polars, a table of pyarrow, a row, or a list of rows. Columns
                may stand in any order.
            with_labels: read the targets too; None: where all of them are there.
            inplace: write the encoded columns to the frame, too, when they are processed.

        Raises:
            ValueError: if a column is missing; names it. Columns that training had not are named
                in a warning and left out.
        """
        schema = self.schema
        source = data if isinstance(data, Source) else Source(data)
        if with_labels is None:
            with_labels = bool(self.y_names) and set(self.y_names) <= set(source.names)
        names = [*schema.read[0], *schema.read[1], *(schema.y_names if with_labels else ())]
        source.require(names)
        extra = [name for name in source.names if name not in schema.known_names]
        if extra:
            listed = ", ".join(repr(name) for name in extra[:8])
            warn_user(
                f"left out, since the training table has no such columns: {listed}"
                f"{', ...' if len(extra) > 8 else ''}",
            )
        made = Tabular(schema, read_arrays(source, names, schema.read[1]))
        made._write_to = data if inplace else None
        return made

    def test_set(self, items: Any, rm_type_tfms: Any = None, with_labels: bool = False) -> Tabular:
        """New rows, encoded, for `dls.test_dl`.

        Args:
            items: as for `new`, or a `Tabular`.
            rm_type_tfms: None; a table has no steps to leave out.
            with_labels: whether they have their targets.
        """
        if rm_type_tfms:
            raise ValueError(
                "rm_type_tfms leaves out first steps, of which tables have none; pass a Tabular "
                "for rows that are encoded already"
            )
        if isinstance(items, Tabular):
            return items if items.is_processed else items.process()
        return self.new(items, with_labels=with_labels).process()

    def process(self) -> Self:
        """Encode the columns, once."""
        if self.is_processed:
            return self
        for step in self.procs:
            step(self)
        self._encode_target()
        self._arrays.is_encoded = True
        self._write_back()
        return self

    def _encode_target(self) -> None:
        target, arrays = self.schema.target, self._arrays
        if target is None or not all(self.has_column(name) for name in target.names):
            return
        arrays.target = target.encode(arrays.columns)
        coded = arrays.target.numpy()
        for i, name in enumerate(target.names):
            if len(target.names) > 1 or coded.ndim == 1 or coded.shape[1] == 1:
                arrays.columns[name] = coded if coded.ndim == 1 else coded[:, i]

    def _write_back(self) -> None:
        if self._write_to is None:
            return
        if not isinstance(self._write_to, pd.DataFrame):
            raise TypeError(
                f"inplace=True writes to a frame of pandas, not to {type(self._write_to).__name__}"
            )
        for name in self.all_col_names:
            self._write_to[name] = self._arrays.columns[name]

    # -- as batches ------------------------------------------------------------------------

    def _matrices(self) -> tuple[Tensor, ...]:
        arrays = self._arrays
        if arrays.packed is None:
            if not self.is_processed and self._rows is not None:
                raise DataError("these rows are not encoded; call setup() of the table they are of")
            self.process()
            arrays.packed = self._pack()
        return arrays.packed

    def _pack(self) -> tuple[Tensor, ...]:
        """(N, C) codes, (N, K) float32 numbers; the columns become views of them."""
        arrays = self._arrays
        codes = self._packed(self.cat_names, self._checked_codes, np.int8)
        values = self._packed(self.cont_names, self._checked_numbers, np.float32)
        target = () if arrays.target is None else (arrays.target,)
        made = (codes, values, *target)
        return made if self._device is None else tuple(m.to(self._device) for m in made)

    def _packed(
        self, names: Sequence[Any], checked: Callable[[Any], np.ndarray], least: type
    ) -> Tensor:
        """(N, n) columns in one matrix of the narrowest type from `least` on that holds them all.

        One at a time, since all of them twice would take as much memory as the frame.
        """
        columns = self._arrays.columns
        kinds = [checked(name).dtype for name in names]
        matrix = np.empty((self._arrays.length, len(names)), dtype=np.result_type(least, *kinds))
        for i, name in enumerate(names):
            matrix[:, i] = columns[name]
            columns[name] = matrix[:, i]
        return torch.from_numpy(matrix)

    def _checked_codes(self, name: Any) -> np.ndarray:
        column = self._arrays.columns[name]
        if getattr(column.dtype, "kind", "O") not in "biu":
            raise DataError(
                f"column {name!r} holds {column.dtype} where codes are needed; put Categorify "
                "among the procs"
            )
        return np.asarray(column)

    def _checked_numbers(self, name: Any) -> np.ndarray:
        column = self._arrays.columns[name]
        gaps = np.isnan(column)
        if gaps.any():
            raise DataError(
                f"column {name!r} has {int(gaps.sum())} missing values, the first in row "
                f"{int(gaps.argmax())}; put FillMissing among the procs"
            )
        narrow: np.ndarray = column.astype(np.float32, copy=False)
        self._arrays.columns[name] = narrow
        return narrow

    def to_device(self, device: torch.device | str) -> Self:
        """Keep what batches are cut from on `device`, for tables that have room there."""
        self._device = torch.device(device)
        if self._arrays.packed is not None:
            self._arrays.packed = tuple(m.to(self._device) for m in self._arrays.packed)
        return self

    def gather(self, rows: Tensor) -> tuple[Tensor, ...]:
        """(R, C) int64 codes, (R, K) float32 numbers, and targets if any, of some rows."""
        codes, values, *target = self._matrices()
        if self._rows is not None:
            rows = torch.from_numpy(self._rows)[rows]
        rows = rows.to(codes.device)
        picked = codes.index_select(0, rows).long(), values.index_select(0, rows)
        return *picked, *(t.index_select(0, rows) for t in target)

    def batch(self, device: torch.device | str | None = None) -> tuple[Tensor, ...]:
        """Codes and numbers of all rows, without targets."""
        codes, values, *_ = self.gather(torch.arange(len(self)))
        return (codes, values) if device is None else (codes.to(device), values.to(device))

    # -- and back --------------------------------------------------------------------------

    def decoded_batch(self, codes: Tensor, values: Tensor, target: Any = None) -> Tabular:
        """A batch as a table of what the columns held; `target` may be what was predicted."""
        columns: dict[Any, Array] = dict(zip(self.cat_names, codes.numpy().T, strict=True))
        columns |= zip(self.cont_names, values.numpy().T, strict=True)
        arrays = Arrays(columns, len(codes), is_encoded=True)
        arrays.target = target
        return Tabular(self.schema, arrays).decode()

    def decode(self) -> Tabular:
        """A table of what the columns held before they were encoded."""
        schema, target = self.schema, self._arrays.target
        columns = {name: self.column(name) for name in self.all_col_names}
        splits = self.splits if self._rows is None else None
        made = Tabular(schema, Arrays(columns, len(self), self._index()), splits=splits)
        if not self.is_processed:
            return made
        for step in reversed(list(schema.procs)):
            step.decode(made)
        if schema.target is not None and target is not None:
            if self._rows is not None:
                target = target[torch.from_numpy(self._rows)]
            made._arrays.columns.update(schema.target.decode(target))
        return made

    def decode_row(self, row: pd.Series) -> pd.Series:
        """One row of `items` as it was before it was encoded."""
        there = [name for name in [*self.x_names, *self.y_names] if name in row.index]
        arrays = Arrays({name: objects([row[name]]) for name in there}, 1, is_encoded=True)
        targets = [row[name] for name in self.y_names if name in row.index]
        if targets and all(isinstance(value, Real) for value in targets):  # not lists of labels
            arrays.target = torch.tensor([targets])
        return Tabular(self.schema, arrays).decode().items.iloc[0]

    def show(self, max_n: int = 10) -> None:
        """Print up to `max_n` rows as they were before they were encoded."""
        display_rows(self.taken(np.arange(min(max_n, len(self)))).decode().items)

    def request_columns(self) -> list[Column]:
        """The columns that a server takes in a row: the inputs, with the categories seen."""
        categories, numbers = self.schema.read
        seen = {name: list(self.classes.get(name, ()))[1:] for name in categories}
        return [
            *(Column(name, is_number=False, choices=seen[name]) for name in categories),
            *(Column(name, is_number=True) for name in numbers),
        ]

    def to_answer(self, scores: Any, vocab: Any = None) -> dict[str, Any]:  # noqa: ARG002 - as all answers
        """What a server tells of one row that was predicted: its targets, and what was unseen.

        Args:
            scores: the prediction, from which probabilities of classes are.
            vocab: of no use here; the target knows its classes.
        """
        row = {name: self.column(name)[0] for name in self.y_names}
        told = {} if self.schema.target is None else self.schema.target.told(row, scores)
        unseen = {str(name): list(counted) for name, counted in self.unseen.items()}
        return {**told, "unseen": unseen} if unseen else told

    def settings(self) -> dict[str, Any]:
        """The keywords by which `from_settings` makes a table like this one, without rows."""
        return {"schema": self.schema}

    @classmethod
    def from_settings(cls, schema: Schema) -> Tabular:
        """A table without rows."""
        empty = Source({name: [] for name in [*schema.read[0], *schema.read[1]]})
        made = Tabular(schema, read_arrays(empty, empty.names, schema.read[1]))
        return made.process()

    def new_empty(self) -> Tabular:
        """A table like this one, without rows."""
        return Tabular.from_settings(self.schema)


class _Located:
    """Rows chosen by place or label, as a `Tabular`."""

    def __init__(self, table: Tabular, places: Any) -> None:
        self._table, self._places = table, places

    def __getitem__(self, key: Any) -> Tabular:
        return self._table.taken(np.atleast_1d(np.asarray(self._places[key])))


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names[:8])) + (f" and {len(names) - 8} more" if names[8:] else "")
