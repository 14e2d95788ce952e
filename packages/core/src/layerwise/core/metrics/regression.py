"""Metrics for numbers: errors, explained variance, correlations.

Predictions and targets have as many elements; shapes do not matter. All but the rank correlation
keep a few sums, merged so that a large mean does not swallow the variance (Chan, Golub and LeVeque
1983).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name torch users know
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.errors import nearest
from layerwise.core.metrics.collected import CollectedMetric, activated
from layerwise.core.metrics.curves import tied_ranks
from layerwise.core.metrics.pooled import pooled
from layerwise.core.metrics.sizes import plain_tensor, single_or_wider, wide_dtype
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = [
    "ExplainedVariance",
    "PearsonCorrCoef",
    "R2Score",
    "SpearmanCorrCoef",
    "exp_rmspe",
    "mae",
    "mse",
    "msle",
    "rmse",
]


def _numbers(inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) predictions and targets, both floating and of one type."""
    inp, targ = (single_or_wider(x) for x in flatten_check(inp, targ))
    dtype = torch.promote_types(inp.dtype, targ.dtype)
    return inp.to(dtype), targ.to(dtype)


def mse(inp: Tensor, targ: Tensor) -> Tensor:
    """() the mean squared difference.

    Example:
        >>> mse(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
        tensor(2.)
    """
    return F.mse_loss(*_numbers(inp, targ))


def mae(inp: Tensor, targ: Tensor) -> Tensor:
    """() the mean absolute difference.

    Example:
        >>> mae(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
        tensor(1.)
    """
    return F.l1_loss(*_numbers(inp, targ))


def msle(inp: Tensor, targ: Tensor) -> Tensor:
    """() the mean squared difference of log(1 + x); nan if any x is below -1.

    Example:
        >>> msle(torch.tensor([0.]), torch.tensor([0.]))
        tensor(0.)
    """
    inp, targ = _numbers(inp, targ)
    return F.mse_loss(inp.log1p(), targ.log1p())


@pooled(finish=torch.sqrt)
def rmse(inp: Tensor, targ: Tensor) -> tuple[Tensor, int]:
    """() the root of the mean squared difference; as a metric, of the mean over the whole set.

    Example:
        >>> rmse(torch.tensor([3., 4.]), torch.tensor([3., 2.])).square()
        tensor(2.0000)
    """
    inp, targ = _numbers(inp, targ)
    return (inp - targ).square().sum(dtype=wide_dtype(inp.device)), targ.numel()


@pooled(finish=torch.sqrt)
def exp_rmspe(inp: Tensor, targ: Tensor) -> tuple[Tensor, int]:
    """() the root of the mean squared relative difference of exp(x); as a metric, over the set.

    Example:
        >>> round(exp_rmspe(torch.tensor([1.]).log(), torch.tensor([2.]).log()).item(), 4)
        0.5
    """
    inp, targ = _numbers(inp, targ)
    # (exp(t) - exp(p)) / exp(t) = -(exp(p - t) - 1): neither large numbers nor cancellation
    return (inp - targ).expm1().square().sum(dtype=wide_dtype(inp.device)), targ.numel()


class _Sums(NamedTuple):
    """The first two moments of a pair of series."""

    weight: Tensor | float
    mean: Tensor  # (2,)
    spread: Tensor  # (2, 2) sums of products of deviations

    def merge(self, other: _Sums) -> _Sums:
        """The moments of both parts together, where `other` is."""
        device = other.mean.device
        own = torch.as_tensor(self.weight, dtype=wide_dtype(device), device=device)
        mean, spread = self.mean.to(device), self.spread.to(device)
        total = own + other.weight
        step = other.mean - mean
        spread = spread + other.spread + step.outer(step) * (own * other.weight / total)
        return _Sums(total, mean + step * (other.weight / total), spread)


