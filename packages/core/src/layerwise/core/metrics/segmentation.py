"""Metrics for masks.

Predictions are class scores of each pixel, (N, K, H, W) with classes along `axis`; targets class
indices, (N, H, W) or (N, 1, H, W). All pixels of the set count together, so that the batch size
does not matter; only counts are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.metrics.counts import CountMetric, f_of_counts, jaccard_of_counts
from layerwise.core.metrics.metric import Metric
from layerwise.core.metrics.pooled import pooled
from layerwise.core.metrics.sizes import added, plain_tensor

__all__ = ["Dice", "DiceMulti", "JaccardCoeff", "JaccardCoeffMulti", "foreground_acc"]

# N pictures, K classes, H by W pixels.


@pooled(finish=lambda share: share)
def foreground_acc(
    inp: Tensor, targ: Tensor, bkg_idx: int = 0, axis: int = 1
) -> tuple[Tensor, Tensor]:
    """() the share of pixels outside of the background whose class is right.

    As a metric, of all such pixels of the set; nan if there are none.

    Args:
        inp: (N, K, H, W) class scores.
        targ: (N, H, W) or (N, 1, H, W) class indices.
        bkg_idx: the class of the background, which does not count.
        axis: where the classes are in `inp`.

    Raises:
        ValueError: if there is not one target for each pixel.

    Example:
        >>> scores = torch.eye(2)[[0, 1, 1]].T[None, :, None]           # (1, 2, 1, 3)
        >>> foreground_acc(scores, torch.tensor([[[0, 1, 1]]]))
        tensor(1.)
    """
    decided, true = flatten_check(plain_tensor(inp).argmax(dim=axis), targ)
    counted = true != bkg_idx
    return ((decided == true) & counted).sum(), counted.sum()


class _Overlap(Metric):
    """Base of overlaps of foreground and background; every class but 0 is foreground.

    Args:
        axis: where the classes are in the predictions.
    """

    merges: ClassVar[Mapping[str, str]] = {"_counts": "sum"}

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._counts: Tensor | None = None  # (3,) pixels: right, predicted, true

    def update(self, pred: Any, *targets: Any) -> None:
        """Count the pixels of one batch."""
        decided, true = flatten_check(plain_tensor(pred).argmax(dim=self.axis), targets[0])
        decided, true = decided != 0, true != 0
        counts = torch.stack([(decided & true).sum(), decided.sum(), true.sum()])
        self._counts = added(self._counts, counts)

    def _score(self, counts: Tensor) -> Tensor:
        """The score for (3, ...) counts."""
        raise NotImplementedError

    @property
    def value(self) -> float | None:
        """The overlap; None when no foreground was predicted or true."""
        if self._counts is None:
            return None
        counts = self._counts.cpu().double()
        return self._score(counts).item() if counts.any() else None


class Dice(_Overlap):
    """Twice the intersection by the sum of both areas, of the foreground (Dice 1945).

    Every class but 0 is foreground; `DiceMulti` has a score for each class. None when there is no
    foreground, neither predicted nor true.

    Args:
        axis: where the classes are in the predictions.

    Example:
        >>> Dice(axis=-1)(torch.eye(2)[[0, 1, 1, 1]], torch.tensor([0, 0, 1, 0]))
        0.5
    """

    def _score(self, counts: Tensor) -> Tensor:
        return f_of_counts(counts)


class JaccardCoeff(_Overlap):
    """Intersection by union of the foreground (Jaccard 1901).

    Every class but 0 is foreground; `JaccardCoeffMulti` has a score for each class. None when there
    is no foreground, neither predicted nor true.

    Args:
        axis: where the classes are in the predictions.

    Example:
        >>> JaccardCoeff(axis=-1)(torch.eye(2)[[0, 1, 1, 0]], torch.tensor([0, 0, 1, 0]))
        0.5
    """

    def _score(self, counts: Tensor) -> Tensor:
        return jaccard_of_counts(counts)


class _ClassOverlap(CountMetric):
    """Base of overlaps of each class: their mean over the classes that occur."""

    def __init__(self, axis: int = 1) -> None:
        super().__init__(axis)

    def _score(self, counts: Tensor) -> Tensor:
        """The score for (3, ...) counts."""
        raise NotImplementedError

    @property
    def value(self) -> float | None:
        """The mean over the classes that were predicted or true."""
        table = self._table()
        if table is None:
            return None
        return self._score(table[:, table[1:].sum(0) > 0]).mean().item()


class DiceMulti(_ClassOverlap):
    """The mean over classes of Dice, background included.

    A class that is neither predicted nor true does not count.

    Args:
        axis: where the classes are in the predictions.

    Example:
        >>> DiceMulti(axis=-1)(torch.eye(3)[[0, 0, 1]], torch.tensor([0, 0, 1]))
        1.0
    """

    def _score(self, counts: Tensor) -> Tensor:
        return f_of_counts(counts)


class JaccardCoeffMulti(_ClassOverlap):
    """The mean over classes of intersection by union, background included (mean IoU).

    A class that is neither predicted nor true does not count.

    Args:
        axis: where the classes are in the predictions.

    Example:
        >>> JaccardCoeffMulti(axis=-1)(torch.eye(2)[[0, 1]], torch.tensor([0, 0]))
        0.25
    """

    def _score(self, counts: Tensor) -> Tensor:
        return jaccard_of_counts(counts)
