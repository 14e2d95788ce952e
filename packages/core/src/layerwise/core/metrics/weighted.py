"""Items with weights: one weight an item, in the order of the set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.metrics.metric import Metric
from layerwise.core.metrics.sizes import wide_dtype

__all__ = ["WeightedMetric"]


class WeightedMetric(Metric):
    """Base of metrics that take a `sample_weight`.

    Args:
        sample_weight: (N,) a weight for each item of the set, in its order, so only for loaders
            that do not shuffle; each counts once when None.
    """

    merges: ClassVar[Mapping[str, str]] = {"_seen": "sum"}

    def __init__(self, sample_weight: Sequence[float] | Tensor | Any | None = None) -> None:
        self.sample_weight = (
            None
            if sample_weight is None
            else torch.as_tensor(sample_weight, dtype=torch.float64, device="cpu").reshape(-1)
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._seen = 0

    def unmergeable(self) -> str | None:
        """Why this metric cannot be shared out between processes, None when it can."""
        if self.sample_weight is not None:
            return (
                f"{type(self).__name__} got sample_weight, one for each item in the order of the "
                "set, which several processes share out; leave it out, or measure this metric in "
                "one process"
            )
        return super().unmergeable()

    def _take_weights(self, count: int, device: torch.device) -> Tensor | None:
        """(count,) weights of the next items, or None when all count once."""
        start, self._seen = self._seen, self._seen + count
        if self.sample_weight is None:
            return None
        if self._seen > len(self.sample_weight):
            raise ValueError(
                f"{type(self).__name__} has {len(self.sample_weight)} weights in sample_weight and "
                f"has now seen {self._seen} items; give one weight for each item of the set"
            )
        return self.sample_weight[start : self._seen].to(device, wide_dtype(device))