class _Moments(WeightedMetric):
    """Base of metrics of two series: weight, means and sums of products of deviations."""

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._sums: tuple[Any, ...] | None = None  # _Sums; a list when it comes from a file

    def merged(self, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Moments are merged, not added."""
        seen = [_Sums(*s["_sums"]) for s in states if s.get("_sums")]
        if not seen:
            return {}
        return {"_seen": sum(s["_seen"] for s in states if s), "_sums": reduce(_Sums.merge, seen)}

    def _add_pair(self, first: Tensor, second: Tensor) -> None:
        """Merge a batch of two (N,) series into the moments."""
        if not len(first):
            return
        dtype = wide_dtype(first.device)
        weights = self._take_weights(len(first), first.device)
        pair = torch.stack([first.to(dtype), second.to(dtype)])  # (2, N)
        weight: Tensor | float = float(len(first)) if weights is None else weights.sum()
        scaled = pair if weights is None else pair * weights
        mean = scaled.sum(1) / weight
        away = pair - mean[:, None]
        spread = (away if weights is None else away * weights) @ away.T
        batch = _Sums(weight, mean, spread)
        self._sums = batch if self._sums is None else _Sums(*self._sums).merge(batch)

    def _moments(self) -> tuple[float, Tensor, Tensor] | None:
        """Weight, (2,) means and (2, 2) sums of products, None when nothing was seen."""
        if self._sums is None:
            return None
        weight, mean, spread = self._sums
        return float(weight), mean.cpu().double(), spread.cpu().double()


def _explained(unexplained: float, total: float) -> float:
    """1 - unexplained / total; for constant targets 1 if nothing is unexplained, else 0."""
    if total:
        return 1 - unexplained / total
    return 0.0 if unexplained else 1.0


class ExplainedVariance(_Moments):
    """One minus the variance of the differences by the variance of the targets.

    A constant offset costs nothing; `R2Score` counts it. For constant targets 1 if all differences
    are equal, else 0.

    Args:
        sample_weight: weights of the elements, in the order of the set.

    Example:
        >>> ExplainedVariance()(torch.tensor([2., 3.]), torch.tensor([1., 2.]))
        1.0
    """

    _name = "explained_variance_score"

    def update(self, pred: Any, *targets: Any) -> None:
        """Take in one batch of numbers."""
        inp, targ = flatten_check(pred.detach(), targets[0])
        dtype = wide_dtype(inp.device)
        self._add_pair(targ, targ.to(dtype) - inp.to(dtype))

    @property
    def value(self) -> float | None:
        """At most 1."""
        moments = self._moments()
        if moments is None:
            return None
        _, _, spread = moments
        return _explained(spread[1, 1].item(), spread[0, 0].item())


class R2Score(_Moments):
    """One minus the squared differences by those of the mean: 1 perfect, 0 as good as the mean.

    For constant targets 1 if predictions are perfect, else 0; nan for a single element.

    Args:
        sample_weight: weights of the elements, in the order of the set.

    Example:
        >>> R2Score()(torch.tensor([1., 2., 3.]), torch.tensor([1., 2., 3.]))
        1.0
    """

    _name = "r2_score"

    def update(self, pred: Any, *targets: Any) -> None:
        """Take in one batch of numbers."""
        inp, targ = flatten_check(pred.detach(), targets[0])
        dtype = wide_dtype(inp.device)
        self._add_pair(targ, targ.to(dtype) - inp.to(dtype))

    @property
    def value(self) -> float | None:
        """At most 1."""
        moments = self._moments()
        if moments is None or self._seen < 2:
            return None if moments is None else float("nan")
        weight, mean, spread = moments
        squares = spread[1, 1].item() + weight * mean[1].item() ** 2
        return _explained(squares, spread[0, 0].item())


class PearsonCorrCoef(_Moments):
    """Linear correlation of predictions and targets; nan if one of them is constant.

    Args:
        dim_argmax: take the class with the largest prediction along this axis first.
        activation: as in `AccumMetric`.
        thresh: take whether predictions are above this.

    Example:
        >>> round(PearsonCorrCoef()(torch.tensor([1., 2., 3.]), torch.tensor([2., 4., 6.])), 6)
        1.0
    """

    _name = "pearsonr"

    def __init__(
        self, dim_argmax: int | None = None, activation: str = "no", thresh: float | None = None
    ) -> None:
        super().__init__()
        self.dim_argmax, self.activation, self.thresh = dim_argmax, activation, thresh

    def update(self, pred: Any, *targets: Any) -> None:
        """Take in one batch of numbers."""
        pred = activated(plain_tensor(pred.detach()), self.activation, self.dim_argmax, self.thresh)
        self._add_pair(*flatten_check(pred, targets[0]))

    @property
    def value(self) -> float | None:
        """-1 to 1."""
        moments = self._moments()
        if moments is None:
            return None
        spread = moments[2]
        return (spread[0, 1] / (spread[0, 0].sqrt() * spread[1, 1].sqrt())).clamp(-1, 1).item()


class SpearmanCorrCoef(CollectedMetric):
    """Correlation of the ranks (Spearman 1904); nan if predictions or targets are constant.

    Ranks need the whole set, which is kept on the CPU.

    Args:
        dim_argmax: take the class with the largest prediction along this axis first.
        nan_policy: "propagate": a nan makes the result nan; "omit": leave those elements out;
            "raise": refuse them.
        activation: as in `AccumMetric`.
        thresh: take whether predictions are above this.

    Example:
        >>> round(SpearmanCorrCoef()(torch.tensor([1., 2., 3.]), torch.tensor([1., 8., 27.])), 6)
        1.0
    """

    _name = "spearmanr"

    def __init__(
        self,
        dim_argmax: int | None = None,
        *,
        nan_policy: Literal["propagate", "omit", "raise"] = "propagate",
        activation: str = "no",
        thresh: float | None = None,
    ) -> None:
        kinds = ["omit", "propagate", "raise"]
        if nan_policy not in kinds:
            raise ValueError(
                f"SpearmanCorrCoef got nan_policy={nan_policy!r}."
                f"{nearest(str(nan_policy), kinds)} It takes: {', '.join(kinds)}"
            )
        super().__init__()
        self.dim_argmax, self.activation, self.thresh = dim_argmax, activation, thresh
        self.nan_policy = nan_policy

    def update(self, pred: Any, *targets: Any) -> None:
        """Keep one batch of numbers."""
        pred = activated(plain_tensor(pred.detach()), self.activation, self.dim_argmax, self.thresh)
        self._keep(*flatten_check(pred, targets[0]))

    @property
    def value(self) -> float | None:
        """-1 to 1.

        Raises:
            ValueError: if there are nans and `nan_policy` is "raise".
        """
        collected = self._collected()
        if collected is None:
            return None
        pair = np.stack([x.double().numpy() for x in collected])
        bad = np.isnan(pair).any(0)
        if bad.any() and self.nan_policy == "raise":
            raise ValueError(
                f"{bad.sum()} of {bad.size} elements are nan; nan_policy='omit' leaves them out"
            )
        if bad.any() and self.nan_policy == "propagate":
            return float("nan")
        first, second = (tied_ranks(series) for series in pair[:, ~bad])
        first, second = first - first.mean(), second - second.mean()
        size = float(np.sqrt((first @ first) * (second @ second)))
        return float(first @ second) / size if size else float("nan")
