"""`SeriesDataLoaders`: loaders of series and their classes, or numbers, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter, RandomSplitter

from layerwise_timeseries.blocks import SeriesBlock
from layerwise_timeseries.reading import read_ts

__all__ = ["SeriesDataLoaders"]


class SeriesDataLoaders(DataLoaders):
    """Loaders of series.

    Both methods take besides: `batch_tfms` and `standardize`, see `SeriesBlock`; `y_block`, the
    block of the targets, by default one class; `kwargs`, settings of the loaders (`bs`, ...).
    """

    @classmethod
    def from_arrays(
        cls,
        x: Sequence[Any],
        y: Sequence[Any],
        x_valid: Sequence[Any] | None = None,
        y_valid: Sequence[Any] | None = None,
        valid_pct: float = 0.2,
        seed: int | None = None,
        batch_tfms: Any = None,
        standardize: bool = True,
        y_block: Any = CategoryBlock,
        path: str | Path = ".",
        **kwargs: Any,
    ) -> DataLoaders:
        """From series in memory.

        Args:
            x: (C, T) or (T,) each, as an array, a tensor or a list; of any length.
            y: the target of each.
            x_valid: those that validate; a random share of `x` when None.
            y_valid: their targets.
            valid_pct: that share.
            seed: decides on it.
            batch_tfms: see the class, as are all that follow.
            standardize: see the class.
            y_block: see the class.
            path: where what belongs to the task is written.
            kwargs: see the class.

        Raises:
            ValueError: if there are not as many targets as series.

        Example:
            >>> dls = SeriesDataLoaders.from_arrays([[1, 2, 3], [3, 2, 1]] * 5, [0, 1] * 5, bs=4)
            >>> tuple(dls.one_batch()[0].shape)
            (4, 1, 3)
        """
        if (x_valid is None) != (y_valid is None):
            raise ValueError("x_valid and y_valid go together")
        items = _pairs(x, y)
        splitter: Any = RandomSplitter(valid_pct, seed=seed)
        if x_valid is not None and y_valid is not None:
            items += _pairs(x_valid, y_valid)
            splitter = IndexSplitter(range(len(x), len(items)))
        block = DataBlock(
            (SeriesBlock(batch_tfms, standardize), y_block),
            getters=[ItemGetter(0), ItemGetter(1)],
            splitter=splitter,
        )
        return cls.from_dblock(block, items, path=path, **kwargs)

    @classmethod
    def from_ts(
        cls, train: str | Path, valid: str | Path | None = None, **kwargs: Any
    ) -> DataLoaders:
        """From files of the UCR and UEA archives, see `read_ts`.

        Args:
            train: the file to train on.
            valid: the file to validate on; a random share of the other when None.
            kwargs: arguments of `from_arrays`.
        """
        seen = read_ts(train)
        kept = read_ts(valid) if valid is not None else None
        return cls.from_arrays(
            seen.series, seen.labels, kept and kept.series, kept and kept.labels,
            **{"path": Path(train).parent, **kwargs},
        )  # fmt: skip


def _pairs(x: Sequence[Any], y: Sequence[Any]) -> list[tuple[Any, Any]]:
    if len(x) != len(y):
        raise ValueError(f"{len(x)} series and {len(y)} targets; give one for each")
    return list(zip(x, y, strict=True))
