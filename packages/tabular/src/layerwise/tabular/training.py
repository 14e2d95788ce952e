"""`layerwise train tabular`: a column of a table from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.core.data.block import CategoryBlock
from layerwise.core.data.split import RandomSplitter
from layerwise.core.errors import DataError, nearest, warn_user
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.regression import mae, rmse
from layerwise.tabular.data import read_table
from layerwise.tabular.dates import add_datepart
from layerwise.tabular.frames import cont_cat_split
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.quantiles import NormalizeQuantiles

__all__ = ["tabular_training"]

# What trains them well; any other model starts from that of all learners.
_RATES = {"mlp": 5e-3}


def tabular_training(
    data: Path,
    target: str,
    *,
    model: str = "mlp",
    classes: bool = False,
    categories: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    dates: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    delimiter: str = ",",
    valid_pct: float = 0.2,
    bs: int = 128,
    seed: int = 42,
) -> Learner:
    """Train a net that predicts a column of a table from the others.

    A target of texts is a class, one of numbers a number. Types tell categories from numbers
    unless columns are named.

    Args:
        data: a file of separated values with names in its first row.
        target: the column to predict; rows without it are left out.
        model: mlp, resnet, ft_transformer, or another of the registry.
        classes: numbers in the target are classes.
        categories: columns that are categories, whatever is in them.
        numbers: columns that are numbers, whatever is in them.
        dates: columns of dates, which become year, month, day of the week and so on.
        skip: columns to leave out.
        delimiter: what parts the columns.
        valid_pct: the share of rows that validates.
        bs: rows in a batch.
        seed: of the share that validates.
    """
    df = read_table(data, delimiter=delimiter)
    for name in (target, *categories, *numbers, *dates, *skip):
        if name not in df:
            raise DataError(f"{data} has no column {name!r}.{nearest(name, map(str, df))}")
    if missing := int(df[target].isna().sum()):
        warn_user(f"{missing} of {len(df)} rows have no {target!r}; they are left out")
    df = df.drop(columns=list(skip)).dropna(subset=[target]).reset_index(drop=True)
    for name in dates:
        df = add_datepart(df, name)
    by_type = df.drop(columns=[*categories, *numbers])
    found_numbers, found_categories = cont_cat_split(by_type, dep_var=target)
    table = TabularPandas(
        df,
        [Categorify, FillMissing, NormalizeQuantiles],
        [*categories, *found_categories],
        [*numbers, *found_numbers],
        target,
        CategoryBlock() if classes else None,
        splits=RandomSplitter(valid_pct, seed)(df),
    )
    y_range: tuple[float, float] | None = None
    metrics: list[Any] = [accuracy]
    if table.vocab is None:  # a little more than the range of the target
        low, high = float(table.train.y.min()), float(table.train.y.max())
        y_range = (low - 0.05 * (high - low), high + 0.05 * (high - low))
        metrics = [rmse, mae]
    return tabular_learner(
        table.dataloaders(bs),
        arch=model,
        y_range=y_range,
        metrics=metrics,
        lr=_RATES.get(model, 1e-3),
    )
