"""Callbacks that follow one column of the table of epochs: keep the best model, stop, slow down."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.devices import rank_distrib
from layerwise.core.errors import nearest
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint import SUFFIX
from layerwise.core.train.events import CancelFitException
from layerwise.core.train.recorder import Recorder

__all__ = [
    "EarlyStoppingCallback",
    "ReduceLROnPlateau",
    "SaveModelCallback",
    "TrackerCallback",
    "smaller_is_better",
]

Comparison = Callable[[float, float], Any]

_SMALLER = re.compile(
    r"loss|error|(^|_)(mse|rmse|mae|msle|rmspe|perplexity|hamming|brier|wer|cer)(_|$)"
)


def smaller_is_better(monitor: str) -> bool:
    """Whether a column of the table is good when it is small, as its name tells.

    True for names with "loss" or "error" in them, and for the usual measures of error ("rmse",
    "mae", "perplexity", ...); False for all others.

    Example:
        >>> [smaller_is_better(name) for name in ("valid_loss", "exp_rmspe", "accuracy")]
        [True, True, False]
    """
    return _SMALLER.search(monitor.lower()) is not None


def _compares(comp: Any) -> bool:
    """Whether this tells two numbers apart: `min`, for one, gives a number."""
    try:
        answers = comp(0.0, 1.0), comp(1.0, 0.0)
    except TypeError:
        return False
    return all(isinstance(a, bool | np.bool_) for a in answers) and answers[0] != answers[1]


class TrackerCallback(Callback):
    """Follows one column of the table. The base of the callbacks below.

    Reads what the `Recorder` keeps; sets `best` and `new_best` in `after_epoch`. A value that is
    NaN is never the best.

    Args:
        monitor: the column, such as "valid_loss" or the name of a metric.
        comp: `comp(value, best)` is true where the value is better, such as `operator.gt`; None:
            smaller is better for losses and errors, larger for all else (`smaller_is_better`).
        min_delta: by how much a value has to be better to count.
        reset_on_fit: forget the best one when a new fit begins.

    Attributes:
        best: the best value so far; None before there is one.
        new_best: whether that of the last epoch is it.

    Raises:
        ValueError: when training begins and the table has no such column; names the nearest.
    """

    order: ClassVar[float] = 60
    after: ClassVar = (Recorder,)
    in_search: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ("best", "new_best")

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Comparison | None = None,
        min_delta: float = 0.0,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__()
        if min_delta < 0:
            raise ValueError(f"min_delta={min_delta}; say by how much to be better, 0 or more")
        if comp is not None and not _compares(comp):
            raise TypeError(
                f"comp={comp!r} compares no two values; give a function that is called as "
                "comp(value, best), such as operator.lt or operator.gt"
            )
        self.monitor, self.comp, self.min_delta = monitor, comp, min_delta
        self.reset_on_fit = reset_on_fit
        self.best: float | None = None
        self.new_best = False

    def before_fit(self) -> None:
        """Look for the column; forget the last fit."""
        if self.learn.only_valid:
            return
        columns = [name for name in self._recorder().metric_names[1:] if name != "time"]
        if self.monitor not in columns:
            raise ValueError(
                f"{type(self).__name__}(monitor={self.monitor!r}): the table has no such column."
                f"{nearest(self.monitor, columns)} It has: {', '.join(columns)}"
            )
        if self.reset_on_fit:
            self.forget()

    def forget(self) -> None:
        """Begin as if nothing had been seen."""
        self.best, self.new_best = None, False

    def after_epoch(self) -> None:
        """Compare the value of this epoch with the best."""
        value = self.value()
        self.new_best = self._is_better(value)
        if self.new_best:
            self.best = value

    def value(self) -> float:
        """The value of this epoch.

        Raises:
            ValueError: if it was not measured.
        """
        recorder = self._recorder()
        found = recorder.values[-1][recorder.metric_names.index(self.monitor) - 1]
        if found is None:
            raise ValueError(
                f"{type(self).__name__} follows {self.monitor!r}, which was not measured in epoch "
                f"{self.learn.epoch}; give data to validate with, or monitor='train_loss'"
            )
        return found

    def _is_better(self, value: float) -> bool:
        comp, best = self.comp or self._default_comp(), self.best
        if math.isnan(value):
            return False
        if best is None:
            return True
        is_smaller = bool(comp(0.0, 1.0))
        return bool(comp(value + self.min_delta if is_smaller else value - self.min_delta, best))

    def _default_comp(self) -> Comparison:
        return float.__lt__ if smaller_is_better(self.monitor) else float.__gt__

    def _recorder(self) -> Recorder:
        for cb in self.learn.cbs:
            if isinstance(cb, Recorder):
                return cb
        raise ValueError(
            f"{type(self).__name__} follows what a Recorder keeps, and this learner has none; add "
            "one with cbs=Recorder()"
        )

    def _say(self, text: str) -> None:
        if rank_distrib() == 0:
            print(text)


class _Patience(TrackerCallback):
    """Counts the epochs since the best one."""

    keeps: ClassVar[tuple[str, ...]] = (*TrackerCallback.keeps, "wait")

    def __init__(
        self,
        monitor: str,
        comp: Comparison | None,
        min_delta: float,
        patience: int,
        reset_on_fit: bool,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit)
        if patience < 1:
            raise ValueError(f"patience={patience}; give 1 or more epochs to wait")
        self.patience = patience
        self.wait = 0

    def forget(self) -> None:
        """Begin as if nothing had been seen."""
        super().forget()
        self.wait = 0

    def after_epoch(self) -> None:
        """Count this epoch, and act when there have been too many."""
        super().after_epoch()
        self.wait = 0 if self.new_best else self.wait + 1
        if self.wait >= self.patience:
            self.out_of_patience()

    def out_of_patience(self) -> None:
        """What to do."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to do")


