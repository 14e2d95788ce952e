"""Scores from counts of right, predicted and true items of each class.

All of precision, recall, F, Jaccard and their averages follow from three numbers a class, so that a
metric keeps 3 x K numbers however large the set. A ratio of nothing by nothing is 0, as in
scikit-learn, but without a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.errors import nearest
from layerwise.core.metrics.sizes import added, plain_tensor, wide_dtype
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = [
    "CountMetric",
    "average_scores",
    "check_average",
    "count_labels",
    "decided_classes",
    "f_of_counts",
    "jaccard_of_counts",
    "matthews_of_counts",
    "precision_of_counts",
    "ratio_or_zero",
    "recall_of_counts",
]

# K classes; counts are (3, K): right (predicted and true), predicted, true.


def ratio_or_zero(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Element by element, 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0.0, numerator / denominator)


def precision_of_counts(counts: Tensor) -> Tensor:
    """(...) how much of what was predicted is right, from (3, ...) counts."""
    right, predicted, _ = counts
    return ratio_or_zero(right, predicted)


def recall_of_counts(counts: Tensor) -> Tensor:
    """(...) how much of what is true was predicted, from (3, ...) counts."""
    right, _, true = counts
    return ratio_or_zero(right, true)


def f_of_counts(counts: Tensor, beta: float = 1.0) -> Tensor:
    """(...) harmonic mean of precision and recall, from (3, ...) counts.

    Recall weighs `beta` times as much as precision (van Rijsbergen 1979).

    Example:
        >>> f_of_counts(torch.tensor([2., 4., 4.]))
        tensor(0.5000)
    """
    right, predicted, true = counts
    return ratio_or_zero((1 + beta**2) * right, beta**2 * true + predicted)


def jaccard_of_counts(counts: Tensor) -> Tensor:
    """(...) size of the intersection by size of the union (Jaccard 1901), from (3, ...) counts."""
    right, predicted, true = counts
    return ratio_or_zero(right, predicted + true - right)


def matthews_of_counts(counts: Tensor, total: Tensor) -> float:
    """Correlation of predicted and true classes (Matthews 1975; Gorodkin 2004), 0 if undefined.

    Args:
        counts: (3, K) right, predicted, true.
        total: () number of items.
    """
    right, predicted, true = counts
    together = right.sum() * total - predicted @ true
    spread = (total**2 - predicted @ predicted) * (total**2 - true @ true)
    return ratio_or_zero(together, spread.sqrt()).item()


def average_scores(scores: Tensor, true: Tensor, average: str) -> float:
    """One number from (K,) scores of classes: their mean, or weighted by (K,) true counts."""
    if average == "weighted" and true.sum() > 0:
        return (scores @ true / true.sum()).item()
    return scores.mean().item() if scores.numel() else 0.0


def check_average(caller: str, average: str, allowed: Sequence[str]) -> None:
    """Raise a `ValueError` if `average` is not one of `allowed`."""
    if average not in allowed:
        raise ValueError(
            f"{caller} got average={average!r}.{nearest(str(average), allowed)} "
            f"It takes: {', '.join(allowed)}"
        )


def decided_classes(pred: Tensor, target: Tensor, axis: int) -> tuple[Tensor, Tensor, int]:
    """The class with the largest prediction (N,), the true class (N,), and how many classes.

    Args:
        pred: class scores, classes along `axis`.
        target: class indices.
        axis: where the classes are in `pred`.

    Raises:
        ValueError: if there is not one target for each decision.
    """
    decided, true = flatten_check(pred.argmax(dim=axis), target)
    return decided, true.long(), pred.shape[axis]


def count_labels(decided: Tensor, true: Tensor, classes: int, weights: Tensor | None) -> Tensor:
    """(3, K+1) right, predicted and true items of each class; the last is for invalid targets.

    Invalid targets are counted rather than refused here, since looking would wait for the device.

    Args:
        decided: (N,) class indices.
        true: (N,) class indices, perhaps outside of 0..K-1.
        classes: K.
        weights: (N,) of the items, or None when each counts once.

    Example:
        >>> count_labels(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2, None)[:, :2].tolist()
        [[1.0, 1.0], [1.0, 2.0], [2.0, 1.0]]
    """
    dtype = wide_dtype(decided.device)
    if weights is None:
        weights = torch.ones((), dtype=dtype, device=decided.device).expand(len(decided))
    true = torch.where((true < 0) | (true >= classes), classes, true)
    counts = torch.zeros(3, classes + 1, dtype=dtype, device=decided.device)
    counts[0].index_add_(0, true, weights * (decided == true))
    counts[1].index_add_(0, decided, weights)
    counts[2].index_add_(0, true, weights)
    return counts


class CountMetric(WeightedMetric):
    """Base of metrics with one target class an item: counts of each class, nothing else.

    Args:
        axis: where the classes are in the predictions.
        sample_weight: weights of the items, in the order of the set.
    """

    merges: ClassVar[Mapping[str, str]] = {**WeightedMetric.merges, "_counts": "sum"}

    def __init__(self, axis: int = -1, sample_weight: Any | None = None) -> None:
        self.axis = axis
        super().__init__(sample_weight)

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._counts: Tensor | None = None

    def update(self, pred: Any, *targets: Any) -> None:
        """Count one batch.

        Args:
            pred: class scores, (N, K) or with classes along `axis`.
            targets: first the class indices.
        """
        decided, true, classes = decided_classes(plain_tensor(pred), targets[0], self.axis)
        self._check_classes(classes)
        weights = self._take_weights(len(true), true.device)
        counts = count_labels(decided, true, classes, weights)
        self._counts = added(self._counts, counts)

    def _check_classes(self, classes: int) -> None:
        """Raise if the metric is not made for this many classes."""

    def _table(self) -> Tensor | None:
        """(3, K) counts in float64 on the CPU, None when nothing was seen.

        Raises:
            ValueError: if there were targets that are no class.
        """
        if self._counts is None:
            return None
        counts = self._counts.cpu().double()
        if counts[2, -1] > 0:
            raise ValueError(
                f"{type(self).__name__} got {counts[2, -1].item():g} targets outside of "
                f"0..{counts.shape[1] - 2}, the classes along axis {self.axis} of the predictions; "
                "check `axis`, and drop items that are to be ignored before they get here"
            )
        return counts[:, :-1] if counts[1].any() else None
