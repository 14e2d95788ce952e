"""`ProfileCallback`: where the time of a training goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from layerwise.core.devices import rank_distrib
from layerwise.core.display.table import Table
from layerwise.core.train.callback import Callback

__all__ = ["ProfileCallback"]

# The part of training that ends with an event; what is not here is the loop itself.
_ENDS = {
    "before_batch": "data",  # waiting for the loader, and the way to the device
    "after_train": "data",
    "after_validate": "data",
    "after_pred": "forward",
    "after_loss": "loss",
    "after_backward": "backward",
    "after_cancel_backward": "backward",
    "after_step": "step",
    "after_cancel_step": "step",
}
_ON_DEVICE = frozenset({"forward", "loss", "backward", "step"})

Part = tuple[str, str]


class ProfileCallback(Callback):
    """Measures each part of training and each callback, and prints a table when the fit is done.

    Reads `device` and `training`; sets `timer`. The parts are `data` (waiting for the loader, and
    the way to the device), `forward`, `loss`, `backward`, `step`, each callback by its name, and
    `loop`, all that lies between. Shares add up to the whole. With a GPU, which works while the
    program goes on, the time on the device has a column of its own.

    Args:
        skip: first training batches to leave out, during which libraries warm up.
        show: print the table.

    Example:
        >>> from layerwise.core.testing.fakes import synth_learner
        >>> learn = synth_learner()
        >>> profile = ProfileCallback(show=False)
        >>> with learn.no_logging(): learn.fit(1, cbs=profile)
        >>> {"data", "forward", "backward"} <= {row["part"] for row in profile.rows()}
        True
    """

    order: ClassVar[float] = -100
    in_search: ClassVar[bool] = False

    def __init__(self, skip: int = 1, show: bool = True) -> None:
        super().__init__()
        self.skip, self.show = skip, show
        self._times = _Times()

    def before_fit(self) -> None:
        """Begin to measure."""
        device = self.learn.device
        self._times = _Times(on_gpu=device is not None and device.type == "cuda")
        self.learn.timer = self._times

    def before_batch(self) -> None:
        """Forget what the first batches took, and note which data these are."""
        if self.skip and self.learn.training and self.learn.train_iter == self.skip:
            self._times.clear()

    def before_train(self) -> None:
        """What comes is training."""
        self._times.split = "train"

    def before_validate(self) -> None:
        """What comes is validation."""
        self._times.split = "valid"

    def after_epoch(self) -> None:
        """Read the times of the device, and go on outside of training and validation."""
        self._times.read_device()
        self._times.split = ""

    def after_fit(self) -> None:
        """Measure no more; print the table."""
        self.learn.timer = None
        self._times.read_device()
        if self.show and not rank_distrib():
            print(self.table())

    def rows(self) -> list[dict[str, Any]]:
        """What was measured, longest first.

        Each row has `part`, `split`, `calls`, `seconds`, `ms` (of one call), `slowest_ms`, `share`
        of the whole, and with a GPU `device_ms` of one call.
        """
        return self._times.rows()

    def table(self) -> Table:
        """The rows as a table for terminal and notebook."""
        return Table([{name: _short(name, cell) for name, cell in r.items()} for r in self.rows()])


class _Times:
    """A `Timer`: the durations of each part."""

    def __init__(self, on_gpu: bool = False) -> None:
        self.split, self.on_gpu = "", on_gpu
        self._is_inside = False
        self.clear()

    def clear(self) -> None:
        self.durations: dict[Part, list[float]] = defaultdict(list)
        self.on_device: dict[Part, list[float]] = defaultdict(list)
        self._unread: list[tuple[Part, Any, Any]] = []
        self._since = time.perf_counter()
        self._mark = self._device_mark()

    def starts(self, event: str) -> None:
        if self._is_inside:
            return  # a callback that predicts, say: it is all that callback's time
        now = time.perf_counter()
        part = _ENDS.get(event, "loop"), self.split
        self.durations[part].append(now - self._since)
        if self.on_gpu and part[0] in _ON_DEVICE:
            self._unread.append((part, self._mark, self._device_mark()))
        self._continue(now)

    def runs(self, cb: Callback, method: Callable[[], Any]) -> None:
        if self._is_inside:
            method()
            return
        self._is_inside = True
        try:
            method()
        finally:
            self._is_inside, now = False, time.perf_counter()
            self.durations[type(cb).__name__, self.split].append(now - self._since)
            self._continue(now)

    def _continue(self, now: float) -> None:
        self._since = now
        self._mark = self._device_mark()

    def _device_mark(self) -> Any:
        if not self.on_gpu:
            return None
        mark = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch does not say
        mark.record()
        return mark

    def read_device(self) -> None:
        """Wait for the device, and read how long it worked at each part."""
        if self._unread:
            torch.cuda.synchronize()
        for part, start, end in self._unread:
            self.on_device[part].append(start.elapsed_time(end))
        self._unread = []

    def rows(self) -> list[dict[str, Any]]:
        whole = sum(map(sum, self.durations.values())) or 1.0
        found = []
        for part, each in self.durations.items():
            row = {
                "part": part[0], "split": part[1], "calls": len(each), "seconds": sum(each),
                "ms": 1e3 * sum(each) / len(each), "slowest_ms": 1e3 * max(each),
                "share": sum(each) / whole,
            }  # fmt: skip
            if self.on_gpu:
                device = self.on_device.get(part)
                row["device_ms"] = sum(device) / len(device) if device else None
            found.append(row)
        return sorted(found, key=lambda row: -row["seconds"])


def _short(name: str, cell: Any) -> Any:
    if cell is None:
        return ""
    if name == "share":
        return f"{cell:.1%}"
    return float(f"{cell:.3g}") if isinstance(cell, float) else cell
