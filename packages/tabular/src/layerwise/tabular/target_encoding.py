"""`TargetEncode`: categories as what the target is like where they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from layerwise.core.errors import nearest
from layerwise.tabular.columns import Names, listed_names
from layerwise.tabular.procs import TabularProc
from layerwise.tabular.targets import Several

__all__ = ["TargetEncode"]


class TargetEncode(TabularProc):
    """Adds columns of numbers: the mean of the target over the rows of a category.

    For columns of so many categories that an embedding has few rows to learn each from. Means of
    rare categories are drawn to that of all rows (Micci-Barreca, 2001), which is also what missing
    and unseen ones get. A training row gets the mean of rows in the other folds: with its own
    target in it, the column would tell the model what it is to predict.

    For numbers the new column is `<name>_mean`, for two classes `<name>_<second class>`, and for
    several classes, labels or targets there is one for each.

    Args:
        names: the columns to encode, or one; all columns of categories when None. They stay.
        smoothing: how many rows the mean of all rows counts for.
        folds: parts of the training rows; 2 or more.
        seed: decides the folds.
        means, columns: what was learnt: by column a row of means for each code, and the new names;
            for making an equal one.

    Raises:
        ValueError: for tables without target, and names that are no columns of categories.

    Example:
        >>> import pandas as pd
        >>> from layerwise.tabular.pandas_table import TabularPandas
        >>> from layerwise.tabular.procs import Categorify
        >>> df = pd.DataFrame({"town": ["a", "b"] * 50, "price": [1.0, 3.0] * 50})
        >>> to = TabularPandas(df, [Categorify, TargetEncode(smoothing=0)], "town", y_names="price")
        >>> to.conts["town_mean"].head(2).tolist()
        [1.0, 3.0]
    """

    order: float = 1.5  # after Categorify, before Normalize

    def __init__(
        self,
        names: Names = None,
        smoothing: float = 20.0,
        folds: int = 5,
        seed: int = 0,
        *,
        means: Mapping[Any, Any] | None = None,
        columns: Mapping[Any, Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        if folds < 2:
            raise ValueError(f"folds={folds}; a row is encoded by other rows, so give 2 or more")
        if smoothing < 0:
            raise ValueError(f"smoothing={smoothing}; it is a number of rows, 0 or more")
        self.names = None if names is None else listed_names(names)
        self.smoothing, self.folds, self.seed = smoothing, folds, seed
        self.means = {name: np.asarray(rows) for name, rows in (means or {}).items()}
        self.columns = {name: list(new) for name, new in (columns or {}).items()}
        # What the training rows get, until `encodes` has put it there.
        self._trained: tuple[Any, dict[Any, np.ndarray]] | None = None

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        own = ("names", "smoothing", "folds", "seed", "means", "columns")
        return {name: getattr(self, name) for name in own}

    def setups(self, to: Any) -> None:
        """Learn the means of each category, and those of the training rows by the other folds."""
        target = to.schema.target
        if target is None:
            raise ValueError("TargetEncode needs a target; name y_names")
        names = list(to.classes) if self.names is None else self.names
        for name in names:
            if name not in to.classes:
                known = list(map(str, to.classes))
                raise ValueError(
                    f"TargetEncode is to encode {name!r}, which is no column of categories."
                    f"{nearest(str(name), known)} Put it in cat_names, and Categorify among the "
                    "procs"
                )
        values, suffixes = _as_numbers(target, to)
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(values), generator=generator).numpy()
        fold_of = np.empty(len(values), dtype=np.int64)
        fold_of[order] = np.arange(len(values)) % self.folds
        trained = {}
        for name in names:
            codes, count = to.column(name).astype(np.int64), len(to.classes[name])
            self.means[name] = self._means(codes, values, count)
            trained[name] = np.empty(values.shape)
            for fold in range(self.folds):
                rest, own = fold_of != fold, fold_of == fold
                trained[name][own] = self._means(codes[rest], values[rest], count)[codes[own]]
            self.columns[name] = [f"{name}_{suffix}" for suffix in suffixes]
            for column in self.columns[name]:
                to.add_name(column, "number", of=name)
        self._trained = to, trained

    def _means(self, codes: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
        """(count, T) mean of the targets for each code, that of all rows where there are none."""
        overall = values.mean(0) if len(values) else np.zeros(values.shape[1])
        rows = np.bincount(codes, minlength=count)[:, None] + self.smoothing
        sums = np.stack([np.bincount(codes, v, minlength=count) for v in values.T], 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (sums + self.smoothing * overall) / rows
        return np.where(rows > 0, means, overall)

    def encodes(self, to: Any) -> None:
        """Add the columns."""
        trained, self._trained = self._trained, None
        for name, columns in self.columns.items():
            values = self.means[name][np.asarray(to.column(name), dtype=np.int64)]
            if trained is not None:
                table, rows = trained
                values[table.row_numbers] = rows[name]
            for i, column in enumerate(columns):
                to.set_column(column, values[:, i])


def _as_numbers(target: Any, to: Any) -> tuple[np.ndarray, list[str]]:
    """(N, T) targets of the training rows as numbers, and a name for each."""
    if isinstance(target, Several):
        each = [_as_numbers(part, to) for part in target.parts]
        suffixes = zip(target.names, (names for _, names in each), strict=True)
        values = np.concatenate([numbers for numbers, _ in each], 1)
        return values, [f"{name}_{suffix}" for name, own in suffixes for suffix in own]
    coded = target.encode({name: to.column(name) for name in target.names})
    if coded.ndim == 2:
        names = target.vocab if target.vocab is not None else target.names
        values = coded.double().numpy()
        return values, ["mean"] if values.shape[1] == 1 else [f"mean_{n}" for n in names]
    hot = np.eye(target.c)[coded.numpy()]
    if target.c == 2:
        return hot[:, 1:], [str(target.vocab[1])]
    return hot, [str(label) for label in target.vocab]
