"""Signals that ask a training to stop: noted, so that the step under way can be finished first."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NoReturn

from layerwise.core.errors import nearest
from layerwise.core.train.progress import in_notebook

__all__: list[str] = []

_Handler = Callable[[int, FrameType | None], Any] | int | None


class StopSignals:
    """Notes the first signal that asks to stop, from `install` to `restore`.

    A handler that was there before is called too. Signals that are ignored, as those of the
    keyboard are in a background job, stay ignored. Outside of the main thread nothing happens.

    Args:
        names: of the signals, such as "SIGTERM"; those that this system does not have are left out.

    Attributes:
        caught: the number of the first signal that came; None while there was none.

    Example:
        >>> stop = StopSignals(["SIGTERM"])
        >>> stop.install(); signal.raise_signal(signal.SIGTERM); stop.restore()
        >>> stop.caught == signal.SIGTERM
        True
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        known = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGQUIT", "SIGBREAK")
        for name in self.names:
            if name not in known:
                raise ValueError(
                    f"{name!r} is no signal to stop at.{nearest(name, known)} "
                    f"There are: {', '.join(known)}"
                )
        self.caught: int | None = None
        self._before: dict[int, _Handler] = {}
        self._pid = 0

    @property
    def installed(self) -> bool:
        """Whether it listens."""
        return bool(self._before)

    def install(self) -> None:
        """Listen from now on."""
        self.caught = None
        if threading.current_thread() is not threading.main_thread() or self._before:
            return
        self._pid = os.getpid()
        for name in self.names:
            number = getattr(signal, name, None)
            before = None if number is None else signal.getsignal(number)
            # None: a handler that is not Python's, such as that of faulthandler.
            if number is not None and before not in (None, signal.SIG_IGN):
                self._before[number] = before
                signal.signal(number, self._heard)

    def restore(self) -> None:
        """Listen no more: the handlers that were there before are back."""
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(number)
        if os.getpid() != self._pid:
            _leave_child(number)
            return
        again, self.caught = self.caught is not None, self.caught or number
        if again and number == signal.SIGINT:  # whoever presses twice does not want to wait
            raise KeyboardInterrupt
        self._forgive_workers()
        if callable(before) and before is not signal.default_int_handler:
            before(number, frame)

    def _forgive_workers(self) -> None:
        """Let no worker of a loader, ended by the same signal, break the step under way.

        torch raises in the middle of whatever runs when a worker has died.
        """
        child = getattr(signal, "SIGCHLD", None)
        if child is None or child in self._before:
            return
        before = signal.getsignal(child)
        if callable(before):
            self._before[child] = before
            signal.signal(child, _nothing)

    def leave(self) -> NoReturn:
        """End the process as the signal asks; in an interactive session only what runs.

        Raises:
            SystemExit: with 128 + the number of the signal, as shells have it.
            KeyboardInterrupt: for SIGINT in an interactive session.
        """
        number = self.caught or signal.SIGTERM
        if number == signal.SIGINT and (hasattr(sys, "ps1") or in_notebook()):
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


def _nothing(number: int, frame: FrameType | None) -> None:
    """A handler that does nothing, but is one."""


def _leave_child(number: int) -> None:
    """What a process that was forked meanwhile does: the keyboard is for its parent."""
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