class EarlyStoppingCallback(_Patience):
    """Ends the fit when a value has not become better for some epochs.

    Reads what the `Recorder` keeps; ends the fit in `after_epoch`, after all other trackers.

    Args:
        monitor: the column of the table.
        comp: as for `TrackerCallback`.
        min_delta: by how much a value has to be better to count.
        patience: epochs without a better value.
        reset_on_fit: forget the best one when a new fit begins.

    Example:
        >>> EarlyStoppingCallback("accuracy", min_delta=0.01, patience=3).patience
        3
    """

    order: ClassVar[float] = 63

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Comparison | None = None,
        min_delta: float = 0.0,
        patience: int = 1,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, patience, reset_on_fit)

    @property
    def name(self) -> str:
        """The learner's attribute for it."""
        return "early_stopping"

    def out_of_patience(self) -> None:
        """End the fit."""
        self._say(
            f"{self.monitor} has not become better since epoch "
            f"{self.learn.epoch - self.wait}: stopping early"
        )
        raise CancelFitException


class ReduceLROnPlateau(_Patience):
    """Divides the learning rate when a value has not become better for some epochs.

    Reads what the `Recorder` keeps; changes `lr` of all groups of the optimizer in `after_epoch`.
    It is for `fit`; a schedule that sets the rate at each batch would undo it.

    Args:
        monitor: the column of the table.
        comp: as for `TrackerCallback`.
        min_delta: by how much a value has to be better to count.
        patience: epochs without a better value.
        factor: what rates are divided by.
        min_lr: no rate becomes smaller than this.
        reset_on_fit: forget the best one when a new fit begins.

    Example:
        >>> ReduceLROnPlateau(patience=2, factor=2.0).factor
        2.0
    """

    order: ClassVar[float] = 62

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Comparison | None = None,
        min_delta: float = 0.0,
        patience: int = 1,
        factor: float = 10.0,
        min_lr: float = 0.0,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, patience, reset_on_fit)
        if factor <= 1:
            raise ValueError(f"factor={factor}; rates are divided by it, so give more than 1")
        self.factor, self.min_lr = factor, min_lr

    @property
    def name(self) -> str:
        """The learner's attribute for it."""
        return "reduce_lr_on_plateau"

    def before_epoch(self) -> None:
        """Refuse a schedule of the learning rate."""
        for cb in self.learn.cbs:
            if isinstance(cb, ParamScheduler) and "lr" in cb.scheds:
                raise ValueError(
                    "ReduceLROnPlateau and a schedule of lr cannot both set the learning rate; "
                    "train with learn.fit, or without this callback"
                )

    def out_of_patience(self) -> None:
        """Divide the rates."""
        self.wait = 0
        opt = self.learn.opt
        before = [hyper["lr"] for hyper in opt.hypers]
        # A rate that is below `min_lr` already stays.
        after = [max(lr / self.factor, min(lr, self.min_lr)) for lr in before]
        opt.set_hyper("lr", after)
        if after != before:
            self._say(f"epoch {self.learn.epoch}: reducing lr to {after[-1]:g}")


