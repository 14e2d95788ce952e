"""Checkpoints of a training, from which it goes on bit for bit, whatever ended it."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from layerwise.core.callback.tracker import smaller_is_better
from layerwise.core.devices import any_process
from layerwise.core.errors import nearest
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint_folder import CheckpointFolder, write_checkpoint
from layerwise.core.train.every import Every
from layerwise.core.train.recorder import Recorder
from layerwise.core.train.snapshot import take
from layerwise.core.train.stop_signals import StopSignals

__all__ = ["Checkpoint"]


class Checkpoint(Callback):
    """Writes checkpoints during training; `learn.fit(..., resume=True)` goes on from the newest.

    A checkpoint holds model, optimizer, schedule, scaler, averages, what other callbacks keep, the
    position in the data and all random states, so that the training that goes on is the same, bit
    for bit, as one that was never stopped. It is written under another name, flushed to the disk
    and renamed: whenever the machine stops, there is a whole one. No pickle is in it.

    SIGTERM, SIGINT (Ctrl+C) and SIGUSR1 let the step under way finish (where several processes
    accumulate gradients, the group of batches), then a checkpoint is
    written and the process left with 128 + the number of the signal: 143, 130, 138. During
    validation, that is the state after the last training batch. A second Ctrl+C leaves at once.

    Reads everything and changes nothing. Runs after all other callbacks.

    Args:
        every: how often: "100ba" (training batches), "1ep" (epochs), "10min". One more is written
            at the end of the fit.
        keep: how many of the last ones stay; None for all. Never is the last whole one removed.
        best: the name of a column of the table, such as "valid_loss": the checkpoint of the epoch
            with the best value stays too.
        largest: whether large values of that are good; None: all but losses and errors.
        dir: the folder; relative to the learner's `path`.
        signals: at which signals to write and leave.
        background: write in a thread, while training goes on. Where the disk is slower than
            `every` asks for, checkpoints come as fast as it can write them. Off: wait for the disk.

    Raises:
        ValueError: if `every` cannot be read, or `best` is no column.
        OSError: if a checkpoint cannot be written; it names the path. Earlier ones stay.

    Example:
        >>> Checkpoint(every="100ba", keep=3).every
        Every(count=100.0, unit='ba')
    """

    order: ClassVar[float] = 1000
    in_search: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ("run_id", "fits", "best_value", "best_file")

    def __init__(
        self,
        every: str = "1ep",
        *,
        keep: int | None = 3,
        best: str | None = None,
        largest: bool | None = None,
        dir: str | Path = "checkpoints",  # noqa: A002 - what it is
        signals: Iterable[str] = ("SIGTERM", "SIGINT", "SIGUSR1"),
        background: bool = True,
    ) -> None:
        super().__init__()
        if keep is not None and keep < 1:
            raise ValueError(f"keep={keep}: at least one checkpoint has to stay; None keeps all")
        self.every, self.keep, self.best = Every.of(every), keep, best
        self.largest = not smaller_is_better(best or "") if largest is None else largest
        self.dir = Path(dir)
        self.run_id = secrets.token_hex(4)  # not from the seeds: a name, no part of training
        self.fits: dict[int, int] = {}  # epochs of each fit of the learner that has begun
        self.best_value: float | None = None
        self.best_file: str | None = None
        self._signals = StopSignals(signals)
        self._writer = _Writer(background)
        self._armed = self._done = self._left = self._late = False
        self._held: dict[str, Any] | None = None
        self._spare: dict[str, Any] | None = None
        self._last = 0.0

    @property
    def folder(self) -> CheckpointFolder:
        """The folder with the files."""
        return CheckpointFolder(self.learn.path / self.dir)

    @property
    def paths(self) -> list[Path]:
        """The checkpoints of this run, oldest first."""
        return [entry.path for entry in self.folder.entries(self.run_id)]

    @property
    def best_path(self) -> Path | None:
        """The checkpoint of the epoch with the best value; None where there is none."""
        return None if self.best_file is None else self.folder.path / self.best_file

    # -- events ----------------------------------------------------------------------------

    def before_epoch(self) -> None:
        """Listen to signals from the first epoch on."""
        if not self._armed:
            self.arm()

    def before_train(self) -> None:
        """Let the writer end: workers are about to be forked."""
        self._writer.wait()

    def before_validate(self) -> None:
        """Likewise."""
        self._writer.wait()

    def after_batch(self) -> None:
        """Write a checkpoint if it is time, or if the process was asked to stop."""
        if not self._armed or self.learn.only_valid:
            return
        if not self.learn.training:
            if self._held is not None and self._asked_to_stop():
                self._leave(self._held)
            return
        learn = self.learn
        if learn.accumulating and learn.strategy.processes > 1:
            # Each process has gradients of its own, which no file holds: wait for their sum.
            self._late = self._late or self._is_due(self.every.after_batch, learn.train_iter)
            return
        stop = self._asked_to_stop()
        done = learn.iter + 1
        is_last = done == learn.n_iter and self._signals.installed
        due = self._late or self._is_due(self.every.after_batch, learn.train_iter)
        # Process 0 alone has a writer at work; all have to know, since all give their part.
        self._late = due and not stop and any_process(self._writer.busy, learn.device)
        if stop or is_last or (due and not self._late):
            spare = None if self._writer.busy else self._spare
            state, self._spare = take(learn, learn.epoch, done, old=spare), None
            if stop:
                self._leave(state)
            if is_last:
                self._held = state
            if due and not self._late:
                self._write(state)
            if not is_last and self._writer.background:
                self._spare = state  # the next one is taken when this has been written

    def after_epoch(self) -> None:
        """Write a checkpoint if it is time, if this epoch is the best, or if asked to stop."""
        if not self._armed or self.learn.only_valid:
            return
        learn, self._held = self.learn, None
        done = learn.epoch + 1
        self._done = done >= learn.n_epoch
        stop, better = self._asked_to_stop(), self._is_better()
        if stop or better or self._is_due(self.every.after_epoch, done):
            self._writer.wait()
            if better:  # said in the file itself: it may be the last one to be written
                self.best_file = self._path(done, 0, finished=False).name
            state = take(learn, done, 0)
            if stop and not self._done:
                self._leave(state)
            self._write(state)

    def after_cancel_fit(self) -> None:
        """A fit that a callback ends early is complete."""
        self._done = True

    def after_fit(self) -> None:
        """Write the checkpoint that says that this fit is done, unless an error ends it."""
        if not self._armed or self.learn.only_valid:
            return
        learn, left, done = self.learn, self._left, self._done
        self._armed = self._left = self._done = False
        self._held = self._spare = None
        try:
            if done:
                self._write(take(learn, min(learn.epoch + 1, learn.n_epoch), 0, finished=True))
            else:
                learn.fit_count -= 1  # the next fit of this learner is this one again
            self._writer.close()
        finally:
            self._signals.restore()
        if self._signals.caught is not None and not left:
            self._exit("after_fit")

    # -- parts -----------------------------------------------------------------------------

    def arm(self, done: bool = False) -> None:
        """Begin with a fit: tidy the folder, listen to signals, start the clock.

        Args:
            done: whether no epoch of it is left to do.
        """
        if self.learn.strategy.rank == 0:
            self.folder.sweep(self.run_id)  # of the run that is gone on with, once that is known
        if self._armed:
            return
        self._armed, self._late, self._last = True, False, time.monotonic()
        self._done = done
        self.fits[self.learn.fit_count] = self.learn.n_epoch
        self._check_best()
        self._signals.install()

    def _asked_to_stop(self) -> bool:
        return any_process(self._signals.caught is not None, self.learn.device)

    def _is_due(self, at: Callable[[int, float], bool], count: int) -> bool:
        due = at(count, time.monotonic() - self._last)
        return any_process(due, self.learn.device) if self.every.timed else due

    def _write(self, state: Mapping[str, Any]) -> None:
        """Hand `state` to the writer."""
        self._writer.wait()
        self._last = time.monotonic()
        if self.learn.strategy.rank != 0:
            return
        fit, folder, keep = state["fit"], self.folder, self.keep
        path = self._path(fit["epoch"], fit["batches"], fit["finished"])
        run_id, spared = self.run_id, self.best_file

        def write() -> None:
            write_checkpoint(path, state)
            folder.rotate(run_id, keep, spared)

        self._writer.submit(write)

    def _path(self, epoch: int, batches: int, finished: bool) -> Path:
        return self.folder.new_path(self.run_id, self.learn.fit_count, epoch, batches, finished)

    def _leave(self, state: Mapping[str, Any]) -> NoReturn:
        """Write `state`, wait for it to be on the disk, and leave as the signal asks."""
        self._writer.wait()
        self._write(state)
        self._writer.wait()
        self._left = True
        self._exit("a training step")

    def _exit(self, where: str) -> NoReturn:
        try:
            self._signals.leave()
        except BaseException as error:
            # The engine calls after_fit for an error, unless it has come from there.
            error.add_note(f"stopped by a signal, in {where}")
            if not isinstance(error, KeyboardInterrupt):
                print(
                    f"stopped by a signal; fit(..., resume=True) goes on from {self.folder.path}",
                    file=sys.stderr,
                )
            raise

    # -- the best --------------------------------------------------------------------------

    def _recorder(self) -> Recorder | None:
        return next((cb for cb in self.learn.cbs if isinstance(cb, Recorder)), None)

    def _check_best(self) -> None:
        if self.best is None:
            return
        recorder = self._recorder()
        columns = recorder.metric_names[1:] if recorder is not None else []
        if self.best not in columns:
            raise ValueError(
                f"Checkpoint(best={self.best!r}): there is no such column."
                f"{nearest(self.best, columns)} There are: {', '.join(columns) or 'none'}"
            )

    def _is_better(self) -> bool:
        """Whether the value of this epoch is the best so far; takes note of it."""
        recorder = self._recorder()
        if self.best is None or recorder is None:
            return False
        value = recorder.values[-1][recorder.metric_names.index(self.best) - 1]
        if value is None or value != value:  # not measured, or not a number
            return False
        before = self.best_value
        better = before is None or (value > before if self.largest else value < before)
        if better:
            self.best_value = value
        return better


class _Writer:
    """Does one thing at a time, in a thread of its own or at once; errors come out at the next."""

    def __init__(self, background: bool) -> None:
        self.background = background
        self._pool: ThreadPoolExecutor | None = None
        self._now: Future[None] | None = None

    @property
    def busy(self) -> bool:
        return self._now is not None and not self._now.done()

    def submit(self, work: Callable[[], None]) -> None:
        self.wait()
        if not self.background:
            work()
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._now = self._pool.submit(work)

    def wait(self) -> None:
        now, self._now = self._now, None
        if now is not None:
            now.result()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
