"""`WandbCallback`: logs to Weights & Biases, with predictions, data and models."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from layerwise.core.callback.json_log import json_clean
from layerwise.core.callback.logger import LoggerCallback
from layerwise.core.callback.run_args import gather_args
from layerwise.core.callback.shown_preds import shown_preds
from layerwise.core.dispatch import Dispatch
from layerwise.core.errors import MissingDependencyError
from layerwise.core.tensors import TensorImageBase, TensorMask
from layerwise.core.train.checkpoint import save_model
from layerwise.core.train.log import LogEntry, kind_of

__all__ = ["WandbCallback", "log_dataset", "log_model", "wandb_process"]


class WandbCallback(LoggerCallback):
    """Logs what is published on the log bus to the run of `wandb.init()`; extra `[wandb]`.

    Reads the log bus, the settings of the learner, `model` and `dls`; changes nothing. The axis of
    all curves is `train_step`, the number of training batches over all fits.

    Args:
        wandb_run: the run; that of `wandb.init()` when None.
        log: what `run.watch` shows of the model: `"gradients"`, `"parameters"` or `"all"`.
        log_preds: show samples of the validation data with predictions, when the fit is done; not
            where several processes train together.
        log_preds_every_epoch: show them after each epoch.
        n_preds: how many.
        valid_dl: where the samples come from; the validation data when None.
        log_model: upload the weights when the fit is done.
        model_name: their name as an artifact; made from that of the run when None.
        dataset: a folder to upload as an artifact with the first fit.
    """

    def __init__(
        self,
        wandb_run: Any = None,
        log: str | None = None,
        log_preds: bool = True,
        log_preds_every_epoch: bool = False,
        n_preds: int = 36,
        valid_dl: Any = None,
        log_model: bool = False,
        model_name: str | None = None,
        dataset: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.wandb_run, self.log = wandb_run, log
        self.log_preds, self.log_preds_every_epoch = log_preds, log_preds_every_epoch
        self.n_preds, self.valid_dl = n_preds, valid_dl
        self.log_model, self.model_name, self.dataset = log_model, model_name, dataset
        self._run: Any = None

    def before_epoch(self) -> None:
        """Find the run with the first epoch, and say what is trained."""
        super().before_epoch()
        if self._run is not None or not self.is_writing:
            return
        self._run = self.wandb_run if self.wandb_run is not None else _current_run()
        self._run.config.update(gather_args(self.learn), allow_val_change=True)
        self._run.define_metric("train_step")
        self._run.define_metric("*", step_metric="train_step")
        if self.log is not None:
            self._run.watch(self.learn.model, log=self.log)
        if self.dataset is not None:
            log_dataset(self.dataset, run=self._run)

    def scalars(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:  # noqa: ARG002 - one signature for all
        """Log the numbers of one step together."""
        self._run.log({"train_step": step, "epoch": epoch, **values})

    def show(self, entry: LogEntry) -> None:
        """Log a text, a table, a figure or a histogram."""
        self._log_at(entry.step, {entry.name: _media(entry.value)})

    def _log_at(self, step: int, values: Mapping[str, Any]) -> None:
        self._run.log({"train_step": step, "epoch": self.learn.epoch, **values})

    def after_epoch(self) -> None:
        """Log what has come, and samples with predictions."""
        super().after_epoch()
        is_last = self.learn.epoch == self.learn.n_epoch - 1
        wanted = self.log_preds_every_epoch or (self.log_preds and is_last)
        if self._run is None or not wanted:
            return
        shown = shown_preds(self.learn, self.n_preds, self.valid_dl)
        if shown is None:
            return
        if shown.samples is not None:
            made = wandb_process(shown.x, shown.y, shown.samples, shown.outs)
        else:
            made = {"predictions": _media(shown.picture)} if shown.picture is not None else {}
        self._log_at(self.learn.log_bus.step, made)

    def after_fit(self) -> None:
        """Log the rest, and the weights. The run goes on, and is the user's to finish."""
        super().after_fit()
        if self._run is None:
            return
        if self.log is not None:
            self._run.unwatch(self.learn.model)
        if self.log_model:
            with tempfile.TemporaryDirectory() as folder:
                file = save_model(Path(folder) / "model", self.learn.model)
                metadata = gather_args(self.learn)
                log_model(file, self.model_name, metadata=metadata, run=self._run)
        self._run = None


def log_dataset(
    path: str | Path,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    description: str = "raw dataset",
    run: Any = None,
) -> None:
    """Upload a folder of data as an artifact of a run of Weights & Biases.

    Args:
        path: the folder.
        name: of the artifact; that of the folder when None.
        metadata: what else is known.
        description: one line.
        run: the run; that of `wandb.init()` when None.

    Raises:
        NotADirectoryError: if there is no such folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder; give the one that holds the data")
    artifact = _artifact(name or folder.resolve().name, "dataset", description, metadata)
    artifact.add_dir(str(folder))
    _of(run).log_artifact(artifact)


def log_model(
    path: str | Path,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    description: str = "trained model",
    run: Any = None,
) -> None:
    """Upload a model file as an artifact of a run of Weights & Biases.

    Args:
        path: the file.
        name: of the artifact; made from that of the run when None.
        metadata: what else is known.
        description: one line.
        run: the run; that of `wandb.init()` when None.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    file, found = Path(path), _of(run)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is no file; give the one that learn.save returned")
    artifact = _artifact(name or f"run-{found.id}-model", "model", description, metadata)
    artifact.add_file(str(file))
    found.log_artifact(artifact)


