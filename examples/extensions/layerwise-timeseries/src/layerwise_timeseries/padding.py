"""`PadSeries`: series of unequal length in one batch."""

from __future__ import annotations

from typing import Any

import torch
from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform

from layerwise_timeseries.types import TensorSeries

__all__ = ["PadSeries"]

# C: channels. T: steps. P: steps of the longest series of a batch.


class PadSeries(Transform):
    """Series of a batch filled up with NaN at their end; for `before_batch`. Decoding cuts it off.

    Models of this package know NaN as what is not there, so that a series is predicted the same
    alone and beside longer ones.

    Args:
        at_least: steps of the shortest batch.

    Example:
        >>> short, long = TensorSeries([[1.0]]), TensorSeries([[1.0, 2.0]])
        >>> [tuple(x.shape) for x, _ in PadSeries()([(short, 0), (long, 1)])]
        [(1, 2), (1, 2)]
    """

    def __init__(self, at_least: int = 1) -> None:
        super().__init__()
        self.at_least = at_least

    def encodes(self, samples: list) -> Any:  # type: ignore[type-arg]  # dispatch takes the class
        """The samples of a batch, their series (C, P)."""
        series = [x for s in samples for x in _members(s) if isinstance(x, TensorSeries)]
        size = max([self.at_least, *(x.shape[-1] for x in series)])
        return [_with(s, [_filled(x, size) for x in _members(s)]) for s in samples]

    def decodes(self, x: TensorSeries) -> TensorSeries:
        """(C, T) without the filling."""
        return x.trimmed() if x.ndim == 2 else x


def _members(sample: Any) -> tuple[Any, ...]:
    return sample if isinstance(sample, tuple) else (sample,)


def _with(sample: Any, members: list[Any]) -> Any:
    return tuple(members) if isinstance(sample, tuple) else members[0]


def _filled(x: Any, size: int) -> Any:
    if not isinstance(x, TensorSeries) or x.shape[-1] == size:
        return x
    more = size - x.shape[-1]
    return dress(torch.nn.functional.pad(x.as_plain(), (0, more), value=float("nan")), x)
