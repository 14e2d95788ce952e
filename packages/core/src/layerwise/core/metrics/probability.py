"""Metrics of probabilities for one class an item.

Predictions are class scores before the softmax, targets class indices. `BrierScore` keeps a sum;
the rankings keep the probabilities on the CPU, since any two items may have to be compared: of two
classes those of one, of K classes all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.errors import nearest
from layerwise.core.metrics.collected import CollectedMetric
from layerwise.core.metrics.counts import check_average
from layerwise.core.metrics.curves import average_precision, multiclass_auc, roc_area
from layerwise.core.metrics.sizes import added, plain_tensor, single_or_wider, wide_dtype
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = ["APScoreBinary", "BrierScore", "RocAuc", "RocAucBinary", "checked_max_fpr"]

# N items, K classes.


class BrierScore(WeightedMetric):
    """The mean squared distance of the probabilities (softmax) from the truth (Brier 1950).

    With two classes that of the positive class alone, with more the sum over classes.

    Args:
        axis: where the classes are in the predictions.
        sample_weight: weights of the items, in the order of the set.
        pos_label: the positive one of two classes, 1 when None.

    Example:
        >>> BrierScore()(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))
        0.25
    """

    _name = "brier_score_loss"
    merges: ClassVar[Mapping[str, str]] = {
        **WeightedMetric.merges, "_total": "sum", "_weight": "sum",
    }  # fmt: skip

    def __init__(
        self, axis: int = -1, sample_weight: Any | None = None, pos_label: int | None = None
    ) -> None:
        self.axis, self.pos_label = axis, pos_label
        super().__init__(sample_weight)

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._total: Tensor | None = None
        self._weight: Tensor | float = 0

    def update(self, pred: Any, *targets: Any) -> None:
        """Add one batch of class scores and class indices."""
        probabilities, true = _probabilities(pred, targets[0], self.axis)
        classes = torch.arange(probabilities.shape[1], device=true.device)
        wide = probabilities.to(wide_dtype(true.device))
        distance = (wide - (true[:, None] == classes).to(wide.dtype)).square()
        if len(classes) == 2:
            distance = distance[:, 1 if self.pos_label is None else self.pos_label]
        else:
            distance = distance.sum(1)
        weights = self._take_weights(len(true), true.device)
        total = distance.sum() if weights is None else distance @ weights
        self._total = added(self._total, total)
        self._weight = added(self._weight, len(true) if weights is None else weights.sum())

    @property
    def value(self) -> float | None:
        """The mean distance."""
        seen = self._total is not None and self._seen
        return float(self._total / self._weight) if seen and self._total is not None else None


def _probabilities(pred: Tensor, target: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """(N, K) softmax of the class scores and (N,) class indices."""
    scores = single_or_wider(plain_tensor(pred.detach())).movedim(axis, -1)
    _, true = flatten_check(scores[..., 0], target)
    return scores.flatten(0, -2).softmax(-1), true.long()


class RocAuc(CollectedMetric):
    """Area under the ROC curve of the probabilities (softmax), averaged over classes.

    It is nan when a class has no item, since its curve does not exist. Two classes have one curve.

    Args:
        axis: where the classes are in the predictions.
        average: "macro" or "weighted" (by how often a class is true); for "ovr" also "micro".
        sample_weight: weights of the items, in the order of the set; not for "ovo".
        max_fpr: for two classes: only false positive rates up to this one.
        multi_class: "ovr": each class against the rest; "ovo": each pair of classes.

    Example:
        >>> RocAuc()(torch.eye(3), torch.tensor([0, 1, 2]))
        1.0
    """

    _name = "roc_auc_score"

    def __init__(
        self,
        axis: int = -1,
        average: str = "macro",
        sample_weight: Any | None = None,
        max_fpr: float | None = None,
        multi_class: Literal["ovr", "ovo"] = "ovr",
    ) -> None:
        kinds = ["ovr", "ovo"]
        if multi_class not in kinds:
            close = nearest(str(multi_class), kinds)
            raise ValueError(f"RocAuc got multi_class={multi_class!r}.{close} It takes: ovr, ovo")
        allowed = ["macro", "weighted"] + (["micro"] if multi_class == "ovr" else [])
        check_average(f"RocAuc(multi_class={multi_class!r})", average, allowed)
        if multi_class == "ovo" and sample_weight is not None:
            raise ValueError("RocAuc takes sample_weight for multi_class='ovr' only")
        super().__init__(sample_weight)
        self.axis, self.average, self.max_fpr = axis, average, checked_max_fpr(max_fpr)
        self.multi_class = multi_class

    def update(self, pred: Any, *targets: Any) -> None:
        """Keep the probabilities of one batch.

        Raises:
            ValueError: if `max_fpr` is given for more than two classes.
        """
        probabilities, true = _probabilities(pred, targets[0], self.axis)
        if self.max_fpr not in (None, 1) and probabilities.shape[1] > 2:
            raise ValueError(
                f"max_fpr={self.max_fpr} is for two classes, not {probabilities.shape[1]}; "
                "leave it out"
            )
        if probabilities.shape[1] == 2:
            self._keep(probabilities[:, 1], true == 1)
        else:
            # 32 bits hold any class, in half the memory of the indices as they come.
            self._keep(probabilities, true.int())

    @property
    def value(self) -> float | None:
        """The area."""
        collected = self._collected()
        if collected is None:
            return None
        score, true = collected[0].double().numpy(), collected[1].numpy()
        kept = self._all_weights(len(true))
        weights = None if kept is None else kept.numpy()
        if score.ndim == 1:
            return roc_area(true, score, weights, max_fpr=self.max_fpr)
        return multiclass_auc(
            true, score, weights, average=self.average, multi_class=self.multi_class
        )


def checked_max_fpr(max_fpr: float | None) -> float | None:
    """`max_fpr`, if it is a rate; else a `ValueError`."""
    if max_fpr is not None and not 0 < max_fpr <= 1:
        raise ValueError(
            f"max_fpr={max_fpr}; give a false positive rate above 0 and up to 1, or None"
        )
    return max_fpr


class _BinaryRanking(CollectedMetric):
    """Base of rankings of two classes: keeps the probability of the positive one."""

    def __init__(self, axis: int = -1, sample_weight: Any | None = None) -> None:
        super().__init__(sample_weight)
        self.axis = axis

    def update(self, pred: Any, *targets: Any) -> None:
        """Keep one batch of two class scores (softmax) or of one score (sigmoid) an item.

        Raises:
            ValueError: if there are more than two classes.
        """
        scores = single_or_wider(plain_tensor(pred.detach()))
        targ = plain_tensor(targets[0])
        if scores.numel() == targ.numel():
            self._keep(scores.reshape(-1).sigmoid(), targ.reshape(-1))
            return
        if scores.shape[self.axis] != 2:
            raise ValueError(
                f"{type(self).__name__} is for two classes; predictions of shape "
                f"{tuple(scores.shape)} have {scores.shape[self.axis]} along axis {self.axis}; "
                "use RocAuc for more, or the metrics that end in Multi for several labels an item"
            )
        self._keep(*flatten_check(scores.softmax(self.axis).select(self.axis, 1), targ))

    def _arrays(self) -> tuple[Any, Any, Any] | None:
        """Targets, scores and weights, (N,) each."""
        collected = self._collected()
        if collected is None:
            return None
        weights = self._all_weights(len(collected[1]))
        return (
            collected[1].numpy(),
            collected[0].double().numpy(),
            None if weights is None else weights.numpy(),
        )


class RocAucBinary(_BinaryRanking):
    """Area under the ROC curve for two classes; nan when all items are of one class.

    Args:
        axis: where the classes are; models with one output an item need none.
        sample_weight: weights of the items, in the order of the set.
        max_fpr: only false positive rates up to this one.

    Example:
        >>> RocAucBinary()(torch.tensor([[1., 0.], [0., 1.]]), torch.tensor([0, 1]))
        1.0
    """

    _name = "roc_auc_score"

    def __init__(
        self, axis: int = -1, *, sample_weight: Any | None = None, max_fpr: float | None = None
    ) -> None:
        super().__init__(axis, sample_weight)
        self.max_fpr = checked_max_fpr(max_fpr)

    @property
    def value(self) -> float | None:
        """The area."""
        arrays = self._arrays()
        if arrays is None:
            return None
        true, score, weights = arrays
        return roc_area(true == 1, score, weights, max_fpr=self.max_fpr)


class APScoreBinary(_BinaryRanking):
    """Average precision for two classes; 0 when there are no positives.

    Args:
        axis: where the classes are; models with one output an item need none.
        pos_label: the class that is searched.
        sample_weight: weights of the items, in the order of the set.

    Example:
        >>> APScoreBinary()(torch.tensor([[1., 0.], [0., 1.]]), torch.tensor([0, 1]))
        1.0
    """

    _name = "average_precision_score"

    def __init__(
        self, axis: int = -1, *, pos_label: int = 1, sample_weight: Any | None = None
    ) -> None:
        super().__init__(axis, sample_weight)
        self.pos_label = pos_label

    @property
    def value(self) -> float | None:
        """The average precision."""
        arrays = self._arrays()
        if arrays is None:
            return None
        true, score, weights = arrays
        return average_precision(true == self.pos_label, score, weights)
