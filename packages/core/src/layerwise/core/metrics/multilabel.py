"""Metrics of decisions for several labels an item.

Predictions are scores with labels along the last axis, targets 0 or 1 in the same shape. With
`sigmoid=True` predictions are logits. A label is predicted where the probability is above `thresh`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.metrics.counts import (
    average_scores,
    check_average,
    f_of_counts,
    jaccard_of_counts,
    matthews_of_counts,
    precision_of_counts,
    recall_of_counts,
)
from layerwise.core.metrics.sizes import added, plain_tensor, single_or_wider, wide_dtype
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = [
    "F1ScoreMulti",
    "FBetaMulti",
    "HammingLossMulti",
    "JaccardMulti",
    "MatthewsCorrCoefMulti",
    "MultiLabelScore",
    "PrecisionMulti",
    "RecallMulti",
    "accuracy_multi",
    "check_positive",
    "label_rows",
]

# N items, K labels.


def accuracy_multi(inp: Tensor, targ: Tensor, thresh: float = 0.5, sigmoid: bool = True) -> Tensor:
    """() the share of labels, of all items together, that are predicted rightly.

    Args:
        inp: scores.
        targ: 0 or 1, as many.
        thresh: predicted are labels with a probability above it.
        sigmoid: `inp` are logits.

    Raises:
        ValueError: if there is not one target for each score.

    Example:
        >>> accuracy_multi(torch.tensor([[2., -2.]]), torch.tensor([[1., 1.]]))
        tensor(0.5000)
    """
    scores, true = flatten_check(inp, targ)
    scores = single_or_wider(scores).sigmoid() if sigmoid else scores
    return ((scores > thresh) == true.bool()).mean(dtype=torch.float32)


def label_rows(pred: Tensor, target: Tensor, sigmoid: bool) -> tuple[Tensor, Tensor]:
    """(N, K) scores and (N, K) truth, as booleans."""
    scores, true = single_or_wider(plain_tensor(pred.detach())), plain_tensor(target)
    if scores.shape != true.shape:
        raise ValueError(
            f"predictions of shape {tuple(scores.shape)} and targets of shape {tuple(true.shape)} "
            "differ; targets are 0 or 1 for each label (OneHotEncode makes them from indices)"
        )
    scores = scores.sigmoid() if sigmoid else scores
    size = scores.shape[-1]
    return scores.reshape(-1, size), true.reshape(-1, size).bool()


def _chosen(labels: Sequence[int] | None, x: Tensor) -> Tensor:
    """The columns of `x` for `labels`, all when None."""
    if labels is None:
        return x
    if any(not 0 <= label < x.shape[1] for label in labels):
        raise ValueError(f"labels={list(labels)}; the labels are 0..{x.shape[1] - 1}")
    return x[:, list(labels)]


class _Decisions(WeightedMetric):
    """Base of scores of decisions: counts of each label, and a sum of scores of items.

    Args:
        thresh: predicted are labels with a probability above it.
        sigmoid: predictions are logits.
        labels: the labels that count, all when None.
        sample_weight: weights of the items, in the order of the set.
    """

    merges: ClassVar[Mapping[str, str]] = {
        **WeightedMetric.merges, "_counts": "sum", "_weight": "sum", "_by_item": "sum",
    }  # fmt: skip

    def __init__(
        self,
        thresh: float = 0.5,
        sigmoid: bool = True,
        labels: Sequence[int] | None = None,
        sample_weight: Any | None = None,
    ) -> None:
        self.thresh, self.sigmoid, self.labels = thresh, sigmoid, labels
        super().__init__(sample_weight)

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._counts: Tensor | None = None  # (3, K) right, predicted, true
        self._weight: Tensor | float = 0
        self._by_item: Tensor | None = None

    def update(self, pred: Any, *targets: Any) -> None:
        """Count one batch of scores and truth, (N, K) each."""
        scores, true = label_rows(pred, targets[0], self.sigmoid)
        true = _chosen(self.labels, true)
        decided = _chosen(self.labels, scores) > self.thresh
        dtype = wide_dtype(true.device)
        weights = self._take_weights(len(true), true.device)
        parts = torch.stack([decided & true, decided, true]).to(dtype)  # (3, N, K)
        self._add_items(parts.sum(-1), weights)
        counts = parts.sum(1) if weights is None else torch.einsum("cnk,n->ck", parts, weights)
        self._counts = added(self._counts, counts)
        self._weight = added(self._weight, len(true) if weights is None else weights.sum())

    def _add_items(self, counts: Tensor, weights: Tensor | None) -> None:
        """Take in (3, N) counts of each item, for scores that are averaged over items."""

    def _table(self) -> tuple[Tensor, Tensor] | None:
        """(3, K) counts and the () number of items, None when nothing was seen."""
        if self._counts is None or not self._seen:
            return None
        return self._counts.cpu().double(), torch.as_tensor(self._weight).cpu().double()


class MultiLabelScore(_Decisions):
    """Base of F, precision, recall and Jaccard: a score of each label, then their average.

    Args:
        thresh: predicted are labels with a probability above it.
        sigmoid: predictions are logits.
        labels: the labels that count, all when None.
        pos_label: 1; a label is there or not.
        average: "macro": mean of the labels; "weighted": by how often they are true; "micro": all
            decisions together; "samples": mean of the items.
        sample_weight: weights of the items, in the order of the set.

    Raises:
        ValueError: if `average` or `pos_label` is another.
    """

    def __init__(
        self,
        thresh: float = 0.5,
        sigmoid: bool = True,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: str = "macro",
        sample_weight: Any | None = None,
    ) -> None:
        caller = type(self).__name__
        check_average(caller, average, ["macro", "micro", "samples", "weighted"])
        check_positive(caller, pos_label)
        super().__init__(thresh, sigmoid, labels, sample_weight)
        self.average = average

    def _score(self, counts: Tensor) -> Tensor:
        """The score for (3, ...) counts."""
        raise NotImplementedError

    def _add_items(self, counts: Tensor, weights: Tensor | None) -> None:
        if self.average == "samples":
            scores = self._score(counts)
            total = scores.sum() if weights is None else scores @ weights
            self._by_item = added(self._by_item, total)

    @property
    def value(self) -> float | None:
        """The score, averaged over labels or items."""
        table = self._table()
        if table is None:
            return None
        counts, weight = table
        if self._by_item is not None:
            return (self._by_item.cpu() / weight).item()
        if self.average == "micro":
            return self._score(counts.sum(1)).item()
        return average_scores(self._score(counts), counts[2], self.average)


def check_positive(caller: str, pos_label: int) -> None:
    """Raise a `ValueError` unless the positive value of a label is 1."""
    if pos_label != 1:
        raise ValueError(
            f"{caller} got pos_label={pos_label}; a label is there (1) or not, so leave it out, or "
            "give the metric 1 - predictions and 1 - targets"
        )


class PrecisionMulti(MultiLabelScore):
    """How many of the predicted labels are right; see `MultiLabelScore`.

    Example:
        >>> PrecisionMulti()(torch.tensor([[1.], [1.]]), torch.tensor([[1.], [0.]]))
        0.5
    """

    _name = "precision_score"

    def _score(self, counts: Tensor) -> Tensor:
        return precision_of_counts(counts)


class RecallMulti(MultiLabelScore):
    """How many of the true labels were found; see `MultiLabelScore`.

    Example:
        >>> RecallMulti()(torch.tensor([[1.], [1.]]), torch.tensor([[1.], [0.]]))
        1.0
    """

    _name = "recall_score"

    def _score(self, counts: Tensor) -> Tensor:
        return recall_of_counts(counts)


class JaccardMulti(MultiLabelScore):
    """Intersection by union of predicted and true labels; see `MultiLabelScore`.

    Example:
        >>> JaccardMulti()(torch.tensor([[1.], [1.]]), torch.tensor([[1.], [0.]]))
        0.5
    """

    _name = "jaccard_score"

    def _score(self, counts: Tensor) -> Tensor:
        return jaccard_of_counts(counts)


class F1ScoreMulti(MultiLabelScore):
    """Harmonic mean of precision and recall; see `MultiLabelScore`.

    Example:
        >>> round(F1ScoreMulti()(torch.tensor([[1.], [1.]]), torch.tensor([[1.], [0.]])), 4)
        0.6667
    """

    _name = "f1_score"

    def _score(self, counts: Tensor) -> Tensor:
        return f_of_counts(counts)


class FBetaMulti(MultiLabelScore):
    """Mean of precision and recall in which recall weighs `beta` times as much.

    See `MultiLabelScore`.

    Example:
        >>> round(FBetaMulti(2)(torch.tensor([[1.], [1.]]), torch.tensor([[1.], [0.]])), 4)
        0.8333
    """

    _name = "fbeta_score"

    def __init__(
        self,
        beta: float,
        thresh: float = 0.5,
        sigmoid: bool = True,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: str = "macro",
        sample_weight: Any | None = None,
    ) -> None:
        super().__init__(thresh, sigmoid, labels, pos_label, average, sample_weight)
        self.beta = beta

    def _score(self, counts: Tensor) -> Tensor:
        return f_of_counts(counts, self.beta)


class HammingLossMulti(_Decisions):
    """The share of labels that are predicted wrongly.

    Args:
        thresh: predicted are labels with a probability above it.
        sigmoid: predictions are logits.
        labels: the labels that count, all when None.
        sample_weight: weights of the items, in the order of the set.

    Example:
        >>> HammingLossMulti()(torch.tensor([[1., 1.]]), torch.tensor([[1., 0.]]))
        0.5
    """

    _name = "hamming_loss"

    @property
    def value(self) -> float | None:
        """The share."""
        table = self._table()
        if table is None:
            return None
        (right, predicted, true), weight = table
        wrong = predicted + true - 2 * right
        return float(wrong.sum() / (weight * len(true)))


class MatthewsCorrCoefMulti(_Decisions):
    """Correlation of predicted and true labels, all labels of all items together.

    Args:
        thresh: predicted are labels with a probability above it.
        sigmoid: predictions are logits.
        sample_weight: weights of the items, in the order of the set.

    Example:
        >>> MatthewsCorrCoefMulti()(torch.tensor([[1., -1.]]), torch.tensor([[1., 0.]]))
        1.0
    """

    _name = "matthews_corrcoef"

    def __init__(
        self, thresh: float = 0.5, sigmoid: bool = True, sample_weight: Any | None = None
    ) -> None:
        super().__init__(thresh, sigmoid, None, sample_weight)

    @property
    def value(self) -> float | None:
        """The coefficient, 0 if undefined."""
        table = self._table()
        if table is None:
            return None
        total = table[1] * table[0].shape[1]
        right, predicted, true = table[0].sum(1)
        absent = total - predicted - true + right
        pairs = [[absent, right], [total - predicted, predicted], [total - true, true]]
        counts = torch.tensor(pairs, dtype=torch.float64)
        return matthews_of_counts(counts, total)
