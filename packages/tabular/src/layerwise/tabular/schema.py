"""What a table is, without its rows: the columns, what is done to them, and its targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from layerwise.core.transforms.pipeline import Pipeline
from layerwise.tabular.procs import as_proc
from layerwise.tabular.source import Array, Source, numbers
from layerwise.tabular.targets import Target, target_of

__all__: list[str] = []


class Schema:
    """What a table is: its columns, what is done to them, and its targets; without any row.

    Args:
        cat_names, cont_names: inputs, those that `procs` add among them.
        y_names: targets.
        procs: steps that have learnt.
        target: transforms of the target's block, that have learnt; None without target.
        read: the inputs that a new table has to have.
        known: all columns of the training table, those that play no part among them.
        derived: by name of a column that a step added, the column it was made of.
    """

    def __init__(
        self,
        cat_names: Sequence[Any],
        cont_names: Sequence[Any],
        y_names: Sequence[Any],
        procs: Any,
        target: Sequence[Any] | None,
        read: Sequence[Sequence[Any]],
        known: Sequence[Any],
        derived: Mapping[Any, Any] | None = None,
    ) -> None:
        self.cat_names, self.cont_names = list(cat_names), list(cont_names)
        self.y_names, self.procs = list(y_names), Pipeline([as_proc(step) for step in procs])
        self.target: Target | None = None if target is None else target_of(self.y_names, target)
        self.read, self.known = [list(names) for names in read], list(known)
        self.known_names = frozenset(self.known)
        self.derived = dict(derived or {})

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        return {
            "cat_names": self.cat_names,
            "cont_names": self.cont_names,
            "y_names": self.y_names,
            "procs": list(self.procs),
            "target": None if self.target is None else self.target.steps,
            "read": self.read,
            "known": self.known,
            "derived": self.derived,
        }


class Arrays:
    """The columns of all rows, and the matrices that batches are cut from once they are packed.

    Args:
        columns: the values of each column by name.
        length: how many rows there are.
        index: the labels of the rows; None where they have none.
        is_encoded: whether the columns are codes and numbers as the model takes them.
    """

    def __init__(
        self,
        columns: dict[Any, Array],
        length: int,
        index: pd.Index | None = None,
        *,
        is_encoded: bool = False,
    ) -> None:
        self.columns, self.length, self.index = columns, length, index
        self.is_encoded = is_encoded
        self.packed: tuple[Tensor, ...] | None = None
        self.target: Tensor | None = None


def read_arrays(source: Source, names: Sequence[Any], as_numbers: Sequence[Any]) -> Arrays:
    """The columns `names` of a table, those of `as_numbers` as numbers."""
    wanted = set(as_numbers)
    columns = {
        name: numbers(source.column(name), name) if name in wanted else source.column(name)
        for name in names
    }
    return Arrays(columns, len(source), source.index)
