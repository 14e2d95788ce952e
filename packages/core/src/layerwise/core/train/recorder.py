"""`Recorder`: what happened in training, batch by batch and epoch by epoch, and plots of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from layerwise.core.devices import sum_processes
from layerwise.core.errors import nearest
from layerwise.core.items import L
from layerwise.core.metrics.metric import AvgLoss, AvgSmoothLoss, Metric
from layerwise.core.metrics.sizes import stack_numbers
from layerwise.core.metrics.state import sync_all
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.transforms.pipeline import describe

__all__ = ["Recorder", "format_time"]


_RECORD = ("lrs", "iters", "values", "hps", "metric_names", "_columns", "_read", "_row")
"""What a checkpoint holds of a record, by the names of its attributes."""


class Recorder(Callback):
    """Keeps losses, learning rates and hyper-parameters by batch, losses and metrics by epoch.

    Reads `loss`, `pred`, `yb`, `opt`; passes the row of each epoch to `logger`. Publishes by batch
    `loss`, `smooth_loss` and the learning rate of each group (`lr_0`, `lr_1`, ...), and by epoch
    the numbers of its row, under the names of the columns.

    Args:
        add_time: put the duration of each epoch in its row.
        train_metrics: measure the metrics on training batches too.
        valid_metrics: measure them in validation.
        beta: how slowly the smooth loss forgets; see `AvgSmoothLoss`.

    Attributes:
        values: per epoch, the numbers of its row without epoch and time.
        metric_names: the names of the columns of a row.
        final_record: the last of `values`.
        iters: training batches done at the end of each epoch.
        hps: values of hyper-parameters by batch, where a schedule sets them.
    """

    order: ClassVar[float] = 50
    after: ClassVar = (TrainEvalCallback,)

    def __init__(
        self,
        add_time: bool = True,
        train_metrics: bool = False,
        valid_metrics: bool = True,
        beta: float = 0.98,
    ) -> None:
        super().__init__()
        self.add_time = add_time
        self.train_metrics, self.valid_metrics = train_metrics, valid_metrics
        self.smooth_loss = AvgSmoothLoss(beta=beta)
        self.loss_metric = AvgLoss()
        self._clear()

    def _clear(self) -> None:
        self.lrs: list[float] = []
        self.iters: list[int] = []
        self.values: list[list[float | None]] = []
        self.hps: dict[str, list[float]] = {}
        self.metric_names: list[str] = []
        self.final_record: L = L()
        self._read: list[float] = []
        # Numbers where losses are on the CPU: a small tensor a step would lie between the blocks
        # that steps free, and memory would grow by such a block each step.
        self._losses: list[float | Tensor] = []
        self._row: list[float | None] = []
        self._columns: list[str] = []
        self._left_out = False
        self._start = time.perf_counter()

    @property
    def losses(self) -> list[float]:
        """The smoothed training loss after each batch."""
        return self._read + stack_numbers(self._losses).tolist()

    @property
    def _metrics(self) -> list[Metric]:
        return self.learn.metrics

    def before_fit(self) -> None:
        """Forget the last fit, and pass the names of the columns to the logger."""
        self._clear()
        self.smooth_loss.reset()
        names = [m.name for m in self._metrics]
        train = [f"train_{n}" for n in names] if self.train_metrics else []
        if self.train_metrics and self.valid_metrics:
            names = [f"valid_{n}" for n in names]
        valid = names if self.valid_metrics else []
        time_column = ["time"] if self.add_time else []
        self._columns = ["train_loss", *train, "valid_loss", *valid]
        self.metric_names = ["epoch", *self._columns, *time_column]
        self.learn.logger(self.metric_names)

    def before_epoch(self) -> None:
        """Start the clock and an empty row."""
        self._start = time.perf_counter()
        self._row = []

    def before_train(self) -> None:
        """Forget what was measured."""
        self._left_out = False
        self._reset()

    def before_validate(self) -> None:
        """Forget what was measured."""
        self._reset()

    def _reset(self) -> None:
        self.loss_metric.reset()
        for metric in self._metrics:
            metric.reset()

    def after_batch(self) -> None:
        """Measure the batch."""
        learn = self.learn
        # None: cancelled before there was one, or no item of it belongs to this process
        left_out, self._left_out = self._left_out, False
        if left_out or not learn.yb or learn.loss is None:
            return
        if learn.training:
            self.smooth_loss.accumulate(learn)
            average = self.smooth_loss.unread
            if average is not None:
                self._losses.append(average)
            self.lrs.append(learn.opt.read_hyper("lr"))
            if learn.log_bus:
                self._publish_batch(average)
        else:
            self.loss_metric.accumulate(learn)
        several = learn.strategy.processes > 1
        if learn.training and several and learn.strategy.batch_items(learn)[0] == 0:
            return
        if self.train_metrics if learn.training else self.valid_metrics:
            for metric in self._metrics:
                try:
                    metric.accumulate(learn)
                except Exception as error:
                    error.add_note(
                        f"in the metric {metric.name!r}, of predictions {describe(learn.pred)} and "
                        f"targets {describe(learn.yb)}"
                    )
                    raise

    def leave_out(self) -> None:
        """Measure nothing of the batch under way: its loss would spoil all later averages."""
        self._left_out = True

    def _publish_batch(self, average: float | Tensor | None) -> None:
        learn = self.learn
        learn.log("loss", learn.loss)
        if average is not None:
            learn.log("smooth_loss", average)
        for number, hyper in enumerate(learn.opt.hypers):
            learn.log(f"lr_{number}", hyper["lr"])

    def after_train(self) -> None:
        """The training part of the row; its loss is the smoothed one, that of the last batches."""
        self._row = self._measured(self.smooth_loss, self.train_metrics)
        self.settle_losses()

    def settle_losses(self) -> None:
        """Turn the losses of this epoch into numbers, those of all processes into their mean.

        The epoch has waited for the device by then; a tensor per batch would fill its memory.
        """
        processes = self.learn.strategy.processes
        if self._losses and processes > 1:
            # Each has counted the loss of its part by the size of that part.
            self._losses = list(sum_processes(stack_numbers(self._losses)) / processes)
        self._read, self._losses = self.losses, []

    def after_validate(self) -> None:
        """The validation part of the row."""
        if len(self._row) >= len(self._columns):
            return  # a callback predicts after the validation of this epoch
        self._row = [*self._row, *self._measured(self.loss_metric, self.valid_metrics)]
        self.final_record = L(self._row)

    def _measured(self, loss: Metric, with_metrics: bool) -> list[float | None]:
        measured = [loss, *self._metrics] if with_metrics else [loss]
        if self.learn.strategy.processes > 1:
            sync_all(measured)
        return [metric.value for metric in measured]

    def after_epoch(self) -> None:
        """Pass the row on; columns of what was left out are empty."""
        row = self._row + [None] * (len(self._columns) - len(self._row))
        self.values.append(row)
        self.iters.append(self.learn.train_iter)
        for column, value in zip(self._columns, row, strict=True):
            if value is not None:
                self.learn.log(column, value, "train" if column.startswith("train_") else "valid")
        duration = [format_time(time.perf_counter() - self._start)] if self.add_time else []
        self.learn.logger([self.learn.epoch, *row, *duration])

    def state_dict(self) -> dict[str, Any]:
        """The whole record, and what the averages have seen."""
        self.settle_losses()
        if self.learn.strategy.processes > 1:
            self.smooth_loss.sync()
        return {
            **{name: getattr(self, name) for name in _RECORD},
            "final_record": list(self.final_record),
            "losses": self._losses,
            "smooth_loss": self.smooth_loss.state_dict(),
            "seconds": time.perf_counter() - self._start if self.learn.training else 0.0,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the record up again, as if nothing had been in between."""
        for name in _RECORD:
            setattr(self, name, state[name])
        self.final_record, self._losses = L(state["final_record"]), list(state["losses"])
        self.smooth_loss.load_state_dict(state["smooth_loss"])
        self._start = time.perf_counter() - state["seconds"]

    def plot_loss(
        self,
        skip_start: int = 5,
        with_valid: bool = True,
        log: bool = False,
        show_epochs: bool = False,
        ax: Any = None,
    ) -> Any:
        """Draw the training loss by batch, and the validation loss at the end of each epoch.

        Args:
            skip_start: first batches to leave out, whose loss would flatten the rest.
            with_valid: draw the validation loss.
            log: draw on a logarithmic scale.
            show_epochs: mark where epochs end.
            ax: axes to draw on; a new figure when None.

        Returns:
            The axes.
        """
        from layerwise.core.display.axes import subplots

        ax = ax if ax is not None else subplots(figsize=(6, 4))[1][0]
        losses = self.losses
        if not losses:
            raise ValueError("nothing has been recorded yet; call fit first")
        skip = min(skip_start, len(losses) - 1)
        ax.plot(range(skip, len(losses)), losses[skip:], label="train")
        valid = self.metric_names.index("valid_loss") - 1
        points = [
            (at - 1, row[valid])
            for at, row in zip(self.iters, self.values, strict=True)
            if row[valid] is not None and at > skip
        ]
        if with_valid and points:
            ax.plot(*zip(*points, strict=True), label="valid", marker="o", markersize=3)
        if show_epochs:
            for at in self.iters:
                ax.axvline(at - 1, color="grey", alpha=0.4, linewidth=0.8)
        if log:
            ax.set_yscale("log")
        ax.set(xlabel="batch", ylabel="loss")
        ax.legend()
        return ax

    def plot_sched(self, keys: str | Sequence[str] | None = None, figsize: Any = None) -> Any:
        """Draw how the schedule set hyper-parameters, batch by batch. Returns the axes.

        Args:
            keys: names of hyper-parameters; all that were scheduled when None.
            figsize: size of the figure in inches.
        """
        from layerwise.core.display.axes import subplots

        names = [keys] if isinstance(keys, str) else list(keys or self.hps)
        if not self.hps:
            raise ValueError("no schedule has run yet; call fit_one_cycle or fine_tune first")
        for name in names:
            if name not in self.hps:
                raise ValueError(
                    f"no schedule has set {name!r}.{nearest(name, self.hps)} "
                    f"There are: {', '.join(self.hps)}"
                )
        rows = -(-len(names) // 2)
        _, axes = subplots(rows, min(len(names), 2), figsize=figsize or (12, 4 * rows))
        for ax, name in zip(axes.flat if hasattr(axes, "flat") else axes, names, strict=False):
            ax.plot(self.hps[name])
            ax.set(xlabel="batch", ylabel=name)
        return axes


def format_time(seconds: float) -> str:
    """`seconds` as minutes and seconds, with hours where there are any.

    Example:
        >>> format_time(3.2), format_time(75), format_time(3700)
        ('00:03', '01:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
