"""`OptunaPruningCallback`: ends trainings of a search that have no prospects."""

from __future__ import annotations

from typing import Any, ClassVar

from layerwise.core.devices import any_process, rank_distrib
from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder

__all__ = ["OptunaPruningCallback"]


class OptunaPruningCallback(Callback):
    """Reports a column of the table to an Optuna trial, and ends the fit if that is to be pruned.

    Reads what the recorder keeps; raises `optuna.TrialPruned` after an epoch, which the study
    expects; extra `[optuna]`. Of several processes the first reports, and all stop together.

    Args:
        trial: the `optuna.Trial` of this training.
        monitor: the column, such as `"valid_loss"` or the name of a metric.
    """

    order: ClassVar[float] = 80
    after: ClassVar = (Recorder,)
    in_search: ClassVar[bool] = False

    def __init__(self, trial: Any, monitor: str = "valid_loss") -> None:
        super().__init__()
        self.trial, self.monitor = trial, monitor

    def before_fit(self) -> None:
        """Check that the column is there.

        Raises:
            ValueError: where it is not; names those that are.
        """
        columns = [name for name in self._recorder().metric_names if name not in ("epoch", "time")]
        if self.monitor not in columns:
            raise ValueError(
                f"no column {self.monitor!r} to report to Optuna.{nearest(self.monitor, columns)} "
                f"There are: {', '.join(columns)}"
            )

    def after_epoch(self) -> None:
        """Report, and stop if the trial is to be pruned."""
        should_stop = False
        recorder = self._recorder()
        value = recorder.values[-1][recorder.metric_names.index(self.monitor) - 1]
        if value is not None and not rank_distrib():
            self.trial.report(value, step=self.learn.epoch)
            should_stop = self.trial.should_prune()
        if any_process(should_stop, self.learn.device):
            raise _pruned()(f"after epoch {self.learn.epoch}: {self.monitor} is {value}")

    def _recorder(self) -> Recorder:
        for cb in self.learn.cbs:
            if isinstance(cb, Recorder):
                return cb
        raise ValueError(
            "OptunaPruningCallback reports what a Recorder keeps, and this learner has none; add "
            "one with cbs=Recorder()"
        )


def _pruned() -> type[Exception]:
    try:
        from optuna import TrialPruned
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "optuna", needed_for="searches by Optuna", install="layerwise-core[optuna]"
        ) from error
    return TrialPruned
