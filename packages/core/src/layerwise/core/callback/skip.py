"""`SkipToEpoch`: leave out the epochs that an earlier run has done."""

from __future__ import annotations

from typing import ClassVar

from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelEpochException

__all__ = ["SkipToEpoch"]


class SkipToEpoch(Callback):
    """Cancels all epochs before `epoch`; schedules go on as if they had been done.

    `fit(..., start_epoch=epoch)` does the same and writes no empty rows.

    Args:
        epoch: the first one to do.
    """

    order: ClassVar[float] = 70

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.first = epoch

    def before_epoch(self) -> None:
        """Cancel it if it is too early."""
        if self.learn.epoch < self.first:
            raise CancelEpochException