class SaveModelCallback(TrackerCallback):
    """Saves the model when a value is the best so far, and loads the best one when the fit ends.

    Or saves it every so many epochs, each in a file of its own: `model_0`, `model_1`, ... Where a
    folder has numbered files of an earlier training, this one writes `model-2_0`, ...; none is
    overwritten. A fit that an error ends loads nothing.

    Reads what the `Recorder` keeps; calls `save` and `load` of the learner, in `after_epoch` and
    `after_fit`.

    Args:
        monitor: the column of the table.
        comp: as for `TrackerCallback`.
        min_delta: by how much a value has to be better to count.
        fname: the file, in the learner's folder for models.
        every_epoch: save after epoch 0 and each one, or every n-th; no value matters then.
        at_end: save when the fit ends, whatever the value, and load nothing.
        with_opt: save and load the optimizer's state too.
        reset_on_fit: forget the best value when a new fit begins.

    Attributes:
        last_saved_path: the file that was written last.

    Example:
        >>> SaveModelCallback("accuracy", fname="best").fname
        'best'
    """

    order: ClassVar[float] = 61
    keeps: ClassVar[tuple[str, ...]] = (*TrackerCallback.keeps, "stem", "saved", "_ended")

    def __init__(
        self,
        monitor: str = "valid_loss",
        comp: Comparison | None = None,
        min_delta: float = 0.0,
        fname: str = "model",
        every_epoch: bool | int = False,
        at_end: bool = False,
        with_opt: bool = False,
        reset_on_fit: bool = True,
    ) -> None:
        super().__init__(monitor, comp, min_delta, reset_on_fit)
        if every_epoch < 0:
            raise ValueError(f"every_epoch={every_epoch}; give True, or save every n-th epoch")
        if at_end and every_epoch:
            raise ValueError("give every_epoch or at_end, not both; the last epoch has a number")
        self.fname, self.every_epoch, self.at_end = fname, int(every_epoch), at_end
        self.with_opt = with_opt
        self.stem = fname
        self.saved: list[str] = []
        self._ended = False

    @property
    def name(self) -> str:
        """The learner's attribute for it."""
        return "save_model"

    @property
    def last_saved_path(self) -> Path | None:
        """The file that was written last; None before there is one."""
        return self._file(self.saved[-1]) if self.saved else None

    def before_fit(self) -> None:
        """Choose names that no earlier training has used."""
        if self.learn.only_valid:
            return
        self._ended = False
        if self.every_epoch or self.at_end:
            self.stem, self.saved = self._free_stem(), []
        else:
            super().before_fit()

    def forget(self) -> None:
        """Begin as if nothing had been seen."""
        super().forget()
        self.saved = []

    def after_epoch(self) -> None:
        """Save the model, if it is time or if it is the best."""
        self._ended = self.learn.epoch + 1 >= self.learn.n_epoch
        if self.every_epoch and self.learn.epoch % self.every_epoch == 0:
            self._save(f"{self.stem}_{self.learn.epoch}")
        if self.every_epoch or self.at_end:
            return
        super().after_epoch()
        if self.new_best:
            self._say(f"{self.monitor} is best in epoch {self.learn.epoch}: {self.best:g}")
            self._save(self.fname)

    def after_cancel_fit(self) -> None:
        """A fit that a callback has ended early is complete."""
        self._ended = True

    def after_fit(self) -> None:
        """Load the best model, or save the last one, unless an error ends the fit."""
        if self.learn.only_valid or not self._ended:
            return
        self._ended = False
        if self.at_end:
            self._save(self.fname)
        elif self.saved and not self.every_epoch:
            self._learner.load(self.fname, with_opt=self.with_opt)

    def _save(self, name: str) -> None:
        self._learner.save(name, with_opt=self.with_opt)
        if name not in self.saved:
            self.saved.append(name)

    @property
    def _learner(self) -> Any:
        """The learner; files are no part of what callbacks see of it as a rule."""
        return self.learn

    def _file(self, name: str) -> Path:
        path = self.learn.path / self.learn.model_dir / name
        return path.with_name(path.name + SUFFIX)

    def _free_stem(self) -> str:
        """`fname`, or that with the number of this training in the folder."""
        run, stem = 1, self.fname
        while self._numbered(stem):
            run += 1
            stem = f"{self.fname}-{run}"
        return stem

    def _numbered(self, stem: str) -> bool:
        file = self._file(stem)
        pattern = re.compile(re.escape(Path(stem).name) + r"_\d+" + re.escape(SUFFIX))
        return file.parent.is_dir() and any(map(pattern.fullmatch, _names(file.parent)))


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
