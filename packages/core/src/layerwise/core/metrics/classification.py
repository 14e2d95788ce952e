"""Metrics of decisions for one class an item.

Predictions are class scores (logits or probabilities) with classes along `axis`, targets class
indices. Only counts are kept. What scikit-learn warns about (a class that was never predicted) has
the same value here, without warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.errors import nearest
from layerwise.core.metrics.counts import (
    CountMetric,
    average_scores,
    check_average,
    decided_classes,
    f_of_counts,
    jaccard_of_counts,
    matthews_of_counts,
    precision_of_counts,
    recall_of_counts,
)
from layerwise.core.metrics.sizes import added, plain_tensor, wide_dtype
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = [
    "BalancedAccuracy",
    "CohenKappa",
    "F1Score",
    "FBeta",
    "HammingLoss",
    "Jaccard",
    "LabelScore",
    "MatthewsCorrCoef",
    "Precision",
    "Recall",
    "accuracy",
    "error_rate",
    "top_k_accuracy",
]

# N items, K classes.


def accuracy(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """() the share of items whose largest prediction is at the target.

    Args:
        inp: class scores, classes along `axis`.
        targ: class indices.
        axis: -1 for (N, K); 1 for masks, (N, K, H, W).

    Raises:
        ValueError: if there is not one target for each decision.

    Example:
        >>> accuracy(torch.tensor([[.9, .1], [.2, .8]]), torch.tensor([0, 0]))
        tensor(0.5000)
    """
    decided, true = flatten_check(plain_tensor(inp).argmax(dim=axis), targ)
    return (decided == true).mean(dtype=torch.float32)


def error_rate(inp: Tensor, targ: Tensor, axis: int = -1) -> Tensor:
    """() one minus `accuracy`.

    Example:
        >>> error_rate(torch.tensor([[.9, .1], [.2, .8]]), torch.tensor([0, 0]))
        tensor(0.5000)
    """
    return 1 - accuracy(inp, targ, axis=axis)


def top_k_accuracy(inp: Tensor, targ: Tensor, k: int = 5, axis: int = -1) -> Tensor:
    """() the share of items whose target is among the `k` largest predictions.

    Args:
        inp: class scores, classes along `axis`.
        targ: class indices.
        k: how many count as right.
        axis: where the classes are.

    Raises:
        ValueError: if there are fewer than `k` classes, or shapes do not match.

    Example:
        >>> top_k_accuracy(torch.tensor([[.5, .3, .2]]), torch.tensor([1]), k=2)
        tensor(1.)
    """
    if inp.shape[axis] < k:
        raise ValueError(
            f"k={k} of {inp.shape[axis]} classes along axis {axis} of predictions with shape "
            f"{tuple(inp.shape)}; give a k from 1 to {inp.shape[axis]}"
        )
    best = plain_tensor(inp).topk(k=k, dim=axis).indices.movedim(axis, -1)
    flatten_check(best[..., 0], targ)
    return (
        (best.reshape(-1, k) == plain_tensor(targ).reshape(-1, 1)).any(1).mean(dtype=torch.float32)
    )


class LabelScore(CountMetric):
    """Base of F, precision, recall and Jaccard: a score of each class, then their average.

    Args:
        axis: where the classes are in the predictions.
        labels: the classes to average over; those that occur, predicted or true, when None.
        pos_label: the class that counts with `average="binary"`.
        average: "binary" for two classes; "macro": mean of the classes; "weighted": by how often
            they are true; "micro": all decisions together.
        sample_weight: weights of the items, in the order of the set.

    Raises:
        ValueError: if `average` is unknown or does not fit the number of classes.
    """

    def __init__(
        self,
        axis: int = -1,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: str = "binary",
        sample_weight: Any | None = None,
    ) -> None:
        caller = type(self).__name__
        check_average(caller, average, ["binary", "macro", "micro", "weighted"])
        if labels is not None and average == "binary":
            raise ValueError(
                f"{caller} got labels={labels} with average='binary', which scores pos_label "
                "alone; give average='macro', or pos_label without labels"
            )
        super().__init__(axis, sample_weight)
        self.labels, self.pos_label, self.average = labels, pos_label, average

    def _score(self, counts: Tensor) -> Tensor:
        """The score for (3, ...) counts."""
        raise NotImplementedError

    def _check_classes(self, classes: int) -> None:
        caller = type(self).__name__
        if self.average == "binary" and classes != 2:
            raise ValueError(
                f"{caller} got predictions of {classes} classes along axis {self.axis}, but "
                f"average='binary' is for two; give {caller}(average='macro'), 'micro' or "
                "'weighted'"
            )
        wanted = [self.pos_label] if self.average == "binary" else self.labels or []
        if any(not 0 <= label < classes for label in wanted):
            raise ValueError(f"{caller} got labels {wanted}; the classes are 0..{classes - 1}")

    @property
    def value(self) -> float | None:
        """The score, averaged over classes."""
        table = self._table()
        if table is None:
            return None
        if self.average == "binary":
            return self._score(table[:, self.pos_label]).item()
        occurring = table[1:].sum(0) > 0
        table = table[:, occurring] if self.labels is None else table[:, list(self.labels)]
        if self.average == "micro":
            return self._score(table.sum(1)).item()
        return average_scores(self._score(table), table[2], self.average)


class Precision(LabelScore):
    """How much of what was predicted as a class is of that class; see `LabelScore`.

    Example:
        >>> Precision()(torch.tensor([[0., 1.], [0., 1.]]), torch.tensor([1, 0]))
        0.5
    """

    _name = "precision_score"

    def _score(self, counts: Tensor) -> Tensor:
        return precision_of_counts(counts)


class Recall(LabelScore):
    """How much of a class was found; see `LabelScore`.

    Example:
        >>> Recall()(torch.tensor([[0., 1.], [0., 1.]]), torch.tensor([1, 0]))
        1.0
    """

    _name = "recall_score"

    def _score(self, counts: Tensor) -> Tensor:
        return recall_of_counts(counts)


class Jaccard(LabelScore):
    """Intersection by union of predicted and true items; see `LabelScore`.

    Example:
        >>> Jaccard()(torch.tensor([[0., 1.], [0., 1.]]), torch.tensor([1, 0]))
        0.5
    """

    _name = "jaccard_score"

    def _score(self, counts: Tensor) -> Tensor:
        return jaccard_of_counts(counts)


class F1Score(LabelScore):
    """Harmonic mean of precision and recall; see `LabelScore`.

    Example:
        >>> round(F1Score()(torch.tensor([[0., 1.], [0., 1.]]), torch.tensor([1, 0])), 4)
        0.6667
    """

    _name = "f1_score"

    def _score(self, counts: Tensor) -> Tensor:
        return f_of_counts(counts)


class FBeta(LabelScore):
    """Mean of precision and recall in which recall weighs `beta` times as much; see `LabelScore`.

    Example:
        >>> round(FBeta(2)(torch.tensor([[0., 1.], [0., 1.]]), torch.tensor([1, 0])), 4)
        0.8333
    """

    _name = "fbeta_score"

    def __init__(
        self,
        beta: float,
        axis: int = -1,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: str = "binary",
        sample_weight: Any | None = None,
    ) -> None:
        super().__init__(axis, labels, pos_label, average, sample_weight)
        self.beta = beta

    def _score(self, counts: Tensor) -> Tensor:
        return f_of_counts(counts, self.beta)


class BalancedAccuracy(CountMetric):
    """The mean over the true classes of how much of each was found.

    Args:
        axis: where the classes are in the predictions.
        sample_weight: weights of the items, in the order of the set.
        adjusted: scale so that chance is 0; nan when all items are of one class.

    Example:
        >>> BalancedAccuracy()(torch.eye(2)[[0, 0, 0]], torch.tensor([0, 0, 1]))
        0.5
    """

    _name = "balanced_accuracy_score"

    def __init__(
        self, axis: int = -1, sample_weight: Any | None = None, adjusted: bool = False
    ) -> None:
        super().__init__(axis, sample_weight)
        self.adjusted = adjusted

    @property
    def value(self) -> float | None:
        """The mean recall."""
        table = self._table()
        if table is None:
            return None
        right, _, true = table[:, table[2] > 0]
        score = (right / true).mean()
        chance = torch.tensor(1 / max(len(true), 1), dtype=torch.float64)
        return float((score - chance) / (1 - chance) if self.adjusted else score)


class HammingLoss(CountMetric):
    """The share of wrong decisions.

    Args:
        axis: where the classes are in the predictions.
        sample_weight: weights of the items, in the order of the set.

    Example:
        >>> HammingLoss()(torch.eye(2), torch.tensor([0, 0]))
        0.5
    """

    @property
    def value(self) -> float | None:
        """One minus the accuracy."""
        table = self._table()
        return None if table is None else 1 - (table[0].sum() / table[2].sum()).item()


class MatthewsCorrCoef(CountMetric):
    """Correlation of predicted and true classes: 1 perfect, 0 chance or undefined.

    Args:
        sample_weight: weights of the items, in the order of the set.
        axis: where the classes are in the predictions.

    Example:
        >>> MatthewsCorrCoef()(torch.eye(3), torch.tensor([0, 1, 2]))
        1.0
    """

    _name = "matthews_corrcoef"

    def __init__(self, sample_weight: Any | None = None, axis: int = -1) -> None:
        super().__init__(axis, sample_weight)

    @property
    def value(self) -> float | None:
        """The coefficient."""
        table = self._table()
        return None if table is None else matthews_of_counts(table, table[2].sum())


class CohenKappa(WeightedMetric):
    """Agreement of predictions and targets beyond chance (Cohen 1960); keeps K x K counts.

    Args:
        axis: where the classes are in the predictions.
        labels: the classes that count, in order; those that occur when None.
        weights: what a disagreement costs: None, "linear" or "quadratic" in the distance of the
            classes in `labels`.
        sample_weight: weights of the items, in the order of the set.

    Example:
        >>> CohenKappa()(torch.eye(2)[[0, 0, 1, 1]], torch.tensor([0, 0, 1, 0]))
        0.5
    """

    _name = "cohen_kappa_score"
    merges: ClassVar[Mapping[str, str]] = {**WeightedMetric.merges, "_matrix": "sum"}

    def __init__(
        self,
        axis: int = -1,
        labels: Sequence[int] | None = None,
        weights: Literal["linear", "quadratic"] | None = None,
        sample_weight: Any | None = None,
    ) -> None:
        if weights not in (None, "linear", "quadratic"):
            close = nearest(str(weights), ["linear", "quadratic"])
            raise ValueError(
                f"CohenKappa got weights={weights!r}.{close} It takes: None, 'linear', "
                "'quadratic'; weights of items go to sample_weight"
            )
        self.axis, self.labels, self.weights = axis, labels, weights
        super().__init__(sample_weight)

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._matrix: Tensor | None = None

    def update(self, pred: Any, *targets: Any) -> None:
        """Count one batch of class scores and class indices."""
        decided, true, classes = decided_classes(plain_tensor(pred), targets[0], self.axis)
        dtype = wide_dtype(true.device)
        weights = self._take_weights(len(true), true.device)
        if weights is None:
            weights = torch.ones(len(true), dtype=dtype, device=true.device)
        # Invalid targets go to a cell of their own: looking would wait for the device.
        valid = (true >= 0) & (true < classes)
        cell = torch.where(valid, true * classes + decided, classes * classes)
        counts = torch.zeros(classes**2 + 1, dtype=dtype, device=true.device)
        counts.index_add_(0, cell, weights)
        self._matrix = added(self._matrix, counts)

    @property
    def value(self) -> float | None:
        """Kappa; nan when chance agrees always (one class only)."""
        if self._matrix is None or not self._seen:
            return None
        counts = self._matrix.cpu().double()
        size = int(len(counts) ** 0.5)
        if counts[-1] > 0:
            raise ValueError(
                f"CohenKappa got {counts[-1].item():g} targets outside of 0..{size - 1}; check axis"
            )
        matrix = counts[:-1].view(size, size)
        present = (matrix.sum(0) + matrix.sum(1)).nonzero()[:, 0]
        chosen = present if self.labels is None else torch.tensor(list(self.labels))
        matrix = matrix[chosen][:, chosen]
        chance = torch.outer(matrix.sum(1), matrix.sum(0)) / matrix.sum()
        distance = (torch.arange(len(chosen))[:, None] - torch.arange(len(chosen))).abs().double()
        power = {None: 0, "linear": 1, "quadratic": 2}[self.weights]
        cost = (distance > 0).double() if not power else distance**power
        return 1 - ((cost * matrix).sum() / (cost * chance).sum()).item()
