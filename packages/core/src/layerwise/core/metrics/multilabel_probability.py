"""Metrics of probabilities for several labels an item.

Predictions are scores with labels along the last axis, targets 0 or 1 in the same shape. With
`sigmoid=True` predictions are logits. The rankings keep all probabilities on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from layerwise.core.metrics.collected import CollectedMetric
from layerwise.core.metrics.counts import check_average
from layerwise.core.metrics.curves import average_precision, columns_score, roc_area
from layerwise.core.metrics.multilabel import check_positive, label_rows
from layerwise.core.metrics.probability import checked_max_fpr
from layerwise.core.metrics.sizes import added, wide_dtype
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = ["APScoreMulti", "BrierScoreMulti", "RocAucMulti"]

# N items, K labels.


class BrierScoreMulti(WeightedMetric):
    """The mean squared distance of the probabilities of labels from 0 or 1 (Brier 1950).

    Args:
        thresh: score decisions above this instead of probabilities; None leaves them.
        sigmoid: predictions are logits.
        sample_weight: weights of the items, in the order of the set.
        pos_label: 1, or None for the same.

    Example:
        >>> import torch
        >>> BrierScoreMulti()(torch.zeros(2, 2), torch.eye(2))
        0.25
    """

    _name = "brier_score_loss"
    merges: ClassVar[Mapping[str, str]] = {
        **WeightedMetric.merges, "_total": "sum", "_weight": "sum",
    }  # fmt: skip

    def __init__(
        self,
        thresh: float | None = None,
        sigmoid: bool = True,
        sample_weight: Any | None = None,
        pos_label: int | None = None,
    ) -> None:
        check_positive("BrierScoreMulti", 1 if pos_label is None else pos_label)
        self.thresh, self.sigmoid = thresh, sigmoid
        super().__init__(sample_weight)

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._total: Tensor | None = None
        self._weight: Tensor | float = 0

    def update(self, pred: Any, *targets: Any) -> None:
        """Add one batch of scores and truth, (N, K) each."""
        scores, true = label_rows(pred, targets[0], self.sigmoid)
        dtype = wide_dtype(true.device)
        scores = scores if self.thresh is None else scores > self.thresh
        distance = (scores.to(dtype) - true.to(dtype)).square().mean(1)
        weights = self._take_weights(len(true), true.device)
        total = distance.sum() if weights is None else distance @ weights
        self._total = added(self._total, total)
        self._weight = added(self._weight, len(true) if weights is None else weights.sum())

    @property
    def value(self) -> float | None:
        """The mean distance."""
        if self._total is None or not self._seen:
            return None
        return float(self._total / self._weight)


class _MultiRanking(CollectedMetric):
    """Base of rankings of labels: keeps all probabilities."""

    def __init__(self, sigmoid: bool, average: str, sample_weight: Any | None) -> None:
        check_average(type(self).__name__, average, ["macro", "micro", "samples", "weighted"])
        self.sigmoid, self.average = sigmoid, average
        super().__init__(sample_weight)

    def update(self, pred: Any, *targets: Any) -> None:
        """Keep one batch of scores and truth, (N, K) each."""
        self._keep(*label_rows(pred, targets[0], self.sigmoid))

    def _curve_score(self, true: Any, score: Any, weights: Any) -> float:
        """The score of one label."""
        raise NotImplementedError

    @property
    def value(self) -> float | None:
        """The score, averaged over labels or items."""
        collected = self._collected()
        if collected is None:
            return None
        score, true = collected[0].double().numpy(), collected[1].numpy()
        weights = self._all_weights(len(true))
        kept = None if weights is None else weights.numpy()
        return columns_score(self._curve_score, true, score, kept, average=self.average)


class APScoreMulti(_MultiRanking):
    """Average precision of the labels; 0 for a label that is never true.

    Args:
        sigmoid: predictions are logits.
        average: "macro", "weighted", "micro" or "samples", as in `MultiLabelScore`.
        pos_label: 1.
        sample_weight: weights of the items, in the order of the set.

    Example:
        >>> import torch
        >>> APScoreMulti()(torch.eye(2), torch.eye(2))
        1.0
    """

    _name = "average_precision_score"

    def __init__(
        self,
        sigmoid: bool = True,
        average: str = "macro",
        pos_label: int = 1,
        sample_weight: Any | None = None,
    ) -> None:
        check_positive("APScoreMulti", pos_label)
        super().__init__(sigmoid, average, sample_weight)

    def _curve_score(self, true: Any, score: Any, weights: Any) -> float:
        return average_precision(true, score, weights)


class RocAucMulti(_MultiRanking):
    """Area under the ROC curve of the labels; nan if one is true always or never.

    Args:
        sigmoid: predictions are logits.
        average: "macro", "weighted", "micro" or "samples", as in `MultiLabelScore`.
        sample_weight: weights of the items, in the order of the set.
        max_fpr: only false positive rates up to this one.

    Example:
        >>> import torch
        >>> RocAucMulti()(torch.eye(2), torch.eye(2))
        1.0
    """

    _name = "roc_auc_score"

    def __init__(
        self,
        sigmoid: bool = True,
        average: str = "macro",
        sample_weight: Any | None = None,
        max_fpr: float | None = None,
    ) -> None:
        super().__init__(sigmoid, average, sample_weight)
        self.max_fpr = checked_max_fpr(max_fpr)

    def _curve_score(self, true: Any, score: Any, weights: Any) -> float:
        return roc_area(true, score, weights, max_fpr=self.max_fpr)
