"""`LoggerCallback`: what loggers share. They listen to the log bus while a fit runs, and write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.devices import rank_distrib
from layerwise.core.train.callback import Callback
from layerwise.core.train.log import LogEntry
from layerwise.core.train.recorder import Recorder

__all__ = ["LoggerCallback"]

# So many numbers wait at most: reading them in one go spares the device a stop at each batch.
_WAITING = 512


class LoggerCallback(Callback, ABC):
    """Base of loggers: write `scalars`, and `show` if more than numbers can be shown.

    Reads the log bus, from the first epoch of a fit to its end; changes nothing. Validation and
    prediction outside of a fit are not logged, and of several processes only the first logs.
    Numbers are written at the end of an epoch, every few hundred, and before a checkpoint.
    """

    order: ClassVar[float] = 90
    after: ClassVar = (Recorder,)
    in_search: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[LogEntry] = []

    @property
    def is_writing(self) -> bool:
        """Whether this process writes: the first one, or the only one."""
        return rank_distrib() == 0

    @abstractmethod
    def scalars(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:
        """Write the numbers of one step."""

    def show(self, entry: LogEntry) -> None:
        """Write what is no number: a text, a table, a figure, many values. Here, nothing."""

    def before_epoch(self) -> None:
        """Begin to listen."""
        if self.is_writing:
            self.learn.log_bus.subscribe(self._hear)

    def after_epoch(self) -> None:
        """Write what has come so far."""
        self.flush()

    def after_fit(self) -> None:
        """Listen no more."""
        self.learn.log_bus.unsubscribe(self._hear)
        self.flush()

    def _hear(self, entry: LogEntry) -> None:
        if entry.kind != "scalar":
            self.show(entry)
            return
        if len(self._waiting) >= _WAITING and entry.step != self._waiting[-1].step:
            self.flush()
        self._waiting.append(entry)

    def flush(self) -> None:
        """Write the numbers that wait."""
        waiting, self._waiting = self._waiting, []
        steps: dict[tuple[int, int, str], dict[str, float]] = {}
        for entry, number in zip(waiting, _numbers(waiting), strict=True):
            steps.setdefault(entry[2:], {})[entry.name] = number
        for (step, epoch, split), values in steps.items():
            self.scalars(step, epoch, split, values)


def _numbers(entries: list[LogEntry]) -> list[float]:
    """The values of `entries`; those on a device are read together."""
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, entry in enumerate(entries):
        if isinstance(entry.value, Tensor):
            groups.setdefault((entry.value.device, entry.value.dtype), []).append(place)
    found: dict[int, Any] = {}
    for places in groups.values():
        read = torch.stack([entries[place].value.reshape(()) for place in places]).tolist()
        found.update(zip(places, read, strict=True))
    return [
        float(found[place]) if place in found else entry.item()
        for place, entry in enumerate(entries)
    ]
