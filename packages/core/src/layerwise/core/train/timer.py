"""`Timer`: what is told of each event, and runs each callback, while a training is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from layerwise.core.train.callback import Callback

__all__ = ["Timer"]


class Timer(Protocol):
    """Measures a training as its `timer`; costs one test for each event where there is none."""

    def starts(self, event: str) -> None:
        """An event comes; what lies behind belongs to the part of training that it ends."""

    def runs(self, cb: Callback, method: Callable[[], Any]) -> None:
        """Call `method` of the callback `cb`, once."""
