"""What a metric is, and the averages that training loops keep: of a function, of the loss.

A metric takes one batch at a time and gives its value at the end, the same whatever the batch size.
It stands alone (`update`, `value`) or follows a training loop (`accumulate`). Nothing waits for the
device until `value` is read.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from layerwise.core.devices import any_process, num_distrib
from layerwise.core.metrics.foreign import foreign_state, load_foreign_state
from layerwise.core.metrics.sizes import count_elements, count_items, plain_tensor, wide_dtype
from layerwise.core.metrics.state import MetricState, exchange_device
from layerwise.core.settings import RemembersCall

__all__ = [
    "AvgLoss",
    "AvgMetric",
    "AvgSmoothLoss",
    "BatchState",
    "MakesMetric",
    "Metric",
    "RunningMean",
    "ValueMetric",
    "callable_name",
    "mk_metric",
]


class BatchState(Protocol):
    """What a metric may read from a training loop after each batch."""

    @property
    def xb(self) -> Sequence[Any]:
        """Inputs of the batch."""

    @property
    def yb(self) -> Sequence[Any]:
        """Targets of the batch."""

    @property
    def pred(self) -> Any:
        """What the model returned."""

    @property
    def loss(self) -> Any:
        """Mean loss of the batch."""

    @property
    def loss_func(self) -> Any:
        """The function that gave the loss."""


class Metric(RemembersCall, MetricState):
    """A number over a whole set, from one batch at a time.

    Subclasses write `reset`, `update` and `value`. `reset` must bind new state rather than clear
    the old in place, since `fresh` makes shallow copies. A metric that needs more than predictions
    and targets overrides `accumulate` as well. To be right for several processes, it says in
    `merges` how what each has seen becomes one.

    Example:
        >>> class Largest(Metric):
        ...     merges = {"_largest": "max"}
        ...     def reset(self):
        ...         self._largest = None
        ...     def update(self, pred, *targets):
        ...         top = pred.max()
        ...         self._largest = top if self._largest is None else self._largest.maximum(top)
        ...     @property
        ...     def value(self):
        ...         return None if self._largest is None else self._largest.item()
        >>> largest = mk_metric(Largest)
        >>> largest.update(torch.tensor([1., 5.])); largest.update(torch.tensor([2.]))
        >>> largest.name, largest.value
        ('largest', 5.0)
    """

    _name: str | None = None

    def update(self, pred: Any, *targets: Any) -> None:
        """Take in one batch.

        Args:
            pred: what the model returned.
            targets: the targets of the same items.

        Raises:
            NotImplementedError: if the metric only follows a training loop.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no `update`; write one to use it without a training loop, "
            "or override `accumulate`"
        )

    def accumulate(self, learn: BatchState) -> None:
        """Take in the batch that a training loop has just seen."""
        self.update(learn.pred, *learn.yb)

    @property
    def value(self) -> Any:
        """The metric over all that was seen: mostly a float, None when nothing was seen."""
        raise NotImplementedError(f"{type(self).__name__} has to define `value`")

    @property
    def name(self) -> str:
        """What tables and callbacks call it: the class name in snake case unless set."""
        return self._name or _snake(type(self).__name__.removesuffix("Metric"))

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def __call__(self, pred: Any, *targets: Any) -> Any:
        """The value over exactly this batch; what was seen before stays as it is."""
        alone = self.fresh()
        alone.update(pred, *targets)
        return alone.value


class RunningMean(Metric):
    """Base of averages: a sum on the device of the values, and a weight in Python."""

    merges: ClassVar[Mapping[str, str]] = {"_total": "sum", "_weight": "sum"}

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._total: Tensor | None = None
        self._weight: float = 0

    def _add(self, value: Any, weight: float) -> None:
        """Count `value` (a number or a tensor with one) `weight` times."""
        if weight == 0:  # the mean of nothing is nan, and would spoil the sum
            return
        value = value.detach() if isinstance(value, Tensor) else torch.tensor(float(value))
        if self._total is None:
            self._total = torch.zeros((), dtype=wide_dtype(value.device), device=value.device)
        # Not in place: a sum begun under inference_mode could not be changed outside of it.
        total = self._total.to(value.device)
        self._total = torch.add(total, plain_tensor(value), alpha=weight)
        self._weight += weight

    @property
    def value(self) -> float | None:
        """The weighted mean."""
        return None if self._total is None else self._total.item() / self._weight


