"""Metrics over all predictions at once, kept on the CPU until the value is read.

For what cannot be added up batch by batch: any function of scikit-learn, a threshold found by
search. Memory grows with the set; where there is a metric that counts, use that.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.errors import nearest, refuse_unknown
from layerwise.core.metrics.metric import Metric
from layerwise.core.metrics.sizes import plain_tensor
from layerwise.core.metrics.weighted import WeightedMetric

__all__ = [
    "AccumMetric",
    "ActivationType",
    "CollectedMetric",
    "OptimizedFunction",
    "activated",
    "optim_metric",
    "skm_to_fastai",
]


class ActivationType(StrEnum):
    """What `AccumMetric` applies to predictions before it keeps them."""

    No = "no"
    Sigmoid = "sigmoid"
    Softmax = "softmax"
    BinarySoftmax = "binarysoftmax"


class CollectedMetric(WeightedMetric):
    """Base of metrics that keep all predictions and targets on the CPU.

    With several processes items come in the order of the processes, not in that of the set.
    """

    merges: ClassVar[Mapping[str, str]] = {
        **WeightedMetric.merges, "_preds": "concat", "_targs": "concat",
    }  # fmt: skip

    def reset(self) -> None:
        """Forget everything seen."""
        super().reset()
        self._preds: list[Tensor] = []
        self._targs: list[Tensor] = []

    def _keep(self, pred: Tensor, targ: Tensor) -> None:
        """Keep one batch; the first axis of both is the items.

        Give only what the value needs: the column of one class, small types.
        """
        self._preds.append(plain_tensor(pred.detach()).cpu())
        self._targs.append(plain_tensor(targ.detach()).cpu())

    def _collected(self) -> tuple[Tensor, Tensor] | None:
        """All predictions and all targets, None when nothing was seen."""
        if not sum(map(len, self._preds)):
            return None
        return torch.cat(self._preds), torch.cat(self._targs)

    def _all_weights(self, count: int) -> Tensor | None:
        """(count,) weights of all items seen, None when each counts once."""
        self._seen = 0
        return self._take_weights(count, torch.device("cpu"))


def activated(
    pred: Tensor, activation: str, dim_argmax: int | None, thresh: float | None
) -> Tensor:
    """Predictions after softmax or sigmoid, or as decisions.

    A softmax goes over `dim_argmax` and leaves probabilities; `binarysoftmax` leaves that of the
    last class. Without softmax, `dim_argmax` decides for the largest. Then `thresh` decides.

    Example:
        >>> activated(torch.tensor([[0., 0.], [0., 9.]]), "no", -1, None)
        tensor([0, 1])
        >>> activated(torch.tensor([-1., 1.]), "sigmoid", None, 0.5)
        tensor([False,  True])
    """
    if activation in (ActivationType.Softmax, ActivationType.BinarySoftmax):
        axis = -1 if dim_argmax is None else dim_argmax
        pred = pred.softmax(dim=axis)
        if activation == ActivationType.BinarySoftmax:
            pred = pred.select(axis, -1)
    elif dim_argmax is not None:
        pred = pred.argmax(dim=dim_argmax)
    elif activation == ActivationType.Sigmoid:
        pred = pred.sigmoid()
    return pred if thresh is None else pred > thresh


class AccumMetric(CollectedMetric):
    """`func` of all predictions and targets of a set.

    Args:
        func: (pred, targ) -> value, called when `value` is read.
        dim_argmax: the axis of the classes; predictions become the index of the largest.
        activation: "no", "sigmoid", "softmax" or "binarysoftmax" (softmax, then the last class).
        thresh: predictions become whether they are above.
        to_np: give `func` numpy arrays.
        invert_arg: give `func` the targets first, as scikit-learn wants them.
        flatten: keep both as (N,); set False where `func` takes one row an item.
        name: that of `func` when None.
        kwargs: keywords of `func`.

    Raises:
        ValueError: if `activation` is unknown, or shapes do not match.
        TypeError: if `func` does not take one of `kwargs`.

    Example:
        >>> def median_error(pred, targ): return (pred - targ).abs().median()
        >>> median = AccumMetric(median_error)
        >>> median.update(torch.tensor([1., 2., 9.]), torch.zeros(3))
        >>> median.value
        2.0
    """

    def __init__(
        self,
        func: Callable[..., Any],
        dim_argmax: int | None = None,
        activation: str = ActivationType.No,
        thresh: float | None = None,
        to_np: bool = False,
        invert_arg: bool = False,
        flatten: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        known = [str(kind) for kind in ActivationType]
        if activation not in known:
            raise ValueError(
                f"AccumMetric got activation={activation!r}.{nearest(str(activation), known)} "
                f"It takes: {', '.join(known)}"
            )
        _check_keywords(func, kwargs)
        self.func, self.dim_argmax, self.activation = func, dim_argmax, activation
        self.thresh, self.to_np, self.invert_arg = thresh, to_np, invert_arg
        self.flatten, self.kwargs = flatten, kwargs
        base = func.func if isinstance(func, partial) else func
        self._name = name or getattr(base, "__name__", type(base).__name__.lower())

    def update(self, pred: Any, *targets: Any) -> None:
        """Keep one batch.

        Raises:
            ValueError: if predictions and targets do not have the same number of elements, and
                `flatten` is True.
        """
        pred = activated(plain_tensor(pred.detach()), self.activation, self.dim_argmax, self.thresh)
        targ = plain_tensor(targets[0])
        if self.flatten:
            pred, targ = flatten_check(pred, targ)
        self._keep(pred, targ)

    @property
    def value(self) -> Any:
        """What the function returns for everything seen; a number or () tensor as a float."""
        collected = self._collected()
        if collected is None:
            return None
        pair = [x.numpy() for x in collected] if self.to_np else list(collected)
        result = self.func(*(pair[::-1] if self.invert_arg else pair), **self.kwargs)
        return result.item() if getattr(result, "ndim", None) == 0 else result


def _check_keywords(func: Callable[..., Any], kwargs: dict[str, Any]) -> None:
    """Refuse keywords now that `func` would refuse at the end of an epoch."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):  # builtins have no signature
        return
    if all(p.kind is not p.VAR_KEYWORD for p in parameters):
        known = [p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY]
        refuse_unknown(
            getattr(func, "__name__", "the metric's function"), kwargs.keys() - known, known
        )


