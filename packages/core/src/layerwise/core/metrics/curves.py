"""Scores of how well predictions put the positives first.

Functions of arrays; equal predictions form one step of the curve. A curve that does not exist,
since all items are of one kind, has the area nan.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["average_precision", "columns_score", "multiclass_auc", "roc_area", "tied_ranks"]

# N items, K classes or labels.

Floats = np.ndarray[Any, np.dtype[np.float64]]
Score = Callable[[np.ndarray[Any, np.dtype[np.bool_]], Floats, Floats | None], float]


def _steps(true: NDArray[np.bool_], score: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Positives and negatives at or above each distinct score, from the highest down: (S,) each."""
    order = np.argsort(-score, kind="stable")
    score, true = score[order], true[order]
    weights = np.ones(len(score)) if weights is None else weights[order]
    last = np.r_[np.flatnonzero(np.diff(score)), len(score) - 1]
    return np.cumsum(weights * true)[last], np.cumsum(weights * ~true)[last]


def roc_area(
    true: NDArray[np.bool_],
    score: Floats,
    weights: Floats | None = None,
    *,
    max_fpr: float | None = None,
) -> float:
    """Area under the curve of true against false positive rate (Hanley and McNeil 1982).

    Args:
        true: (N,) which items are positive.
        score: (N,) larger means positive.
        weights: (N,) of the items.
        max_fpr: look only at false positive rates up to this one; the area is then standardised so
            that 0.5 is chance and 1 perfect (McClish 1989).

    Returns:
        0 to 1; nan when there are no positives or no negatives.

    Example:
        >>> roc_area(np.array([False, True, True]), np.array([0.1, 0.4, 0.05]))
        0.5
    """
    positives, negatives = _steps(true, score, weights)
    if not positives[-1] or not negatives[-1]:
        return float("nan")
    rates = np.r_[0.0, positives / positives[-1]]
    alarms = np.r_[0.0, negatives / negatives[-1]]
    if max_fpr is None or max_fpr == 1:
        return _area(alarms, rates)
    stop = int(np.searchsorted(alarms, max_fpr, side="right"))
    end = np.interp(max_fpr, alarms[stop - 1 : stop + 1], rates[stop - 1 : stop + 1])
    partial_area = _area(np.r_[alarms[:stop], max_fpr], np.r_[rates[:stop], end])
    chance = 0.5 * max_fpr**2
    return 0.5 * (1 + (partial_area - chance) / (max_fpr - chance))


def _area(x: Floats, y: Floats) -> float:
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)


def average_precision(
    true: NDArray[np.bool_], score: Floats, weights: Floats | None = None
) -> float:
    """Mean of the precisions at each step, weighted by the recall gained there.

    Args:
        true: (N,) which items are positive.
        score: (N,) larger means positive.
        weights: (N,) of the items.

    Returns:
        0 to 1; 0 when there are no positives.

    Example:
        >>> round(average_precision(np.array([True, False, True]), np.array([.9, .5, .1])), 4)
        0.8333
    """
    positives, negatives = _steps(true, score, weights)
    if not positives[-1]:
        return 0.0
    taken = positives + negatives
    precision = np.divide(positives, taken, out=np.zeros_like(taken), where=taken > 0)
    return float(np.diff(positives, prepend=0.0) @ precision / positives[-1])


def columns_score(
    score_of: Score,
    true: NDArray[np.bool_],
    score: Floats,
    weights: Floats | None,
    *,
    average: str,
) -> float:
    """One number from (N, K) labels and scores.

    Args:
        score_of: (true, score, weights) -> the score of one column.
        true: (N, K).
        score: (N, K).
        weights: (N,) of the items.
        average: "macro" (mean over labels), "weighted" (by positives), "micro" (all as one column)
            or "samples" (mean over items).
    """
    if average == "micro":
        spread = None if weights is None else np.repeat(weights, true.shape[1])
        return score_of(true.ravel(), score.ravel(), spread)
    if average == "samples":
        rows = np.array([score_of(t, s, None) for t, s in zip(true, score, strict=True)])
        return float(np.average(rows, weights=weights))
    columns = np.array([score_of(t, s, weights) for t, s in zip(true.T, score.T, strict=True)])
    if average == "macro":
        return float(columns.mean())
    share = true.sum(0).astype(np.float64) if weights is None else weights @ true
    return float(columns @ share / share.sum()) if share.sum() else 0.0


def multiclass_auc(
    true: NDArray[np.int64],
    score: Floats,
    weights: Floats | None,
    *,
    average: str,
    multi_class: str,
) -> float:
    """Area under the curve for K classes.

    Args:
        true: (N,) class indices.
        score: (N, K) probabilities.
        weights: (N,) of the items, for "ovr" only.
        average: "macro" or "weighted"; for "ovr" also "micro".
        multi_class: "ovr": each class against the rest; "ovo": each pair (Hand and Till 2001).
    """
    classes = np.arange(score.shape[1])
    if multi_class == "ovr":
        return columns_score(roc_area, true[:, None] == classes, score, weights, average=average)
    areas, shares = [], []
    for a, b in combinations(classes, 2):
        pair = (true == a) | (true == b)
        if not pair.any():
            return float("nan")
        forth = roc_area(true[pair] == a, score[pair, a])
        back = roc_area(true[pair] == b, score[pair, b])
        areas.append((forth + back) / 2)
        shares.append(pair.mean())
    return float(np.average(areas, weights=shares if average == "weighted" else None))


def tied_ranks(values: Floats) -> Floats:
    """(N,) ranks from 1; equal values share the mean of their ranks.

    Example:
        >>> tied_ranks(np.array([10., 30., 30.]))
        array([1. , 2.5, 2.5])
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    result: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return result
