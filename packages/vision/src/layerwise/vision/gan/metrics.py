"""`OfPart`: a metric that counts the batches of the generator, or those of the critic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from layerwise.core.metrics.metric import BatchState, Metric

__all__: list[str] = []


class OfPart(Metric):
    """`metric` over the training batches of one part; over all in validation.

    Args:
        metric: measures a batch.
        generator: count the batches of the generator; those of the critic otherwise.
    """

    def __init__(self, metric: Metric, *, generator: bool) -> None:
        self.metric, self.generator = metric, generator
        self._name = metric.name

    def reset(self) -> None:
        self.metric.reset()

    def accumulate(self, learn: BatchState) -> None:
        state: Any = learn
        if not state.training or state.model.gen_mode is self.generator:
            self.metric.accumulate(learn)

    @property
    def value(self) -> Any:
        return self.metric.value

    def fresh(self) -> Self:
        return type(self)(self.metric.fresh(), generator=self.generator)

    def sync(self) -> None:
        self.metric.sync()

    def state_dict(self) -> dict[str, Any]:
        return self.metric.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.metric.load_state_dict(state)