class AvgMetric(RunningMean):
    """The mean over a set of `func(pred, *targets)`, a function that returns a mean over a batch.

    A batch weighs as many as its first target has elements, so that the last, smaller batch does
    not count too much.

    Args:
        func: returns one number for a batch.

    Example:
        >>> near = AvgMetric(lambda pred, targ: ((pred - targ).abs() < 1).float().mean())
        >>> near.update(torch.zeros(3), torch.zeros(3)); near.update(torch.ones(1), torch.zeros(1))
        >>> near.value
        0.75
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        super().__init__()
        self.func = func

    def update(self, pred: Any, *targets: Any) -> None:
        """Add `func` of this batch.

        Raises:
            ValueError: if `func` returns several numbers.
        """
        value = self.func(pred, *targets)
        if isinstance(value, Tensor) and value.dim() and value.numel() != 1:
            raise ValueError(
                f"the metric {self.name!r} returned a tensor of shape {tuple(value.shape)} for a "
                "batch, expected one number; return its mean, or write a Metric that adds it up"
            )
        value = value.reshape(()) if isinstance(value, Tensor) and value.dim() else value
        self._add(value, count_elements(targets or (pred,)))

    @property
    def name(self) -> str:
        """The name of the function."""
        return self._name or callable_name(self.func)

    @name.setter
    def name(self, name: str) -> None:
        self._name = name


class AvgLoss(RunningMean):
    """The mean loss over a set, each batch weighted by its size.

    Example:
        >>> loss = AvgLoss()
        >>> loss.update(torch.tensor(1.), torch.zeros(3))
        >>> loss.update(torch.tensor(2.), torch.zeros(1))
        >>> loss.value
        1.25
    """

    _name = "loss"

    def update(self, pred: Any, *targets: Any) -> None:
        """Add the loss `pred` of the batch with these `targets`."""
        self._add(pred.mean() if pred.dim() else pred, count_items(targets))

    def accumulate(self, learn: BatchState) -> None:
        """Add the loss of the batch that a training loop has just seen."""
        if learn.loss is None:  # predictions without a loss
            return
        # Without targets (a model that returns its own loss) the inputs give the batch size.
        self.update(learn.loss, *(learn.yb or learn.xb))


class AvgSmoothLoss(Metric):
    """The loss as a moving average, in which old batches fade.

    Batch i counts beta times as much as batch i+1. Divided by 1 - beta^n, the first values are
    as large as the later ones (the bias correction of Adam, Kingma and Ba 2014).

    Args:
        beta: 0.98 remembers about fifty batches.

    Example:
        >>> smooth = AvgSmoothLoss(beta=0.5)
        >>> for loss in (1., 4.): smooth.update(torch.tensor(loss))
        >>> smooth.value
        3.0
    """

    _name = "loss"

    def __init__(self, beta: float = 0.98) -> None:
        self.beta = beta
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._count = 0
        self._average: float | Tensor | None = None

    def update(self, pred: Any, *_targets: Any) -> None:
        """Move towards the loss `pred` of one batch; targets are not needed."""
        loss = plain_tensor(pred.detach())
        loss = loss.mean() if loss.dim() else loss
        self._count += 1
        before = 0.0 if self._average is None else self._average
        if loss.is_cpu:
            self._average = self.beta * before + (1 - self.beta) * loss.item()
        else:  # a number would wait for the device
            average = torch.as_tensor(before, dtype=wide_dtype(loss.device))
            faded = average.to(loss.device) * self.beta
            self._average = torch.add(faded, loss, alpha=1 - self.beta)

    def accumulate(self, learn: BatchState) -> None:
        """Move towards the loss of the batch that a training loop has just seen."""
        self.update(learn.loss)

    def merged(self, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The mean of the averages, which is the average of the mean losses of each step."""
        seen = [s for s in states if s]
        if not seen:
            return {}
        count = max(s["_count"] for s in seen)
        averages = [s["_average"] / (1 - self.beta ** s["_count"]) for s in seen]
        mean = sum(averages) / len(averages)
        return {"_count": count, "_average": mean * (1 - self.beta**count)}

    @property
    def unread(self) -> float | Tensor | None:
        """The average without waiting for a device: of losses on the CPU a number, else () there.

        None when nothing was seen.
        """
        return None if self._average is None else self._average / (1 - self.beta**self._count)

    @property
    def value(self) -> float | None:
        """The average as a float; waits for the device."""
        average = self.unread
        return None if average is None else float(average)


