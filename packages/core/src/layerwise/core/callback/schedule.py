"""Schedules of hyper-parameters: the callback that follows them, and the usual trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from layerwise.core.errors import names_nearest, nearest
from layerwise.core.optim.schedules import HyperValue, SchedCos, combine_scheds, combined_cos
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.recorder import Recorder

__all__ = [
    "ParamScheduler",
    "Trains",
    "fine_tune",
    "fit_flat_cos",
    "fit_one_cycle",
    "fit_sgdr",
]

Schedule = Callable[[float], Any]


class Trains(Protocol):
    """What these functions need of a learner."""

    lr: Any
    moms: tuple[float, float, float]
    opt: Any

    @property
    def fit(self) -> Callable[..., None]:
        """Train for some epochs."""

    def ready_opt(self, reset: bool = False) -> Any:
        """The optimizer, made when there is none yet or a new one is wanted."""

    def freeze(self) -> None:
        """Train the last group of parameters alone."""

    def unfreeze(self) -> None:
        """Train all groups of parameters."""


class ParamScheduler(Callback):
    """Sets hyper-parameters before each training batch, by schedules over the whole fit.

    Reads `pct_train`; sets hyper-parameters of `opt`; writes `recorder.hps`.

    Args:
        scheds: from the name of a hyper-parameter to a function of the share of training done,
            0 to 1; its value is a number, or one per parameter group.

    Example:
        >>> from layerwise.core.optim.schedules import SchedLin
        >>> ParamScheduler({"lr": SchedLin(1.0, 0.0)}).scheds["lr"](0.25)
        0.75
    """

    order: ClassVar[float] = 55
    after: ClassVar = (TrainEvalCallback, Recorder)
    keeps: ClassVar[tuple[str, ...]] = ("hps",)
    run_valid = False
    needs_length: ClassVar[bool] = True
    """Whether progress is a share of batches whose number must be known."""

    def __init__(self, scheds: Mapping[str, Schedule]) -> None:
        super().__init__()
        self.scheds = dict(scheds)
        self.hps: dict[str, list[float]] = {name: [] for name in scheds}

    def before_fit(self) -> None:
        """Start with no history.

        Raises:
            ValueError: for a hyper-parameter that the optimizer does not have, or a training
                loader that does not know its length.
        """
        learn = self.learn
        if self.needs_length and learn.epoch < learn.n_epoch and not learn.n_train_iter:
            raise ValueError(
                "a schedule follows the share of batches that are done, and the training loader "
                "does not say how many it gives; pass n= (samples an epoch) to it, or use fit, "
                "which has no schedule"
            )
        self.hps = {name: [] for name in self.scheds}
        known = self.learn.opt.hypers[-1]
        for name in self.scheds:
            if name not in known:
                raise ValueError(
                    f"the optimizer has no hyper-parameter {name!r} to schedule."
                    f"{nearest(name, known)} It has: {', '.join(sorted(known))}"
                )

    def before_batch(self) -> None:
        """Set the values for this batch."""
        opt = self.learn.opt
        for name, schedule in self.scheds.items():
            opt.set_hyper(name, schedule(self.learn.pct_train))
            self.hps[name].append(opt.read_hyper(name))
            if name != "lr":  # which the recorder publishes
                for number, hyper in enumerate(opt.hypers):
                    self.learn.log(f"{name}_{number}", hyper[name])

    def after_fit(self) -> None:
        """Leave the history to the recorder, which plots it."""
        for cb in self.learn.cbs:
            if isinstance(cb, Recorder):
                cb.hps = self.hps


@names_nearest
def fit_one_cycle(
    learn: Trains,
    n_epoch: int,
    lr_max: Any = None,
    div: float = 25.0,
    div_final: float = 1e5,
    pct_start: float = 0.25,
    wd: float | None = None,
    moms: tuple[float, float, float] | None = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
    resume: bool | str | Path = False,
) -> None:
    """Train by the one-cycle policy (Smith, 2018), cosines in place of lines.

    Args:
        learn: the learner.
        n_epoch: epochs.
        lr_max: the largest learning rate: a number, a slice, or one per group.
        div: the cycle starts at `lr_max / div`.
        div_final: and ends at `lr_max / div_final`.
        pct_start: share of the training during which the rate rises.
        wd: weight decay; the learner's when None.
        moms: momentum at the start, at the largest rate, and at the end.
        cbs: callbacks for this fit alone.
        reset_opt: start with a new optimizer.
        start_epoch: first epoch to do, of a training that was stopped.
        resume: go on from a checkpoint; as for `Learner.fit`.
    """
    opt = learn.ready_opt(reset_opt)
    opt.set_hyper("lr", learn.lr if lr_max is None else lr_max)
    top = _rates(opt)
    scheds: dict[str, Schedule] = {
        "lr": combined_cos(pct_start, top / div, top, top / div_final),
        "mom": combined_cos(pct_start, *(moms or learn.moms)),
    }
    learn.fit(
        n_epoch,
        cbs=[ParamScheduler(scheds), *_listed(cbs)],
        wd=wd,
        start_epoch=start_epoch,
        resume=resume,
    )


@names_nearest
def fit_flat_cos(
    learn: Trains,
    n_epoch: int,
    lr: Any = None,
    div_final: float = 1e5,
    pct_start: float = 0.75,
    wd: float | None = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
    resume: bool | str | Path = False,
) -> None:
    """Train at one learning rate for `pct_start` of the time, then let it fall as a cosine."""
    opt = learn.ready_opt(reset_opt)
    opt.set_hyper("lr", learn.lr if lr is None else lr)
    flat = _rates(opt)
    scheds: dict[str, Schedule] = {
        "lr": combined_cos(pct_start, flat, flat, flat / div_final),
    }
    learn.fit(
        n_epoch,
        cbs=[ParamScheduler(scheds), *_listed(cbs)],
        wd=wd,
        start_epoch=start_epoch,
        resume=resume,
    )


@names_nearest
def fit_sgdr(
    learn: Trains,
    n_cycles: int,
    cycle_len: int,
    lr_max: Any = None,
    cycle_mult: int = 2,
    cbs: Any = None,
    reset_opt: bool = False,
    wd: float | None = None,
    start_epoch: int = 0,
    resume: bool | str | Path = False,
) -> None:
    """Train in cycles, in each of which the rate falls as a cosine (Loshchilov and Hutter, 2017).

    Args:
        learn: the learner.
        n_cycles: how many cycles.
        cycle_len: epochs of the first.
        lr_max: the rate at the start of each.
        cycle_mult: each is longer than the last by this factor.
        cbs: callbacks for this fit alone.
        reset_opt: start with a new optimizer.
        wd: weight decay; the learner's when None.
        start_epoch: first epoch to do, of a training that was stopped.
        resume: go on from a checkpoint; as for `Learner.fit`.
    """
    opt = learn.ready_opt(reset_opt)
    opt.set_hyper("lr", learn.lr if lr_max is None else lr_max)
    top = _rates(opt)
    lengths = [cycle_len * cycle_mult**i for i in range(n_cycles)]
    total = sum(lengths)
    lr = combine_scheds([n / total for n in lengths], [SchedCos(top, 0 * top) for _ in lengths])
    learn.fit(
        total,
        cbs=[ParamScheduler({"lr": lr}), *_listed(cbs)],
        wd=wd,
        start_epoch=start_epoch,
        resume=resume,
    )


def fine_tune(
    learn: Trains,
    epochs: int,
    base_lr: float = 2e-3,
    freeze_epochs: int = 1,
    lr_mult: float = 100.0,
    pct_start: float = 0.3,
    div: float = 5.0,
    **kwargs: Any,
) -> None:
    """Train the head with the body frozen, then all of it with lower rates further down.

    Args:
        learn: the learner.
        epochs: epochs of the second part.
        base_lr: the largest rate of the first part; the second starts from half of it.
        freeze_epochs: epochs of the first part.
        lr_mult: how much lower the rate of the first group is than that of the last.
        pct_start: share of the second part during which the rate rises.
        div: the second cycle starts at the largest rate divided by this.
        kwargs: for `fit_one_cycle`; `resume=True` goes on in the part that was interrupted.
    """
    learn.freeze()
    fit_one_cycle(learn, freeze_epochs, slice(base_lr), pct_start=0.99, **kwargs)
    base_lr /= 2
    learn.unfreeze()
    rates = slice(base_lr / lr_mult, base_lr)
    fit_one_cycle(learn, epochs, rates, pct_start=pct_start, div=div, **kwargs)


def _rates(opt: Any) -> HyperValue:
    """The learning rates of all groups; of one group a number, with which schedules are fast."""
    rates = [float(hyper["lr"]) for hyper in opt.hypers]
    return rates[0] if len(rates) == 1 else np.array(rates)


def _listed(cbs: Any) -> Sequence[Callback]:
    return [] if cbs is None else list(cbs) if isinstance(cbs, list | tuple) else [cbs]