def skm_to_fastai(
    func: Callable[..., Any],
    is_class: bool = True,
    thresh: float | None = None,
    axis: int = -1,
    activation: str | None = None,
    **kwargs: Any,
) -> AccumMetric:
    """A metric from a function `func(y_true, y_pred)` of scikit-learn.

    Args:
        func: a function of (targets, predictions), as arrays.
        is_class: predictions are class scores, to be decided.
        thresh: decide for each class alone (several labels an item), else for the largest.
        axis: where the classes are.
        activation: as in `AccumMetric`; when None, sigmoid if `thresh` is given, else none.
        kwargs: keywords of `func`.

    Example:
        >>> def hits(y_true, y_pred): return (y_true == y_pred).sum()
        >>> metric = skm_to_fastai(hits)
        >>> metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> metric.name, metric.value
        ('hits', 2)
    """
    several = is_class and thresh is not None
    if activation is None:
        activation = ActivationType.Sigmoid if several else ActivationType.No
    return AccumMetric(
        func,
        dim_argmax=axis if is_class and thresh is None else None,
        activation=activation,
        thresh=thresh,
        to_np=True,
        invert_arg=True,
        flatten=not several,
        **kwargs,
    )


class OptimizedFunction:
    """A function of (pred, targ) at the best value of one argument; see `optim_metric`.

    Args:
        f: the function.
        argname: the argument that is searched.
        bounds: its smallest and largest value.
        tol: how exactly it is searched.
        do_neg: larger is better.
        get_x: return the best argument as well.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        argname: str,
        bounds: tuple[float, float],
        *,
        tol: float,
        do_neg: bool,
        get_x: bool,
    ) -> None:
        self.f, self.argname, self.bounds = f, argname, bounds
        self.tol, self.do_neg, self.get_x = tol, do_neg, get_x
        self.__name__ = f"opt_{getattr(f, '__name__', 'metric')}"

    def __call__(self, pred: Any, targ: Any) -> float | tuple[float, float]:
        """The best value, and with `get_x` also where it is."""
        sign = -1.0 if self.do_neg else 1.0
        lowest, best = _minimise(
            lambda x: sign * float(self.f(pred, targ, **{self.argname: x})), self.bounds, self.tol
        )
        return (sign * lowest, best) if self.get_x else sign * lowest

    def as_metric(self, **options: Any) -> Metric:
        """A metric that searches over the whole set; `options` are those of `AccumMetric`."""
        return AccumMetric(self, **{"flatten": False, **options})


def optim_metric(
    f: Callable[..., Any],
    argname: str,
    bounds: tuple[float, float],
    tol: float = 0.01,
    do_neg: bool = True,
    get_x: bool = False,
) -> OptimizedFunction:
    """The function `f` of (pred, targ) at the best value of its argument `argname`.

    Twenty-one points across `bounds` find the region, golden section (Kiefer 1953) narrows it down:
    scores of decisions are staircases, on which a search without the first step gets stuck. Given
    to a learner, the search is over all predictions of the set.

    Args:
        f: returns one number for (pred, targ) and the argument.
        argname: the argument that is searched, a threshold for example.
        bounds: its smallest and largest value.
        tol: width of the last interval.
        do_neg: larger is better.
        get_x: return (value, argument) rather than the value.

    Raises:
        ValueError: if `bounds` are not in order.

    Example:
        >>> def closeness(pred, targ, shift): return -(pred + shift - targ).abs().mean()
        >>> best = optim_metric(closeness, "shift", (0, 10), get_x=True)
        >>> abs(best(torch.tensor([1., 2.]), torch.tensor([4., 5.]))[1] - 3) < 0.01
        True
    """
    if not bounds[0] < bounds[1]:
        raise ValueError(f"bounds={bounds} are not in order; give (smallest, largest)")
    return OptimizedFunction(f, argname, bounds, tol=tol, do_neg=do_neg, get_x=get_x)


def _minimise(
    func: Callable[[float], float], bounds: tuple[float, float], tol: float
) -> tuple[float, float]:
    """The lowest value found and where."""
    low, high = bounds
    step = (high - low) / 20
    tried = [(func(low + i * step), low + i * step) for i in range(21)]
    centre = min(tried)[1]
    low, high = max(low, centre - step), min(high, centre + step)
    shrink = (5**0.5 - 1) / 2
    while high - low > tol:
        left, right = high - shrink * (high - low), low + shrink * (high - low)
        pair = [(func(left), left), (func(right), right)]
        tried += pair
        low, high = (low, right) if pair[0][0] <= pair[1][0] else (left, high)
    return min(tried)
