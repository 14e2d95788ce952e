"""Metrics of rankings: how much of what is relevant stands among the first k.

Shapes: B users, C candidates. Targets are 0 for a candidate that is not relevant, above 0 for one
that is, and below 0 for one that is not in the ranking, such as an item rated in training. Rows
without a relevant candidate do not count. Of equal scores, what is not relevant stands first: a
model that says the same of all items gets nothing for their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.collab.losses import check_candidates
from layerwise.core.metrics.metric import Metric, RunningMean
from layerwise.core.metrics.sizes import wide_dtype

__all__ = [
    "CoverageAtK",
    "HitRateAtK",
    "MAPAtK",
    "NDCGAtK",
    "PrecisionAtK",
    "RankingMetric",
    "RecallAtK",
]


class RankingMetric(RunningMean):
    """The mean over users of a number that the first `k` candidates give: an interface.

    Subclasses write `of_users`.

    Args:
        k: how many candidates count.

    Raises:
        ValueError: if `k` is not positive.
    """

    label: ClassVar[str]

    def __init__(self, k: int = 10) -> None:
        super().__init__()
        self.k = _checked_k(k)

    @property
    def name(self) -> str:
        """What it measures, and at which place it stops."""
        return self._name or f"{self.label}@{self.k}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def update(self, pred: Tensor, targ: Tensor, *_more: Any) -> None:
        """Take in one batch.

        Args:
            pred: (B, C) scores.
            targ: (B, C) relevance, see the module.
        """
        check_candidates(type(self).__name__, pred, targ)
        relevance = targ.clamp(min=0).to(wide_dtype(targ.device))
        rows = (relevance > 0).any(1)
        if not rows.any():
            return
        best = _first_places(pred, targ, self.k)
        values = self.of_users(relevance.gather(1, best)[rows], relevance[rows])
        self._add(values.mean(), len(values))

    def of_users(self, found: Tensor, relevance: Tensor) -> Tensor:
        """(B,) the number for each user.

        Args:
            found: (B, k) relevance of the first candidates, best first.
            relevance: (B, C) relevance of all.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define `of_users`")


class PrecisionAtK(RankingMetric):
    """The share of the first `k` that is relevant.

    Args:
        k: how many candidates count.

    Example:
        >>> PrecisionAtK(2)(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[1, 0, 1]]))
        0.5
    """

    label = "precision"

    def of_users(self, found: Tensor, relevance: Tensor) -> Tensor:  # noqa: ARG002 - not needed
        """Relevant ones among the first, over `k`."""
        return (found > 0).sum(1) / self.k


class RecallAtK(RankingMetric):
    """The share of what is relevant that stands among the first `k`.

    Args:
        k: how many candidates count.

    Example:
        >>> RecallAtK(2)(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[1, 0, 1]]))
        0.5
    """

    label = "recall"

    def of_users(self, found: Tensor, relevance: Tensor) -> Tensor:
        """Relevant ones among the first, over all relevant ones."""
        return (found > 0).sum(1) / (relevance > 0).sum(1)


class HitRateAtK(RankingMetric):
    """The share of users for whom anything relevant stands among the first `k`.

    Args:
        k: how many candidates count.

    Example:
        >>> HitRateAtK(1)(torch.tensor([[3.0, 2.0], [3.0, 2.0]]), torch.tensor([[1, 0], [0, 1]]))
        0.5
    """

    label = "hit_rate"

    def of_users(self, found: Tensor, relevance: Tensor) -> Tensor:  # noqa: ARG002 - not needed
        """1 where there is a relevant one among the first."""
        return (found > 0).any(1).to(found.dtype)


