"""`MeanAP`: how well boxes are found, as COCO measures it.

Shapes: B pictures, K boxes found, N boxes wanted, D boxes found in all, T shares of overlap.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.core.metrics.metric import BatchState, Metric
from layerwise.core.metrics.sizes import plain_tensor
from layerwise.core.train.predict import activation_of
from layerwise.vision.coords import box_is_empty
from layerwise.vision.detect.boxes import box_iou

__all__ = ["MeanAP"]

_COCO = tuple(0.5 + 0.05 * i for i in range(10))
_RECALLS = np.linspace(0, 1, 101)

Array = np.ndarray[Any, Any]


class MeanAP(Metric):
    """Mean average precision: over classes, and over the overlap that counts as found.

    A found box is right if it overlaps a box of its class and picture enough that no better found
    box has taken; each, best first, takes the one that it overlaps most. The average precision of a
    class is the mean, at 101 shares of boxes found, of the best precision reached with that share
    or a larger one (Lin et al., "Microsoft COCO", 2014). Classes without boxes do not count. The
    value is the same for any batch size.

    In a training loop the boxes found are what the loss function makes of the outputs
    (`RetinaLoss.activation`): its `min_score`, `iou_threshold` and `max_boxes` count here too.

    Args:
        iou: the overlap that counts as found; the mean over 0.5, 0.55 to 0.95 if None.
        label: measure this class alone; 1 is the first after '#na#'.

    Example:
        >>> box, other = [0.0, 0.0, 0.5, 0.5], [-1.0, -1.0, -0.5, -0.5]
        >>> wanted = torch.tensor([[box, other]]), torch.tensor([[1, 1]])
        >>> found = torch.tensor([[box]]), torch.tensor([[0.9]]), torch.tensor([[1]])
        >>> metric = MeanAP(iou=0.5)
        >>> metric.update(found, *wanted)
        >>> metric.name, round(metric.value, 3)
        ('AP50', 0.505)
    """

    merges: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("_scores", "_labels", "_hits", "_wanted"), "concat"
    )

    @names_nearest
    def __init__(self, iou: float | None = None, label: int | None = None) -> None:
        if iou is not None and not 0 < iou <= 1:
            raise ValueError(f"iou={iou}; a share of overlap is above 0 and at most 1")
        if label is not None and label < 1:
            raise ValueError(f"label={label}; the first class is 1, since 0 is the background")
        self.iou, self.label = iou, label
        kind = "mAP" if iou is None else f"AP{100 * iou:g}"
        self._name = kind if label is None else f"{kind}_{label}"
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._scores: list[Tensor] = []  # (K,) each
        self._labels: list[Tensor] = []  # (K,)
        self._hits: list[Tensor] = []  # (K, T)
        self._wanted: list[Tensor] = []  # (N,) labels

    def accumulate(self, learn: BatchState) -> None:
        """Take in the batch that a training loop has just seen."""
        self.update(activation_of(learn.loss_func)(learn.pred), *learn.yb)

    def update(self, pred: Any, *targets: Any) -> None:
        """Take in one batch.

        Args:
            pred: (B, K, 4) boxes found, (B, K) scores, (B, K) labels; label 0 is none.
            targets: (B, N, 4) boxes wanted, (B, N) labels; label 0, or no area, is none.
        """
        found, wanted = (tuple(plain_tensor(x.detach()).cpu() for x in y) for y in (pred, targets))
        if len(found) != 3 or len(wanted) != 2:
            raise ValueError(
                f"MeanAP got {len(found)} predictions and {len(wanted)} targets; it takes boxes, "
                "scores and labels, and boxes and labels of the targets"
            )
        for boxes, scores, labels, own, kinds in zip(*found, *wanted, strict=True):
            is_found, is_wanted = labels > 0, (kinds > 0) & ~box_is_empty(own)
            if self.label is not None:
                is_found, is_wanted = labels == self.label, is_wanted & (kinds == self.label)
            scores, order = scores[is_found].float().sort(descending=True, stable=True)
            boxes, labels = boxes[is_found][order], labels[is_found][order]
            own, kinds = own[is_wanted], kinds[is_wanted]
            overlap = box_iou(boxes.float(), own.float()) * (labels[:, None] == kinds[None])
            self._scores.append(scores)
            self._labels.append(labels)
            self._hits.append(torch.from_numpy(_hits(overlap.numpy(), self._shares())))
            self._wanted.append(kinds)

    def _shares(self) -> Array:
        return np.array(_COCO if self.iou is None else [self.iou])

    @property
    def value(self) -> float | None:
        """The mean over classes; None where there was no box to find."""
        by_label = self.by_label()
        return sum(by_label.values()) / len(by_label) if by_label else None

    def by_label(self) -> dict[int, float]:
        """The average precision of each class that has boxes, by its label."""
        if not self._wanted:
            return {}
        scores, labels, hits, wanted = (
            torch.cat(x).numpy() for x in (self._scores, self._labels, self._hits, self._wanted)
        )
        order = np.argsort(-scores, kind="stable")
        labels, hits = labels[order], hits[order]
        kinds, counts = np.unique(wanted, return_counts=True)
        return {
            int(kind): _average_precision(hits[labels == kind], int(count))
            for kind, count in zip(kinds, counts, strict=True)
        }


def _hits(overlap: Array, shares: Array) -> Array:
    """(K, T) whether each found box is right, at each share of overlap.

    Args:
        overlap: (K, N) of boxes found, best first, with those wanted; 0 for other classes.
        shares: (T,) the shares.
    """
    count, wanted = overlap.shape
    hits = np.zeros((count, len(shares)), dtype=bool)
    free = np.ones((len(shares), wanted), dtype=bool)
    rows = np.arange(len(shares))
    for i in range(count if wanted else 0):
        near = np.where(free & (overlap[i] >= shares[:, None]), overlap[i], -1.0)  # (T, N)
        best = near.argmax(1)
        hits[i] = near[rows, best] > 0
        free[rows, best] &= ~hits[i]
    return hits


def _average_precision(hits: Array, wanted: int) -> float:
    """The average precision of one class, mean over the shares of overlap.

    Args:
        hits: (D, T) whether each found box is right, best first over the whole set.
        wanted: how many boxes there were to find.
    """
    right = hits.cumsum(0)
    precision = right / np.arange(1, len(hits) + 1)[:, None]
    # The best precision with as many found or more: from the end forwards.
    precision = np.maximum.accumulate(precision[::-1], 0)[::-1]
    values = []
    for t in range(hits.shape[1]):
        at = np.searchsorted(right[:, t] / wanted, _RECALLS, side="left")
        reached = at < len(hits)
        values.append(np.where(reached, np.append(precision[:, t], 0)[at], 0).mean())
    return float(np.mean(values))