class ValueMetric(Metric):
    """A number that something else computes, a callback for example.

    Args:
        func: returns the value, without arguments.
        metric_name: its name; that of the function when None.

    Example:
        >>> metric = ValueMetric(lambda: 0.5, "half")
        >>> metric.name, metric.value
        ('half', 0.5)
    """

    def __init__(self, func: Callable[[], Any], metric_name: str | None = None) -> None:
        self.func = func
        self._name = metric_name or callable_name(func)

    def update(self, pred: Any, *targets: Any) -> None:
        """Do nothing: the value comes from elsewhere."""

    @property
    def value(self) -> Any:
        """What the function returns now."""
        return self.func()


@runtime_checkable
class MakesMetric(Protocol):
    """A function of one batch that knows how it is reported over a set, as `rmse` does."""

    def as_metric(self, **options: Any) -> Metric:
        """A new metric; `options` are those of the function."""


def mk_metric(m: Any) -> Metric:
    """A metric with nothing seen from `m`: a metric, a function, or one of torchmetrics.

    A metric is copied: two learners given the same one share no state. A function that returns
    the mean over a batch becomes an `AvgMetric`. `partial` may set options of a function.

    Args:
        m: `Metric` or its class; a function of (pred, *targets); an object with `update`, `compute`
            and `reset`.

    Raises:
        TypeError: if `m` is none of these.

    Example:
        >>> def bias(pred, targ): return (pred - targ).mean()
        >>> mk_metric(bias).name
        'bias'
    """
    if isinstance(m, type):
        m = m()
    if isinstance(m, Metric):
        return m.fresh()
    if isinstance(m, MakesMetric):
        return m.as_metric()
    if isinstance(m, partial) and isinstance(m.func, MakesMetric) and not m.args:
        return m.func.as_metric(**m.keywords)
    if all(callable(getattr(m, part, None)) for part in ("update", "compute", "reset")):
        return _Adapter(m)
    function = m.func if isinstance(m, partial) else m
    if str(getattr(function, "__module__", "")).startswith("sklearn."):
        name = getattr(function, "__name__", "function")
        raise TypeError(
            f"{name} of scikit-learn takes targets first, and all of them at once, so here it "
            f"would give another number; pass skm_to_fastai({name})"
        )
    if callable(m):
        return AvgMetric(m)
    raise TypeError(
        f"cannot make a metric from {m!r} of type {type(m).__name__}; give a function of "
        "(pred, targ), a Metric, or an object with update, compute and reset"
    )


class _Adapter(Metric):
    """A metric of torchmetrics, or with the same three methods, as one of ours."""

    def __init__(self, inner: Any) -> None:
        self.inner = copy.deepcopy(inner)
        self.reset()

    def reset(self) -> None:
        self.inner.reset()
        self._device: torch.device | None = None

    def update(self, pred: Any, *targets: Any) -> None:
        if self._device is None:
            self._device = pred.device if isinstance(pred, Tensor) else torch.device("cpu")
            if isinstance(pred, Tensor) and callable(getattr(self.inner, "to", None)):
                self.inner.to(pred.device)
        pred = plain_tensor(pred.detach()) if isinstance(pred, Tensor) else pred
        self.inner.update(pred, *(plain_tensor(t) if isinstance(t, Tensor) else t for t in targets))

    @property
    def value(self) -> Any:
        if self._device is None:  # torchmetrics would warn
            return None
        result = self.inner.compute()
        one_number = isinstance(result, Tensor) and result.numel() == 1
        return result.item() if one_number else result

    @property
    def name(self) -> str:
        return self._name or _snake(type(self.inner).__name__)

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def fresh(self) -> Self:
        return type(self)(self.inner)

    def state_dict(self) -> dict[str, Any]:
        if self._device is None:
            return {}
        return foreign_state(self.inner)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.reset()
        if state:
            load_foreign_state(self.inner, state)

    def sync(self) -> None:
        """Nothing to merge: torchmetrics does that in `compute`, which all have to call."""
        if not any_process(self._device is not None, exchange_device()):
            return
        if num_distrib() > 1 and not callable(getattr(self.inner, "sync", None)):
            raise TypeError(
                f"{type(self.inner).__name__} has no `sync`, so its value would be that of one "
                "process; use a Metric, or one of torchmetrics"
            )
        self._device = self._device or torch.device("cpu")


def _snake(name: str) -> str:
    """`RocAuc` -> `roc_auc`, `CorpusBLEU` -> `corpus_bleu`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def callable_name(func: Any) -> str:
    """The name of a function, through `partial`; of its class for other callables."""
    while isinstance(func, partial):
        func = func.func
    return getattr(func, "__name__", None) or _snake(type(func).__name__)
