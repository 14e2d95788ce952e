"""`CometCallback`: logs to Comet."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from layerwise.core.callback.logger import LoggerCallback
from layerwise.core.callback.run_args import gather_args
from layerwise.core.errors import MissingDependencyError
from layerwise.core.train.checkpoint import save_model
from layerwise.core.train.log import LogEntry

__all__ = ["CometCallback"]


class CometCallback(LoggerCallback):
    """Logs what is published on the log bus to an experiment of Comet; extra `[comet]`.

    Reads the log bus and the settings of the learner; changes nothing.

    Args:
        project_name: the project of a new experiment, which ends with the fit.
        experiment: a `comet_ml` experiment that runs already (also an offline one), which the
            user ends.
        log_model_weights: upload the weights when the fit is done.

    Raises:
        ValueError: unless there is either a name or an experiment.
    """

    def __init__(
        self,
        project_name: str | None = None,
        experiment: Any = None,
        log_model_weights: bool = False,
    ) -> None:
        super().__init__()
        if (project_name is None) == (experiment is None):
            raise ValueError(
                "give either project_name=, for an experiment that is started with the fit, or "
                "experiment=, one that runs already"
            )
        self.project_name, self.experiment = project_name, experiment
        self.log_model_weights = log_model_weights
        self._running: Any = None

    def before_epoch(self) -> None:
        """Start the experiment with the first epoch, and say what is trained."""
        super().before_epoch()
        if self.is_writing and self._running is None:
            self._running = self.experiment if self.experiment is not None else self._started()
            self._running.log_parameters(gather_args(self.learn))

    def _started(self) -> Any:
        try:
            from comet_ml import Experiment
        except (ImportError, OSError) as error:
            raise MissingDependencyError.of(
                "comet_ml", needed_for="logs for Comet", install="layerwise-core[comet]"
            ) from error
        return Experiment(project_name=self.project_name)

    def scalars(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:  # noqa: ARG002 - one signature for all
        """Log the numbers of one step."""
        self._running.log_metrics(values, step=step, epoch=epoch)

    def show(self, entry: LogEntry) -> None:
        """Log a text, a table, a figure or a histogram."""
        name, value, step = entry.name, entry.value, entry.step
        if entry.kind == "text":
            self._running.log_text(f"{name}: {value}", step=step)
        elif entry.kind == "table":
            self._running.log_table(f"{name}-{step}.csv", value.rows, headers=value.columns)
        elif entry.kind == "figure":
            self._running.log_figure(figure_name=name, figure=value, step=step)
        else:
            self._running.log_histogram_3d(value, name=name, step=step)

    def after_fit(self) -> None:
        """Log the rest and the weights; end the experiment if it was started here."""
        super().after_fit()
        if self._running is None:
            return
        if self.log_model_weights:
            with tempfile.TemporaryDirectory() as folder:
                file = save_model(Path(folder) / "model", self.learn.model)
                self._running.log_model("model", str(file))
                if hasattr(self._running, "flush"):
                    self._running.flush()  # it reads the file in a thread of its own
        if self.experiment is None:
            self._running.end()
        self._running = None
