"""`ParallelTrainer`: several GPUs of one process, by torch's `DataParallel`.

One process copies the model to each GPU at every step, so `distrib_ctx`, with a process for each,
is faster; this needs no launcher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import nn

from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["ParallelTrainer", "detach_parallel", "parallel_ctx", "to_parallel"]


class ParallelTrainer(Callback):
    """Calls the model on several GPUs at once, while a fit or a validation runs.

    Sets `wrapped`. On a machine without GPUs the model is called as it is.

    Args:
        device_ids: which GPUs; all when None.

    Example:
        >>> ParallelTrainer([0, 1]).device_ids
        [0, 1]
    """

    order: ClassVar[float] = -9
    after: ClassVar = (TrainEvalCallback,)

    def __init__(self, device_ids: Sequence[int] | None = None) -> None:
        super().__init__()
        self.device_ids = device_ids

    def before_fit(self) -> None:
        """Wrap the model."""
        ids = None if self.device_ids is None else list(self.device_ids)
        self.learn.wrapped = nn.DataParallel(self.learn.model, device_ids=ids)

    def after_fit(self) -> None:
        """Let go of the wrapper."""
        self.learn.wrapped = None


def to_parallel(learn: Any, device_ids: Sequence[int] | None = None) -> Any:
    """`learn`, with its model on several GPUs from the next fit on.

    Args:
        learn: the learner.
        device_ids: which GPUs; all when None.
    """
    return learn.add_cb(ParallelTrainer(device_ids))


def detach_parallel(learn: Any) -> Any:
    """`learn`, with its model on one device again."""
    return learn.remove_cb(ParallelTrainer)


@contextmanager
def parallel_ctx(learn: Any, device_ids: Sequence[int] | None = None) -> Iterator[Any]:
    """The model on several GPUs, inside this context.

    Args:
        learn: the learner.
        device_ids: which GPUs; all when None.
    """
    to_parallel(learn, device_ids)
    try:
        yield learn
    finally:
        detach_parallel(learn)
