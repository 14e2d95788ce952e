"""`TabularDataLoaders`: loaders for a table in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Self

import pandas as pd
import torch

from layerwise.core.data.csv_check import check_csv
from layerwise.core.data.loader import loader_options
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.errors import refuse_unknown
from layerwise.core.types import PathLike
from layerwise.tabular.columns import Names, listed_names
from layerwise.tabular.frames import cont_cat_split
from layerwise.tabular.loader import TabDataLoader
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.quantiles import NormalizeQuantiles
from layerwise.tabular.source import Source

__all__ = ["TabularDataLoaders", "read_table"]


class TabularDataLoaders(DataLoaders):
    """Loaders for a table and its targets.

    Example:
        >>> import numpy as np
        >>> df = pd.DataFrame({"job": ["clerk", "smith"] * 10, "age": np.linspace(20, 60, 20),
        ...                    "pay": ["low", "high"] * 10})
        >>> dls = TabularDataLoaders.from_df(df, y_names="pay", bs=8, seed=1)
        >>> dls.cat_names, dls.cont_names, dls.vocab, len(dls.valid_ds)
        (['job'], ['age'], ['high', 'low'], 4)
    """

    @classmethod
    def from_df(
        cls,
        df: Any,
        path: PathLike = ".",
        procs: Any = None,
        cat_names: Names = None,
        cont_names: Names = None,
        y_names: Names = None,
        y_block: Any = None,
        valid_idx: Sequence[int] | None = None,
        *,
        valid_pct: float = 0.2,
        seed: int | None = None,
        bs: int = 64,
        val_bs: int | None = None,
        device: torch.device | str | None = None,
        **kwargs: Any,
    ) -> Self:
        """From a frame of pandas or polars, or a table of pyarrow.

        Args:
            df: the table.
            path: where what belongs to the task is written.
            procs: steps of preprocessing; `Categorify`, `FillMissing` and `NormalizeQuantiles` when
                None.
            cat_names: columns of categories.
            cont_names: columns of numbers. Where neither is given, `cont_cat_split` chooses among
                all that are no target; where one is, the other has no column.
            y_names: target columns.
            y_block: what the targets are, see `TabularPandas`.
            valid_idx: numbers of the rows that validate.
            valid_pct: share of the rows that validates, drawn, when `valid_idx` is None.
            seed: decides that draw.
            bs: rows per batch.
            val_bs: of validation; `bs` when None.
            device: where batches go; `default_device()` when None.
            kwargs: other arguments of `Tabular.dataloaders`.
        """
        known = {*_own(cls.from_df), *_own(TabularPandas.dataloaders)}
        known |= set(loader_options(kwargs.get("dl_type") or TabDataLoader))
        refuse_unknown("TabularDataLoaders.from_df", kwargs.keys() - known, known)
        if cat_names is None and cont_names is None:
            frame = df if isinstance(df, pd.DataFrame) else _frame_of(df)
            cont_names, cat_names = cont_cat_split(frame, dep_var=listed_names(y_names))
        splitter = (
            RandomSplitter(valid_pct, seed) if valid_idx is None else IndexSplitter(valid_idx)
        )
        steps = [Categorify, FillMissing, NormalizeQuantiles] if procs is None else procs
        count = len(Source(df))
        splits = splitter(range(count)) if count else None
        to = TabularPandas(df, steps, cat_names, cont_names, y_names, y_block, splits)
        made = to.dataloaders(bs, val_bs=val_bs, path=Path(path), device=device, **kwargs)
        return cls(*made.loaders, path=made.path, device=made.device)

    @classmethod
    def from_csv(
        cls,
        csv: PathLike,
        skipinitialspace: bool = True,
        *,
        delimiter: str = ",",
        encoding: str = "utf-8",
        na_values: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """From a file of separated values, read by `read_table`.

        Args:
            csv: the file.
            skipinitialspace: leave out spaces after a delimiter.
            delimiter: what parts the columns.
            encoding: of the text.
            na_values: a text, or several, that stand for a missing value; see `read_table`.
            kwargs: the arguments of `from_df`.
        """
        df = read_table(
            csv, skipinitialspace, delimiter=delimiter, encoding=encoding, na_values=na_values
        )
        return cls.from_df(df, **kwargs)


def read_table(
    csv: PathLike,
    skipinitialspace: bool = True,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    na_values: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """The table in a file of separated values, once `check_csv` has found no fault.

    Args:
        csv: the file, with the names of the columns in its first line.
        skipinitialspace: leave out spaces after a delimiter.
        delimiter: what parts the columns.
        encoding: of the text.
        na_values: a text, or several, that stand for a missing value, such as "?"; besides those
            that pandas knows: nothing, "NA", "nan" and the like.

    Raises:
        DataError: for lines of different lengths, names that stand twice, and another encoding;
            names file and line.
    """
    check_csv(Path(csv), delimiter, encoding)
    return pd.read_csv(
        Path(csv), skipinitialspace=skipinitialspace, delimiter=delimiter, encoding=encoding,
        na_values=na_values,
    )  # fmt: skip


def _own(function: Callable[..., Any]) -> set[str]:
    """The names of its parameters, for a sentence that names the nearest."""
    return signature(function).parameters.keys() - {"self", "kwargs"}


def _frame_of(data: Any) -> pd.DataFrame:
    """The columns of any table as a frame, for a look at their types."""
    source = Source(data)
    return pd.DataFrame({name: source.column(name) for name in source.names}, copy=False)
