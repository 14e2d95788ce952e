"""`WeightedDL`: some samples come more often than others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.data.loaders import TfmdDL
from layerwise.core.random import generator

__all__ = ["WeightedDL"]


class WeightedDL(TfmdDL):
    """A loader that draws each sample of an epoch with a chance in proportion to its weight.

    An epoch has as many samples as the data, drawn with replacement: some come several times, each
    time with an augmentation of its own, others not at all. Without `shuffle`, as for predictions,
    every sample comes once, in order, and weights play no part.

    Args:
        dataset: samples.
        bs: samples per batch.
        shuffle: draw by weight, anew each epoch.
        wgts: a weight for each sample, 0 or more; all equal when None.
        kwargs: the other arguments of `TfmdDL`.

    Raises:
        ValueError: if weights do not fit the data, or cannot be weights.

    Example:
        >>> dl = WeightedDL(["a", "b", "c"], bs=3, wgts=[0, 1, 1])
        >>> "a" in dl.one_batch()
        False
    """

    def __init__(
        self,
        dataset: Any,
        bs: int | None = 64,
        shuffle: bool = True,
        *,
        wgts: Sequence[float] | Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        self.wgts: Tensor | None = None
        super().__init__(dataset, bs, shuffle, **kwargs)
        if wgts is not None:
            self.wgts = checked_weights(wgts, len(dataset))

    def get_idxs(self) -> list[Any]:
        """The indices of one epoch, drawn by weight."""
        if not self.shuffle or self.wgts is None:
            return super().get_idxs()
        return drawn_by_weight(self.wgts[: self.n]).tolist()

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        return {**super().settings(), "wgts": self.wgts}

    def new(self, dataset: Any = None, cls: Any = None, **kwargs: Any) -> Any:
        """A loader like this one; over other data, it has no weights unless they are given."""
        if dataset is not None and dataset is not self.dataset:
            kwargs = {"wgts": None, **kwargs}
        if cls is not None and not issubclass(cls, WeightedDL):
            raise TypeError(
                f"a {cls.__name__} has no weights; make it from its data set, not from a WeightedDL"
            )
        return super().new(dataset, cls, **kwargs)


def checked_weights(wgts: Sequence[float] | Tensor, count: int) -> Tensor:
    """(count,) the weights in double precision, if they can be weights of so many samples."""
    weights = torch.as_tensor(wgts, dtype=torch.float64)
    if weights.shape != (count,):
        told = f"weights of shape {tuple(weights.shape)} for {count} samples; give one each"
        raise ValueError(told)
    wrong = weights[~((weights >= 0) & weights.isfinite())]
    if len(wrong):
        raise ValueError(f"a weight of {wrong[0].item():g}; give finite numbers of 0 or more")
    if not weights.any():
        raise ValueError(f"all {count} weights are 0; give one above 0 at least")
    return weights


def drawn_by_weight(wgts: Tensor) -> Tensor:
    """(N,) draws, with replacement, of indices in proportion to their weights (N,)."""
    upper = wgts.cumsum(0)
    drawn = torch.rand(len(wgts), dtype=torch.float64, generator=generator()) * upper[-1]
    # Of a sum that rounding left a little short, the last sample with a weight is meant.
    last = int(wgts.nonzero()[-1])
    return torch.searchsorted(upper, drawn, right=True).clamp(max=last)
