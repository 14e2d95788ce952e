"""What is known of users or items beside ratings, as numbers: a row for each code.

Shapes: N codes (`#na#` first), F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.collab.ids import Ids
from layerwise.core.errors import DataError, nearest

__all__ = ["feature_matrix"]


def feature_matrix(df: Any, ids: Ids) -> Tensor:
    """(N, F) features of users or items, in the order of their codes.

    A column of numbers or truth values is one feature, with mean 0 and standard deviation 1. Any
    other column is one for each value, 1 where it holds. Ids without a row, and missing values,
    have zeros: they are at the mean, and have no value.

    Args:
        df: a row for each user or item, with the column `ids.name`; rows of others do not matter.
        ids: of the users, or of the items: `dls.train_ds.users`, `dls.train_ds.items`.

    Raises:
        TypeError: if `df` is no frame.
        DataError: if the column of ids is missing, an id has two rows, or a number is infinite.

    Example:
        >>> films = pd.DataFrame({"film": ["Alien", "Brazil"], "year": [1979, 1985], "kind": "sf"})
        >>> feature_matrix(films, Ids("film", ["Brazil", "Alien", "Cube"]))
        tensor([[ 0.,  0.],
                [ 1.,  1.],
                [-1.,  1.],
                [ 0.,  0.]])
    """
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"features come as a frame of pandas, not as {type(df).__name__}")
    if ids.name not in df.columns:
        close = nearest(ids.name, map(str, df.columns))
        raise DataError(
            f"the features have no column {ids.name!r} that says whose they are.{close}"
        )
    codes = ids.codes(df[ids.name])
    known = df[codes > 0]
    codes = codes[codes > 0]
    if len(np.unique(codes)) < len(codes):
        twice = known[ids.name][known[ids.name].duplicated()].iloc[0]
        raise DataError(f"the features have several rows for {ids.name} {twice!r}; give one each")
    columns = [_of(known[name]) for name in df.columns if name != ids.name]
    if not columns:
        raise DataError(f"the features have no column beside {ids.name!r}")
    features = np.zeros((len(ids), sum(c.shape[1] for c in columns)), np.float32)
    features[codes] = np.concatenate(columns, axis=1)
    return torch.from_numpy(features)


def _of(column: pd.Series) -> NDArray[np.float32]:
    """(rows, F) the features of one column."""
    if not pd.api.types.is_numeric_dtype(column):
        return pd.get_dummies(column).to_numpy(np.float32)
    values = column.to_numpy(np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise DataError(f"column {column.name!r} of the features holds an infinite number")
    there = ~np.isnan(values)
    centre, spread = (values[there].mean(), values[there].std()) if there.any() else (0.0, 1.0)
    scaled = np.where(there, (values - centre) / (spread or 1.0), 0.0)
    return scaled.astype(np.float32)[:, None]
