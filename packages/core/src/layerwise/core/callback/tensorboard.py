"""TensorBoard: curves, pictures of predictions, the graph of the model, embeddings."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.callback.logger import LoggerCallback
from layerwise.core.callback.shown_preds import shown_preds
from layerwise.core.devices import rank_distrib
from layerwise.core.errors import MissingDependencyError
from layerwise.core.nested import to_detach
from layerwise.core.random import isolated
from layerwise.core.train.callback import Callback
from layerwise.core.train.log import LogEntry, kind_of

__all__ = [
    "TensorBoardBaseCallback",
    "TensorBoardCallback",
    "TensorBoardProjectorCallback",
    "projector_word_embeddings",
    "tensorboard_log",
]


class TensorBoardBaseCallback(LoggerCallback):
    """Writes what is published on the log bus to TensorBoard, by name; extra `[tensorboard]`.

    Reads the log bus; changes nothing. The axis is the number of training batches, over all fits.
    A training that goes on from a checkpoint goes on in the same folder, and what was written after
    the checkpoint is hidden.

    Args:
        log_dir: the folder; when None, a new one named by date and time in `runs` of the learner's
            path.
    """

    def __init__(self, log_dir: str | Path | None = None) -> None:
        super().__init__()
        self.log_dir = Path(log_dir) if log_dir is not None else None
        self._writer: Any = None
        self._first_step = 0

    @property
    def writer(self) -> Any:
        """The `SummaryWriter`; opened when it is first asked for, closed when the fit ends."""
        if self._writer is None:
            if self.log_dir is None:
                self.log_dir = Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
            step = self._first_step or self.learn.log_bus.step
            # A run that was killed may have written further than its checkpoint.
            purge = {"purge_step": step} if step > 1 else {}
            self._writer = _writer(self.learn.path / self.log_dir, **purge)
        return self._writer

    def before_batch(self) -> None:
        """Note where this fit begins."""
        self._first_step = self._first_step or self.learn.log_bus.step

    def scalars(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:  # noqa: ARG002 - one signature for all
        """Write each number as a point of its curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def show(self, entry: LogEntry) -> None:
        """Write a text, a table, a figure or a histogram."""
        tensorboard_log(self.writer, entry.name, entry.value, entry.step)

    def state_dict(self) -> dict[str, Any]:
        """The folder."""
        self.flush()
        if self._writer is not None:
            self._writer.flush()
        return {"log_dir": str(self.log_dir) if self._writer is not None else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the folder of the checkpoint, where there was one."""
        self._waiting = []
        if state["log_dir"] is not None:
            self.log_dir = Path(state["log_dir"])

    def after_fit(self) -> None:
        """Write the rest and close the file."""
        super().after_fit()
        if self._writer is not None:
            self._writer.close()
        self._writer, self._first_step = None, 0


class TensorBoardCallback(TensorBoardBaseCallback):
    """Logs to TensorBoard, and shows predictions and the graph of the model there.

    Reads the log bus, `model` and `dls`; changes nothing.

    Args:
        log_dir: the folder; when None, a new one named by date and time in `runs` of the learner's
            path.
        trace_model: draw the graph of the model, from the first batch. Off, since a copy of the
            model is run for it, and not every model can be traced.
        log_preds: show samples of the validation data with predictions after each epoch; not where
            several processes train together.
        n_preds: how many.
    """

    def __init__(
        self,
        log_dir: str | Path | None = None,
        trace_model: bool = False,
        log_preds: bool = True,
        n_preds: int = 9,
    ) -> None:
        super().__init__(log_dir)
        self.trace_model, self.log_preds, self.n_preds = trace_model, log_preds, n_preds
        self._is_traced = False

    def before_fit(self) -> None:
        """The graph is drawn once a fit."""
        self._is_traced = False

    def after_pred(self) -> None:
        """Draw the graph of the model, the first time."""
        if not self.trace_model or self._is_traced or not self._is_on:
            return
        self._is_traced = True
        twin = copy.deepcopy(self.learn.model).eval()
        with isolated(0), torch.no_grad(), warnings.catch_warnings():
            # The writer of torch 2.13 draws what torch.jit.trace sees, which torch deprecates.
            warnings.filterwarnings("ignore", "`torch.jit.trace", DeprecationWarning)
            self.writer.add_graph(twin, tuple(self.learn.xb))

    @property
    def _is_on(self) -> bool:
        return self.learn.training and self.is_writing

    def after_epoch(self) -> None:
        """Show samples with predictions."""
        super().after_epoch()
        if self.log_preds and self.is_writing:
            shown = shown_preds(self.learn, self.n_preds)
            if shown is not None and shown.picture is not None:
                step = self.learn.log_bus.step
                tensorboard_log(self.writer, "predictions", shown.picture, step)


class TensorBoardProjectorCallback(Callback):
    """Shows what a layer makes of the validation data as points in TensorBoard's projector.

    Reads `model`, `xb`, `yb`; changes nothing. The points are those of the last epoch; their labels
    are the targets, and the inputs are shown with them where they are pictures.

    Args:
        log_dir: the folder, in the learner's path unless absolute.
        layer: the layer; the input of the last `nn.Linear` when None, or the output of the model
            where there is no such layer.
    """

    order: ClassVar[float] = 90
    in_search: ClassVar[bool] = False
    run_train = False

    def __init__(
        self, log_dir: str | Path = "runs/projector", layer: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.log_dir, self.layer = Path(log_dir), layer
        self._clear()

    def _clear(self) -> None:
        self._hook: Any = None
        self._found: list[Tensor] = []
        self._labels: list[Any] = []
        self._pictures: list[Tensor] = []

    def before_epoch(self) -> None:
        """Take note that this is a training, whose validations count."""
        self._is_fit = True

    def before_fit(self) -> None:
        """A validation alone is not shown."""
        self._is_fit = False

    def before_validate(self) -> None:
        """Begin to collect what the layer makes of the data, in the last epoch."""
        learn = self.learn
        if not self._is_fit or learn.epoch < learn.n_epoch - 1 or rank_distrib():
            return
        self._clear()
        last = [module for module in learn.model.modules() if isinstance(module, nn.Linear)]
        if self.layer is None and last:
            self._hook = last[-1].register_forward_pre_hook(self._see_input)
        else:
            self._hook = (self.layer or learn.model).register_forward_hook(self._see_output)

    def _see_input(self, _layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._found.append(to_detach(inputs[0]).flatten(1))

    def _see_output(self, _layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        self._found.append(to_detach(output).flatten(1))

    def after_pred(self) -> None:
        """Keep targets, and inputs that are pictures."""
        if self._hook is None:
            return
        learn = self.learn
        if learn.yb and isinstance(learn.yb[0], Tensor) and learn.yb[0].ndim == 1:
            self._labels += _named(learn.dls, to_detach(learn.yb[0]).tolist())
        x = learn.xb[0]
        if isinstance(x, Tensor) and x.ndim == 4 and x.shape[1] in (1, 3):
            self._pictures.append(to_detach(x).float())

    def after_validate(self) -> None:
        """Collect no more."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def after_fit(self) -> None:
        """Write the points."""
        self.after_validate()
        if not self._found:
            return
        points = torch.cat(self._found)
        pictures = torch.cat(self._pictures) if self._pictures else None
        labels = self._labels or None
        step = self.learn.log_bus.step
        self._clear()
        with _writer(self.learn.path / self.log_dir) as writer:
            writer.add_embedding(
                points, metadata=labels, label_img=_unit(pictures), tag="points", global_step=step
            )


def projector_word_embeddings(
    layer: nn.Module,
    vocab: Sequence[Any],
    log_dir: str | Path = "runs/projector",
    limit: int | None = None,
    start: int = 0,
) -> Path:
    """The folder to which the weights of an embedding were written as points with their words.

    Args:
        layer: with `weight` (number of words, width).
        vocab: the word of each row.
        log_dir: the folder.
        limit: how many rows; all when None.
        start: the first row.

    Raises:
        ValueError: where there are not as many words as rows.
    """
    weight: Any = getattr(layer, "weight", None)
    rows = len(weight) if isinstance(weight, Tensor) else None
    if rows != len(vocab):
        raise ValueError(
            f"{len(vocab)} words for {rows} rows of {type(layer).__name__}.weight; give the "
            "embedding of the model and the vocabulary that it was made for"
        )
    chosen = slice(start, None if limit is None else start + limit)
    with _writer(Path(log_dir)) as writer:
        words = [str(word) for word in vocab[chosen]]
        writer.add_embedding(weight.detach()[chosen].cpu(), metadata=words, tag="words")
    return Path(log_dir)


def tensorboard_log(writer: Any, name: str, value: Any, step: int) -> None:
    """Write a value of any kind that can be logged.

    Args:
        writer: a `SummaryWriter`.
        name: the tag.
        value: a number, a text, a `Table`, a figure of matplotlib, or an array or tensor, which
            becomes a histogram.
        step: where on the axis.
    """
    kind = kind_of(value)
    if kind == "scalar":
        writer.add_scalar(name, float(value), step)
    elif kind == "text":
        writer.add_text(name, value, step)
    elif kind == "table":
        writer.add_text(name, _markdown(value), step)
    elif kind == "figure":
        writer.add_figure(name, value, step, close=False)
    else:
        writer.add_histogram(name, torch.as_tensor(value).float().cpu(), step)


def _writer(folder: Path, **settings: Any) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "tensorboard", needed_for="logs for TensorBoard", install="layerwise-core[tensorboard]"
        ) from error
    return SummaryWriter(str(folder), **settings)


def _markdown(table: Any) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def _named(dls: Any, classes: list[Any]) -> list[str]:
    vocab = getattr(dls, "vocab", None)
    if vocab is None or not all(isinstance(each, int) for each in classes):
        return [str(each) for each in classes]
    return [str(vocab[each]) for each in classes]


def _unit(pictures: Tensor | None) -> Tensor | None:
    """(N, C, H, W) pictures with values from 0 to 1, whatever they were normalised to."""
    if pictures is None:
        return None
    low, high = pictures.amin(), pictures.amax()
    return (pictures - low) / (high - low).clamp(min=1e-12)