class MAPAtK(RankingMetric):
    """Mean average precision: the precision at the place of each relevant candidate, averaged.

    Of a user it is the sum of precisions at those of the first `k` places that hold something
    relevant, over the most there could be: the smaller of `k` and the number of relevant ones.

    Args:
        k: how many candidates count.

    Example:
        >>> MAPAtK(3)(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[1, 0, 1]]))  # (1 + 2/3) / 2
        0.8333...
    """

    label = "map"

    def of_users(self, found: Tensor, relevance: Tensor) -> Tensor:
        """The average precision of each user."""
        hits = (found > 0).to(found.dtype)
        places = torch.arange(1, found.shape[1] + 1, device=found.device)
        precisions = hits.cumsum(1) / places
        most = (relevance > 0).sum(1).clamp(max=self.k)
        return (precisions * hits).sum(1) / most


class NDCGAtK(RankingMetric):
    """Normalised discounted cumulative gain (Jarvelin and Kekalainen, 2002).

    Each of the first `k` gains its relevance over log2(1 + place); of a user, the sum over that of
    the best order there could be.

    Args:
        k: how many candidates count.

    Example:
        >>> NDCGAtK(2)(torch.tensor([[3.0, 2.0]]), torch.tensor([[0, 1]]))  # 1 / log2(3)
        0.6309...
    """

    label = "ndcg"

    def of_users(self, found: Tensor, relevance: Tensor) -> Tensor:
        """The gain of each user over the best."""
        best = relevance.topk(found.shape[1], dim=1).values
        places = torch.arange(2, found.shape[1] + 2, device=found.device, dtype=found.dtype)
        discounts = places.log2()
        return (found / discounts).sum(1) / (best / discounts).sum(1)


class CoverageAtK(Metric):
    """The share of all items that stand among the first `k` of anybody.

    For candidates that are the same items, in the same order, for all users, as those of
    `evaluate_ranking`; items that are in nobody's ranking do not count.

    Args:
        k: how many candidates count.

    Raises:
        ValueError: if `k` is not positive, or batches have different numbers of candidates.

    Example:
        >>> CoverageAtK(1)(torch.tensor([[3.0, 2.0], [4.0, 2.0]]), torch.tensor([[1, 0], [0, 1]]))
        0.5
    """

    merges: ClassVar[Mapping[str, str]] = {"_shown": "max", "_possible": "max"}

    def __init__(self, k: int = 10) -> None:
        self.k = _checked_k(k)
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._shown: Tensor | None = None
        self._possible: Tensor | None = None

    @property
    def name(self) -> str:
        """What it measures, and at which place it stops."""
        return self._name or f"coverage@{self.k}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def update(self, pred: Tensor, targ: Tensor, *_more: Any) -> None:
        """Take in one batch.

        Args:
            pred: (B, C) scores.
            targ: (B, C) relevance, see the module.
        """
        check_candidates("CoverageAtK", pred, targ)
        ranked = targ >= 0
        first = torch.zeros_like(ranked)
        first.scatter_(1, _first_places(pred, targ, self.k), True)
        shown, possible = (first & ranked).any(0), ranked.any(0)
        if self._shown is None or self._possible is None:
            self._shown, self._possible = shown, possible
            return
        if self._shown.shape != shown.shape:
            raise ValueError(
                f"{len(shown)} candidates after {len(self._shown)}; coverage needs the same items "
                "for all users, as evaluate_ranking has them"
            )
        self._shown, self._possible = self._shown | shown, self._possible | possible

    @property
    def value(self) -> float | None:
        """The share of items."""
        if self._shown is None or self._possible is None:
            return None
        return self._shown.sum().item() / max(self._possible.sum().item(), 1)


def _checked_k(k: int) -> int:
    """`k`, if it is a number of places."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"k={k!r}; give a whole number of places, at least 1")
    return k


def _first_places(pred: Tensor, targ: Tensor, k: int) -> Tensor:
    """(B, k) the candidates with the highest scores, best first; k at most C.

    Those not in the ranking come last, and relevant ones behind others of the same score.
    """
    scores = pred.detach().to(wide_dtype(pred.device))
    # The next smaller number of twice the precision lies behind equal scores and before all others.
    behind = torch.nextafter(scores, torch.full_like(scores, -torch.inf))
    scores = torch.where(targ > 0, behind, scores).masked_fill(targ < 0, -torch.inf)
    return scores.topk(min(k, scores.shape[1]), dim=1).indices
