"""The learning-rate finder: a short mock training with a growing rate, and what it suggests."""

from __future__ import annotations

import copy
import math
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.utils.data as torch_data

from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.devices import maybe_gather
from layerwise.core.items import listify
from layerwise.core.optim.schedules import SchedExp
from layerwise.core.random import get_random_states, set_random_states
from layerwise.core.train.callback import TrainEvalCallback
from layerwise.core.train.events import CancelFitException, CancelValidException
from layerwise.core.train.progress import no_bar, no_logging
from layerwise.core.train.recorder import Recorder

if TYPE_CHECKING:
    pass

__all__ = [
    "LRFinder",
    "SuggestionMethod",
    "lr_find",
    "minimum",
    "plot_lr_find",
    "slide",
    "steep",
    "valley",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Suggestion = Callable[[Floats, Floats, int], tuple[float, tuple[float, float]]]


class LRFinder(ParamScheduler):
    """Raises the rate batch by batch, and stops the fit when the loss has gone up for good.

    Args:
        start_lr: the first rate.
        end_lr: the last.
        num_it: batches.
        stop_div: stop when the smoothed loss is more than four times its smallest value. The first
            tenth of the batches does not count: of a trained model one batch may have hardly any
            loss by chance.
    """

    needs_length: ClassVar[bool] = False

    def __init__(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_it: int = 100,
        stop_div: bool = True,
    ) -> None:
        super().__init__({"lr": SchedExp(start_lr, end_lr)})
        self.num_it, self.stop_div = num_it, stop_div
        self.best = math.inf

    def before_fit(self) -> None:
        """Start with no best loss."""
        super().before_fit()
        self.best = math.inf
        self._recorder = next(cb for cb in self.learn.cbs if isinstance(cb, Recorder))

    def before_batch(self) -> None:
        """Set the rate for this batch; progress is counted in batches of the search."""
        self.learn.pct_train = self.learn.train_iter / self.num_it
        super().before_batch()

    def after_batch(self) -> None:
        """Stop when the loss is too high, or no number any more, or the search is done."""
        smooth = self._recorder.smooth_loss.unread
        if smooth is not None and self.learn.strategy.processes > 1:
            smooth = maybe_gather(torch.as_tensor(smooth))  # the mean: all have to stop together
        loss = math.nan if smooth is None else float(smooth)
        if self.learn.train_iter <= self.num_it // 10:
            return
        self.best = min(self.best, loss)
        diverged = self.stop_div and not loss <= 4 * self.best
        if diverged or self.learn.train_iter >= self.num_it:
            self._recorder.settle_losses()
            raise CancelFitException

    def before_validate(self) -> None:
        """There is nothing to validate."""
        raise CancelValidException


def valley(lrs: Floats, losses: Floats, num_it: int) -> tuple[float, tuple[float, float]]:  # noqa: ARG001 - one signature for all
    """A rate inside the longest stretch of falling loss, two thirds of the way down.

    Returns:
        the rate, and the point (rate, loss) on the curve.
    """
    start, end = _longest_fall(losses)
    section = (end - start) / 3
    index = start + int(section) + int(section / 2)
    return float(lrs[index]), (float(lrs[index]), float(losses[index]))


def slide(
    lrs: Floats,
    losses: Floats,
    num_it: int,  # noqa: ARG001 - one signature for all
    *,
    lr_diff: int = 15,
    thresh: float = 0.005,
    adjust_value: float = 1.0,
) -> tuple[float, tuple[float, float]]:
    """The last rate, coming from the right, before the slope becomes flat over `lr_diff` points."""
    gradient = np.gradient(losses)
    right, left = -1, -1 - lr_diff
    lr = lrs[right]
    while left >= -len(lrs) and abs(gradient[right] - gradient[left]) > thresh:
        lr = lrs[left]
        right, left = right - 1, left - 1
    suggestion = float(lr) * adjust_value
    return suggestion, (suggestion, float(np.interp(np.log10(suggestion), np.log10(lrs), losses)))


def minimum(lrs: Floats, losses: Floats, num_it: int) -> tuple[float, tuple[float, float]]:  # noqa: ARG001
    """A tenth of the rate with the smallest loss."""
    index = int(losses.argmin())
    lr = float(lrs[index]) / 10
    return lr, (lr, float(losses[np.abs(lrs - lr).argmin()]))


def steep(lrs: Floats, losses: Floats, num_it: int) -> tuple[float, tuple[float, float]]:  # noqa: ARG001
    """The rate at which the loss falls fastest, per factor of the rate."""
    slopes = (losses[1:] - losses[:-1]) / (np.log(lrs[1:]) - np.log(lrs[:-1]))
    index = int(slopes.argmin())
    return float(lrs[index]), (float(lrs[index]), float(losses[index]))


class SuggestionMethod:
    """The functions that read a rate from the curve, by name."""

    Valley = staticmethod(valley)
    Slide = staticmethod(slide)
    Minimum = staticmethod(minimum)
    Steep = staticmethod(steep)


def lr_find(
    learn: Any,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,
    stop_div: bool = True,
    show_plot: bool = True,
    suggest_funcs: Suggestion | Sequence[Suggestion] = valley,
) -> Any:
    """Suggested learning rates, from a mock training in which the rate grows.

    The mock training runs on a copy in memory. No file is written; model, optimizer, callbacks,
    random states and the order of the data are afterwards what they were before.

    Args:
        learn: the learner.
        start_lr: the first rate.
        end_lr: the last.
        num_it: batches.
        stop_div: stop when the loss has gone up for good.
        show_plot: draw the curve and the suggestions.
        suggest_funcs: what reads rates from the curve: `valley`, `slide`, `minimum`, `steep`, or
            functions of your own of (rates, losses, batches).

    Returns:
        A named tuple with a rate per function.
    """
    functions: list[Any] = listify(suggest_funcs)
    recorder = _mock_training(learn, start_lr, end_lr, num_it, stop_div)
    lrs, losses = np.array(recorder.lrs), np.array(recorder.losses)
    if len(losses) < num_it // 3:
        raise ValueError(
            f"the search from {start_lr} to {end_lr} ended after {len(losses)} of {num_it} "
            "batches, since the loss grew fourfold or was no number; start with a smaller rate, "
            "pass stop_div=False to see the whole curve, or look at the data and the model with "
            "learn.summary()"
        )
    keep = np.isfinite(losses)
    # The first tenth is noise, the last five points are past the end of the valley.
    cut = slice(len(losses) // 10, -5 if len(losses) > 20 else None)
    lrs, losses = lrs[keep][cut], losses[keep][cut]
    if len(losses) < 3:
        raise ValueError(
            f"only {len(losses)} finite losses in the search from {start_lr} to {end_lr}; start "
            "with a smaller rate, or look at the data and the model with learn.summary()"
        )
    found = {f.__name__: f(lrs, losses, num_it) for f in functions}
    if show_plot:
        points = {name: point for name, (_, point) in found.items()}
        plot_lr_find(lrs, losses, points)
    made: Any = namedtuple("SuggestedLRs", list(found))  # type: ignore[misc]  # known at run time
    return made(*(lr for lr, _ in found.values()))


def plot_lr_find(
    lrs: Floats, losses: Floats, points: Mapping[str, tuple[float, float]] | None = None
) -> Any:
    """Draw loss against rate, on a logarithmic scale. Returns the axes.

    Args:
        lrs: the rates.
        losses: the loss after each.
        points: suggestions to mark, by name: (rate, loss).
    """
    from layerwise.core.display.axes import subplots

    ax = subplots(figsize=(6, 4))[1][0]
    ax.plot(lrs, losses)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
    for colour, (name, point) in enumerate((points or {}).items(), 1):
        ax.plot(*point, "o", color=f"C{colour}", label=f"{name}: {point[0]:.1e}")
    if points:
        ax.legend()
    return ax


def _mock_training(
    learn: Any, start_lr: float, end_lr: float, num_it: int, stop_div: bool
) -> Recorder:
    twin = _twin(learn)
    finder = LRFinder(start_lr, end_lr, num_it, stop_div)
    states = get_random_states()
    own_states = [(own, own.get_state()) for own in _generators(learn.dls.train)]
    try:
        with no_bar(twin), no_logging(twin):
            twin.fit(num_it, cbs=finder)  # as many epochs as it may take; the finder stops it
    finally:
        set_random_states(**states)
        for own, state in own_states:
            own.set_state(state)
    recorder: Recorder = twin.recorder
    return recorder


def _twin(learn: Any) -> Any:
    """A copy of the learner with model, optimizer and callbacks of its own, over the same data."""
    loaders = list(getattr(learn.dls, "loaders", (learn.dls.train,)))
    sets = [getattr(loader, "dataset", None) for loader in loaders]
    shared = (learn.dls, *loaders, *sets, learn.logger)
    silent = [cb for cb in learn.cbs if not cb.in_search]
    try:
        with learn.removed_cbs(silent):
            twin = copy.deepcopy(learn, {id(each): each for each in shared if each is not None})
    except Exception as error:
        error.add_note(
            "lr_find trains a copy of the learner, part of which cannot be copied; where that is "
            "a callback, set `in_search = False` in its class, or call lr_find inside "
            "`with learn.removed_cbs(TheCallback)`"
        )
        raise
    for kind in (TrainEvalCallback, Recorder):
        if not any(isinstance(cb, kind) for cb in twin.cbs):
            twin.add_cb(kind)
    return twin


def _generators(loader: Any) -> list[torch.Generator]:
    """The generators that a stock loader draws its order from, if it has some of its own."""
    if not isinstance(loader, torch_data.DataLoader):
        return []  # ours draws from none
    inner = getattr(loader.batch_sampler, "sampler", None)
    owned = [getattr(owner, "generator", None) for owner in (loader, loader.sampler, inner)]
    return [found for found in owned if isinstance(found, torch.Generator)]


def _longest_fall(losses: Floats) -> tuple[int, int]:
    """Where the longest falling subsequence ends, and as many points before that as it has."""
    lengths = np.ones(len(losses), dtype=np.int64)
    for i, loss in enumerate(losses):
        above = lengths[:i][losses[:i] > loss]
        if len(above):
            lengths[i] = above.max() + 1
    end = int(lengths.argmax())
    return max(end - int(lengths[end]), 0), end
