"""`LogBus`: any component says a named value, and whoever subscribed hears it.

A value is published as `learn.log("name", value)`. Loggers subscribe; those who publish know none
of them. As long as nobody listens, a value costs one test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from layerwise.core.display.table import Table

__all__ = ["LogBus", "LogEntry"]


class LogEntry(NamedTuple):
    """A value that was published, and when.

    Attributes:
        name: what it is, such as `"valid_loss"`.
        value: a tensor stays on its device, detached; `item()` reads it.
        step: number of the training batch that it belongs to, from 1, counted over all fits.
        epoch: the epoch of the fit.
        split: `"train"` or `"valid"`.

    Example:
        >>> entry = LogEntry("loss", 0.5, step=1, epoch=0, split="train")
        >>> entry.kind, entry.item()
        ('scalar', 0.5)
    """

    name: str
    value: Any
    step: int
    epoch: int
    split: str

    @property
    def kind(self) -> str:
        """What the value is: scalar, text, table, figure, or values (many numbers)."""
        return kind_of(self.value)

    def item(self) -> float:
        """The scalar as a number; waits for the device where it is a tensor."""
        value = self.value
        return float(value.item() if hasattr(value, "item") else value)


Subscriber = Callable[[LogEntry], object]


class LogBus:
    """Passes what is published to those that subscribed, in the order in which they did.

    It is true while somebody listens: `if learn.log_bus:` stands before work that is done only to
    be logged. The copy of a bus, as of one in a copied learner, has no subscribers.

    Attributes:
        step: number of the current training batch, from 1, counted over all fits.

    Example:
        >>> bus, heard = LogBus(), []
        >>> bus.subscribe(heard.append)
        >>> bus.publish("loss", 0.5, epoch=0, split="train")
        >>> heard[0].name, heard[0].value
        ('loss', 0.5)
    """

    def __init__(self) -> None:
        self.step = 0
        self._subscribers: list[Subscriber] = []

    def __bool__(self) -> bool:
        return bool(self._subscribers)

    def __deepcopy__(self, memo: dict[int, Any]) -> LogBus:
        copied = LogBus()
        copied.step = self.step
        return copied

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(entry)` for all that is published from now on."""
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Call it no more; nothing happens if it is not called now."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def publish(self, name: str, value: Any, epoch: int, split: str) -> None:
        """Pass a value to all subscribers.

        Args:
            name: what it is.
            value: a number or a tensor with one, a text, a `Table`, a figure of matplotlib, or a
                tensor or array of numbers, whose distribution is meant.
            epoch: the epoch of the fit.
            split: `"train"` or `"valid"`.

        Raises:
            TypeError: for a value of another kind.
        """
        if isinstance(value, Tensor):
            value = value.detach()
        entry = LogEntry(name, value, self.step, epoch, split)
        try:
            kind_of(value)
        except TypeError as error:
            error.add_note(f"published as {name!r}")
            raise
        for subscriber in list(self._subscribers):
            subscriber(entry)


def kind_of(value: Any) -> str:
    """The kind of a value that can be logged."""
    if isinstance(value, int | float):
        return "scalar"
    if isinstance(value, Tensor):
        return "scalar" if value.numel() == 1 else "values"
    if isinstance(value, np.ndarray | np.generic):
        return "scalar" if value.size == 1 else "values"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Table):
        return "table"
    if hasattr(value, "savefig"):
        return "figure"
    raise TypeError(
        f"a {type(value).__name__} cannot be logged; give a number, a tensor, an array, a text, a "
        "Table (layerwise.core.display.table), or a figure of matplotlib"
    )