def _as_table(
    x: Any,  # noqa: ARG001 - chooses the method
    y: Any,  # noqa: ARG001 - chooses the method
    samples: Sequence[Any],
    outs: Sequence[Any],
) -> dict[str, Any]:
    """Samples with predictions as values that `wandb.Run.log` takes; by default a table.

    Chosen by the types of `x` and `y`: `@wandb_process.register` on a function whose first two
    parameters are annotated.

    Args:
        x: inputs of the batch, for their type.
        y: targets of the batch, for their type.
        samples: decoded samples, tuples of inputs and targets.
        outs: decoded predictions, a tuple for each sample.
    """
    rows = [
        [*map(_cell, sample), *map(_cell, out)] for sample, out in zip(samples, outs, strict=True)
    ]
    inputs = len(samples[0]) - 1
    names = ["input"] if inputs == 1 else [f"input {i}" for i in range(inputs)]
    outputs = len(rows[0]) - inputs - 1
    named = ["prediction"] if outputs == 1 else [f"prediction {i}" for i in range(outputs)]
    return {"predictions": _wandb().Table(columns=[*names, "target", *named], data=rows)}


wandb_process = Dispatch(_as_table, arity=2, name="wandb_process")


@wandb_process.register
def _(x: TensorImageBase, y: object, samples: Any, outs: Any) -> Any:  # noqa: ARG001
    """Pictures, with target and prediction in words."""
    image = _wandb().Image
    return {
        "predictions": [
            image(_pixels(sample[0]), caption=f"{_words(sample[1:])} / {_words(out)}")
            for sample, out in zip(samples, outs, strict=True)
        ]
    }


@wandb_process.register
def _(x: TensorImageBase, y: TensorMask, samples: Any, outs: Any) -> Any:  # noqa: ARG001
    """Pictures, with the masks of target and prediction over them."""
    image = _wandb().Image
    return {
        "predictions": [
            image(
                _pixels(sample[0]),
                masks={
                    "target": {"mask_data": np.asarray(sample[1]).astype(np.uint8)},
                    "prediction": {"mask_data": np.asarray(out[0]).astype(np.uint8)},
                },
            )
            for sample, out in zip(samples, outs, strict=True)
        ]
    }


@wandb_process.register
def _(x: TensorImageBase, y: TensorImageBase, samples: Any, outs: Any) -> Any:  # noqa: ARG001
    """Pictures beside target and prediction."""
    image = _wandb().Image
    columns = {"inputs": [s[0] for s in samples], "targets": [s[1] for s in samples]}
    columns["predictions"] = [out[0] for out in outs]
    return {name: [image(_pixels(each)) for each in column] for name, column in columns.items()}


def _pixels(picture: Any) -> np.ndarray[Any, Any]:
    """(H, W, C) bytes of a picture (C, H, W) or (H, W), whose numbers go up to 1 or to 255."""
    array = np.asarray(picture.detach().cpu() if isinstance(picture, Tensor) else picture)
    if array.ndim == 3:
        array = array.transpose(1, 2, 0)
    if array.dtype.kind == "f":
        array = (array.clip(0, 1) * 255).round()
    return array.astype(np.uint8).squeeze()


def _words(members: Sequence[Any]) -> str:
    return ", ".join(str(_cell(member)) for member in members)


def _cell(member: Any) -> Any:
    if isinstance(member, Tensor | np.ndarray) and np.size(np.asarray(member)) > 1:
        return str(json_clean(member))
    cell = json_clean(member)
    return cell if isinstance(cell, bool | int | float | str) else str(cell)


def _media(value: Any) -> Any:
    """A text, table, figure or many values as what a run can show."""
    wandb, kind = _wandb(), kind_of(value)
    if kind == "text":
        return wandb.Html(f"<pre>{value}</pre>")
    if kind == "table":
        return wandb.Table(columns=value.columns, data=json_clean(value.rows))
    if kind == "figure":
        return wandb.Image(value)
    return wandb.Histogram(json_clean(value.flatten()))


def _artifact(name: str, kind: str, description: str, metadata: Mapping[str, Any] | None) -> Any:
    return _wandb().Artifact(
        name=name, type=kind, description=description, metadata=dict(metadata or {})
    )


def _of(run: Any) -> Any:
    return run if run is not None else _current_run()


def _current_run() -> Any:
    run = _wandb().run
    if run is None:
        raise RuntimeError(
            "there is no run of Weights & Biases; call wandb.init(project=...) before, with "
            'mode="offline" where there is no network'
        )
    return run


def _wandb() -> Any:
    try:
        import wandb
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "wandb", needed_for="logs for Weights & Biases", install="layerwise-core[wandb]"
        ) from error
    return wandb
