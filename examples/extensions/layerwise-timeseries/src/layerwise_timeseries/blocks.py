"""`SeriesBlock`: what series need on their way into a batch."""

from __future__ import annotations

from typing import Any

from layerwise.core.data.block import TransformBlock
from layerwise.core.items import listify

from layerwise_timeseries.padding import PadSeries
from layerwise_timeseries.scaling import StandardizeSeries
from layerwise_timeseries.types import ToSeries

__all__ = ["SeriesBlock"]


def SeriesBlock(batch_tfms: Any = None, standardize: bool = True) -> TransformBlock:
    """A block for series: from arrays (T,) or (C, T), of any length.

    Args:
        batch_tfms: what varies the batches of training, such as `[NoiseSeries(), WarpTime()]`.
        standardize: bring channels to one scale, by what the training data have.

    Example:
        >>> from layerwise.core.data.block import CategoryBlock, DataBlock
        >>> from layerwise.core.data.readers import ItemGetter
        >>> items = [([1.0, 2.0, 3.0], "up"), ([3.0, 1.0], "down")] * 4
        >>> getters = [ItemGetter(0), ItemGetter(1)]
        >>> block = DataBlock((SeriesBlock, CategoryBlock), getters=getters)
        >>> x, y = block.dataloaders(items, bs=4).one_batch()
        >>> type(x).__name__, x.ndim
        ('TensorSeries', 3)
    """
    scale = [StandardizeSeries()] if standardize else []
    return TransformBlock(
        type_tfms=[ToSeries()],
        batch_tfms=[*scale, *listify(batch_tfms)],
        dls_kwargs={"before_batch": PadSeries()},
    )
