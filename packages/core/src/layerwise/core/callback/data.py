"""`CollectDataCallback`: every batch of a fit, with what the model made of it."""

from __future__ import annotations

from typing import Any, ClassVar

from layerwise.core.nested import to_detach
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["CollectDataCallback"]


class CollectDataCallback(Callback):
    """Keeps inputs, targets, predictions and loss of each batch, on the CPU.

    For a look at what really goes into a model: it holds all of them in memory. Training and
    validation are both collected; set `run_valid = False` for training alone.

    Reads `xb`, `yb`, `pred`, `loss`.

    Attributes:
        data: one tuple `(xb, yb, pred, loss)` for each batch of the last fit.

    Example:
        >>> CollectDataCallback().data
        []
    """

    after: ClassVar = (TrainEvalCallback,)
    in_search: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ("data",)

    def __init__(self) -> None:
        super().__init__()
        self.data: list[tuple[Any, Any, Any, Any]] = []

    def before_fit(self) -> None:
        """Forget the last fit."""
        self.data = []

    def after_batch(self) -> None:
        """Keep the batch."""
        learn = self.learn
        kept = (learn.xb, learn.yb, learn.pred, learn.loss)
        self.data.append(to_detach(kept, gather=False))
