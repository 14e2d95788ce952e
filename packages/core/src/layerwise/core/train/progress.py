"""`ProgressCallback`: bars while training runs, and the table of epochs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from layerwise.core.items import noop
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder
from layerwise.core.train.state import TrainState

__all__ = ["EpochTable", "ProgressCallback", "no_bar", "no_logging", "replacing_yield"]

T = TypeVar("T")
LearnT = TypeVar("LearnT", bound=TrainState)

_WIDTH = 12  # of the longest number, "-1.2346e+07", and a space


class EpochTable:
    """A logger that prints rows aligned in columns, as they come.

    Example:
        >>> table = EpochTable()
        >>> table(["epoch", "train_loss", "time"]); table([0, 0.51234, "00:03"])
        epoch     train_loss  time
        0         0.512340    00:03
    """

    def __call__(self, row: Sequence[Any]) -> None:
        """Print one row."""
        cells = [self._text(cell) for cell in row]
        if all(isinstance(cell, str) for cell in row):
            self._widths = [max(_WIDTH, len(cell) + 2) for cell in cells]
        pairs = zip(cells, self._widths, strict=True)
        line = "".join(f"{cell:<{width - 1}} " for cell, width in pairs).rstrip()
        print(line, flush=True)

    def _text(self, cell: Any) -> str:
        if cell is None:
            return ""
        if not isinstance(cell, float):
            return str(cell)
        return f"{cell:.6f}" if cell == 0 or 1e-4 <= abs(cell) < 1000 else f"{cell:.5g}"


class ProgressCallback(Callback):
    """Bars over epochs and batches, with the loss; only where somebody watches.

    In a terminal and in a notebook there are bars; in a file or a pipe only the rows of the table
    are written. Reads `n_epoch`, `n_iter`, `iter` and `loss`; changes nothing.

    Args:
        show: whether there are bars; None: when standard error is a terminal, or in a notebook.
    """

    order: ClassVar[float] = 60
    after: ClassVar = (Recorder,)

    def __init__(self, show: bool | None = None) -> None:
        super().__init__()
        self.show = show
        self._epochs: Any = None
        self._batches: Any = None

    def before_fit(self) -> None:
        """Open the bar of epochs."""
        self.after_fit()  # bars that an error in the last fit has left
        if self._visible and self.learn.n_epoch > 1:
            self._epochs = _bar(self.learn.n_epoch, "epochs", leave=False)

    def before_train(self) -> None:
        """Open a bar of batches."""
        self._open("train")

    def before_validate(self) -> None:
        """Open a bar of batches."""
        self._open("valid")

    def after_batch(self) -> None:
        """Move the bar on."""
        if self._batches is None:
            return
        self._batches.update()
        if self.learn.training and self.learn.iter % 10 == 0 and self.learn.yb:
            self._batches.set_postfix_str(f"loss {float(self.learn.loss):.4f}", refresh=False)

    def after_train(self) -> None:
        """Close the bar of batches."""
        self._close()

    def after_validate(self) -> None:
        """Close the bar of batches."""
        self._close()

    def after_epoch(self) -> None:
        """Move the bar of epochs on."""
        if self._epochs is not None:
            self._epochs.update()

    def after_fit(self) -> None:
        """Close all bars."""
        self._close()
        if self._epochs is not None:
            self._epochs.close()
            self._epochs = None

    @property
    def _visible(self) -> bool:
        return self.show if self.show is not None else sys.stderr.isatty() or in_notebook()

    def _open(self, what: str) -> None:
        self._close()
        if self._visible:
            self._batches = _bar(self.learn.n_iter or None, what, leave=False)

    def _close(self) -> None:
        if self._batches is not None:
            self._batches.close()
            self._batches = None


def _bar(total: int | None, what: str, *, leave: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=what, leave=leave, dynamic_ncols=True)


def in_notebook() -> bool:
    """Whether this runs in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", noop)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


@contextmanager
def no_bar(learn: LearnT) -> Iterator[LearnT]:
    """No bars of `learn` inside this context."""
    bars = [cb for cb in learn.cbs if isinstance(cb, ProgressCallback)]
    before = [cb.show for cb in bars]
    for cb in bars:
        cb.show = False
    try:
        yield learn
    finally:
        for cb, show in zip(bars, before, strict=True):
            cb.show = show


@contextmanager
def no_logging(learn: LearnT) -> Iterator[LearnT]:
    """No rows from `learn` inside this context."""
    with replacing_yield(learn, "logger", _discard) as quiet:
        yield quiet


@contextmanager
def replacing_yield(o: T, attr: str, val: Any) -> Iterator[T]:
    """`o` with its attribute `attr` replaced inside this context."""
    before = getattr(o, attr)
    setattr(o, attr, val)
    try:
        yield o
    finally:
        setattr(o, attr, before)


def _discard(_row: Sequence[Any]) -> None:
    """A logger that writes nothing."""
