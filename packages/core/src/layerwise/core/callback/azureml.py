"""`AzureMLCallback`: logs to a run of Azure Machine Learning."""

from __future__ import annotations

from typing import Any

from layerwise.core.callback.logger import LoggerCallback
from layerwise.core.callback.run_args import gather_args
from layerwise.core.errors import MissingDependencyError
from layerwise.core.train.log import LogEntry
from layerwise.core.train.recorder import Recorder

__all__ = ["AzureMLCallback"]


class AzureMLCallback(LoggerCallback):
    """Logs what is published on the log bus to a run of Azure Machine Learning; extra `[azureml]`.

    Reads the log bus and the settings of the learner; changes nothing. The service counts the
    points of a curve itself. Many values of one entry are left out: it has nothing to show them.

    Args:
        azurerun: the run; that of the job in which this program runs when None.
        log_to_parent: log the numbers of each epoch to the run that this one is a part of, too.
    """

    def __init__(self, azurerun: Any = None, log_to_parent: bool = True) -> None:
        super().__init__()
        self.azurerun, self.log_to_parent = azurerun, log_to_parent
        self._running: Any = None
        self._columns: set[str] = set()

    def before_epoch(self) -> None:
        """Find the run, and tag it with what is trained."""
        super().before_epoch()
        if self.is_writing and self._running is None:
            recorders = [cb for cb in self.learn.cbs if isinstance(cb, Recorder)]
            self._columns = {name for cb in recorders for name in cb.metric_names}
            self._running = self.azurerun if self.azurerun is not None else _current_run()
            for name, value in gather_args(self.learn).items():
                self._running.tag(name, str(value))

    def scalars(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:  # noqa: ARG002 - one signature for all
        """Log each number of a step."""
        parent = getattr(self._running, "parent", None) if self.log_to_parent else None
        for name, value in values.items():
            self._running.log(name, value)
            if parent is not None and name in self._columns:
                parent.log(name, value)

    def show(self, entry: LogEntry) -> None:
        """Log a text, a table or a figure."""
        if entry.kind == "text":
            self._running.log(entry.name, entry.value)
        elif entry.kind == "table":
            columns = zip(*entry.value.rows, strict=True)
            table = dict(zip(entry.value.columns, map(list, columns), strict=False))
            self._running.log_table(entry.name, table)
        elif entry.kind == "figure":
            self._running.log_image(entry.name, plot=entry.value)

    def after_fit(self) -> None:
        """Log the rest."""
        super().after_fit()
        self._running = None


def _current_run() -> Any:
    try:
        from azureml.core.run import Run
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "azureml-core", needed_for="logs for Azure ML", install="layerwise-core[azureml]"
        ) from error
    return Run.get_context()
