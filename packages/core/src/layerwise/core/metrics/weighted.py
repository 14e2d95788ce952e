"""Items with weights: one weight an item, in the order of the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
