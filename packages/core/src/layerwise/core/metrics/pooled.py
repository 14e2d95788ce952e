"""Functions of a batch that are not averaged over batches, such as a root of a mean.

A `PooledFunction` gives a sum and a count. Called, it finishes their ratio for one batch; as a
metric it adds both up over the set and finishes once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, ParamSpec

import torch
from torch import Tensor

from layerwise.core.metrics.metric import Metric
from layerwise.core.metrics.sizes import added, wide_dtype

__all__ = ["PooledFunction", "PooledMetric", "pooled"]

P = ParamSpec("P")
Finish = Callable[[Tensor], Tensor]


class PooledFunction(Generic[P]):
    """A function of (inp, targ, ...) that is right for a batch and, as a metric, for a set.

    Args:
        sums: returns what adds up over items, and how many they are, as () tensors or numbers.
        finish: from the ratio of the two to the result.
    """

    def __init__(self, sums: Callable[P, tuple[Tensor, Tensor | float]], finish: Finish) -> None:
        functools.update_wrapper(self, sums)
        self.sums, self.finish = sums, finish

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """() the result for this batch alone."""
        total, count = self.sums(*args, **kwargs)
        result = self.finish(total / count)
        # Sums are wide; the result is as the predictions are, but never half precision.
        inp = args[0] if args else kwargs["inp"]
        kind = inp.dtype if isinstance(inp, Tensor) else torch.float32
        return result.to(torch.promote_types(kind, torch.float32))

    def as_metric(self, **options: Any) -> PooledMetric:
        """A metric with nothing seen; `options` are keywords of the function."""
        sums = functools.partial(self.sums, **options) if options else self.sums
        return PooledMetric(sums, self.finish, name=getattr(self, "__name__", "pooled"))


class PooledMetric(Metric):
    """The metric of a `PooledFunction`: adds up over the set, finishes when `value` is read.

    The value is nan when batches were seen but nothing in them counts.
    """

    merges: ClassVar[Mapping[str, str]] = {"_total": "sum", "_count": "sum"}

    def __init__(
        self, sums: Callable[..., tuple[Tensor, Tensor | float]], finish: Finish, *, name: str
    ) -> None:
        self.sums, self.finish, self._name = sums, finish, name
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._total: Tensor | None = None
        self._count: Tensor | float = 0

    def update(self, pred: Any, *targets: Any) -> None:
        """Add one batch to both sums."""
        total, count = self.sums(pred.detach(), *targets)
        self._total = added(self._total, total.to(wide_dtype(total.device)))
        self._count = added(self._count, count)

    @property
    def value(self) -> float | None:
        """The finished ratio of the two sums."""
        if self._total is None:
            return None
        return self.finish(self._total / self._count).item()


def pooled(
    finish: Finish,
) -> Callable[[Callable[P, tuple[Tensor, Tensor | float]]], PooledFunction[P]]:
    """A decorator that makes a `PooledFunction` of a function which returns a sum and a count.

    Example:
        >>> @pooled(finish=torch.sqrt)
        ... def distance(inp, targ):
        ...     "Root of the mean squared difference."
        ...     return (inp - targ).square().sum(), targ.numel()
        >>> distance(torch.tensor([3., 4.]), torch.zeros(2)).square()
        tensor(12.5000)
        >>> distance.as_metric().name
        'distance'
    """
    return lambda sums: PooledFunction(sums, finish)
