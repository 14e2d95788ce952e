"""`Callback`: what may happen at each event, and how callbacks are put in order and called."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any, ClassVar

from layerwise.core.errors import refuse_unknown
from layerwise.core.settings import RemembersCall
from layerwise.core.train.events import CancelException, Event
from layerwise.core.train.state import TrainState

__all__ = ["Callback", "TrainEvalCallback", "before_batch_cb"]


class Callback(RemembersCall):
    """Something that happens during training. Subclass and write the events you need.

    Inside, `self.learn` is the `TrainState`: read and set anything it lists. Reading goes through:
    `self.pred` is `self.learn.pred`. Setting does not: write `self.learn.pred = ...`.

    Attributes:
        order: callbacks with a smaller number are called first; the classes in `after` and
            `before` count more.
        after: classes that are called before this one.
        before: classes that are called after this one.
        run: whether it is called at all; set to True again when a fit ends.
        run_train: whether it is called for training batches.
        run_valid: whether it is called for validation batches.
        in_search: whether the copy of the learner that `lr_find` trains has it too; not for those
            that write files, draw or report elsewhere.
        in_export: whether predictions need it, so that exports hold it, with its settings; for
            those that read what models of their kind return, for example.
        keeps: own attributes that a checkpoint holds, so that a training that goes on is the same
            as one that was never stopped: numbers, text, tensors, and lists and dicts of them.
        learn: set when the callback is added to a learner.

    Args:
        functions: an event and what to call at it, for a callback without a class.

    Example:
        >>> class Clip(Callback):
        ...     def before_step(self):
        ...         nn.utils.clip_grad_norm_(self.learn.model.parameters(), 1.0)
        >>> Clip().name
        'clip'
    """

    order: ClassVar[float] = 0
    after: ClassVar[tuple[type[Callback], ...]] = ()
    before: ClassVar[tuple[type[Callback], ...]] = ()
    run: bool = True
    run_train: bool = True
    run_valid: bool = True
    in_search: ClassVar[bool] = True
    in_export: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ()
    learn: TrainState

    def __init__(self, **functions: Callable[[], Any]) -> None:
        known = [event.value for event in Event]
        refuse_unknown(type(self).__name__, set(functions) - set(known), known)
        for event, function in functions.items():
            setattr(self, event, function)

    @property
    def name(self) -> str:
        """The class name in snake case, without `Callback`: the learner's attribute for it."""
        name = re.sub(r"Callback$", "", type(self).__name__) or "callback"
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of this callback: the attributes named in `keeps`."""
        for name in self.keeps:
            if name not in vars(self) and not hasattr(type(self), name):
                kind = type(self).__name__
                raise AttributeError(
                    f"{kind}.keeps names {name!r}, which it does not have; set it in __init__"
                )
        return {name: getattr(self, name) for name in self.keeps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave; called after `before_fit`, `before_epoch`, ..."""
        for name in self.keeps:
            setattr(self, name, state[name])

    def after_create(self) -> None:
        """The learner has been made, or the callback added to it."""

    def before_fit(self) -> None:
        """Training, validation or prediction begins."""

    def before_epoch(self) -> None:
        """An epoch begins."""

    def before_train(self) -> None:
        """The training part of an epoch begins."""

    def before_batch(self) -> None:
        """A batch has been loaded: `xb` and `yb` can be changed."""

    def after_pred(self) -> None:
        """The model has been called: `pred` can be changed."""

    def after_loss(self) -> None:
        """The loss has been computed: `loss_grad` can be changed."""

    def before_backward(self) -> None:
        """Gradients are about to be computed."""

    def after_cancel_backward(self) -> None:
        """The backward pass was cancelled."""

    def after_backward(self) -> None:
        """Gradients have been computed."""

    def before_step(self) -> None:
        """The optimizer is about to step: gradients can be changed."""

    def after_cancel_step(self) -> None:
        """The step was cancelled."""

    def after_step(self) -> None:
        """The optimizer has stepped; gradients are still there."""

    def after_cancel_batch(self) -> None:
        """The batch was cancelled."""

    def after_batch(self) -> None:
        """The batch is done."""

    def after_cancel_train(self) -> None:
        """The training part of the epoch was cancelled."""

    def after_train(self) -> None:
        """The training part of the epoch is done."""

    def before_validate(self) -> None:
        """The validation part of an epoch begins."""

    def after_cancel_validate(self) -> None:
        """The validation part was cancelled."""

    def after_validate(self) -> None:
        """The validation part is done."""

    def after_cancel_epoch(self) -> None:
        """The epoch was cancelled."""

    def after_epoch(self) -> None:
        """The epoch is done."""

    def after_cancel_fit(self) -> None:
        """The fit was cancelled."""

    def after_fit(self) -> None:
        """The fit is done, or an error ends it: what was changed for it is put back here."""

    def __getattr__(self, name: str) -> Any:
        # Only reached for what the callback itself does not have.
        if name.startswith("__") or name == "learn":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        try:
            return getattr(self.learn, name)
        except AttributeError as error:
            error.add_note(f"read through the callback {type(self).__name__}")
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        learn = self.__dict__.get("learn")
        own = name in self.__dict__ or hasattr(type(self), name)
        if learn is not None and not own and name in _LISTED:
            warnings.warn(
                f"{type(self).__name__} sets its own attribute {name!r}, which hides the "
                f"learner's; write self.learn.{name} = ... to change that",
                stacklevel=2,
            )
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return type(self).__name__


_LISTED = frozenset(TrainState.__annotations__) - {"cbs"}
_PER_BATCH = frozenset(
    {
        Event.before_batch, Event.after_pred, Event.after_loss, Event.before_backward,
        Event.after_cancel_backward, Event.after_backward, Event.before_step,
        Event.after_cancel_step, Event.after_step, Event.after_cancel_batch, Event.after_batch,
    }
)  # fmt: skip


class CallbackTable:
    """For each event, the callbacks that do something at it, in order; kept until they change."""

    def __init__(self, cbs: Iterable[Callback]) -> None:
        self.cbs = _ordered(cbs)
        self._per_event: dict[str, list[Callback]] = {
            event.value: [cb for cb in self.cbs if _does(cb, event)] for event in Event
        }

    def call(self, event: str, state: TrainState) -> None:
        """Call all that are switched on.

        Raises:
            whatever a callback raises: the same object, with a note naming callback and event.
        """
        timer = state.timer
        if timer is not None:
            timer.starts(event)
        for cb in self._per_event[event]:
            if not cb.run:
                continue
            if event in _PER_BATCH and not (cb.run_train if state.training else cb.run_valid):
                continue
            try:
                if timer is None:
                    getattr(cb, event)()
                else:
                    timer.runs(cb, getattr(cb, event))
            except CancelException:
                raise
            except Exception as error:
                error.add_note(f"in {type(cb).__name__}.{event}, a callback of this learner")
                raise
        if event == Event.after_fit:
            for cb in self.cbs:
                cb.run = True


def _does(cb: Callback, event: Event) -> bool:
    """Whether `cb` has a method of its own for `event`."""
    if event.value in vars(cb):
        return True
    return getattr(type(cb), event.value) is not getattr(Callback, event.value)


def warn_of_misspelt(cb: Callback) -> None:
    """Warn of methods that are named almost like an event, and that nothing would ever call."""
    known = [event.value for event in Event]
    for name in sorted(set(dir(type(cb))) - set(dir(Callback))):
        if name.startswith("_") or not callable(getattr(type(cb), name)):
            continue
        found = get_close_matches(name, known, n=1, cutoff=0.85)
        if found:
            warnings.warn(
                f"{type(cb).__name__}.{name} is no event and is never called; did you mean "
                f"{found[0]!r}? If not, a name less like an event says so to all",
                stacklevel=3,
            )


def drawn_loop(cbs: Iterable[Callback]) -> list[str]:
    """The events of training, indented as they lie in each other, with who hears each.

    Example:
        >>> print(drawn_loop([TrainEvalCallback()])[1])
        before_fit           TrainEvalCallback
    """
    lines, depth = [], 0
    for event in Event:
        if event.startswith("after_cancel"):
            continue
        hearing = [type(cb).__name__ for cb in cbs if _does(cb, event)]
        ends = event.startswith("after_") and event not in ("after_pred", "after_loss")
        depth = max(0, depth - ends)
        lines.append(f"{'  ' * depth}{event:<20} {', '.join(hearing)}".rstrip())
        depth += event.startswith("before_")
    return lines


def _ordered(cbs: Iterable[Callback]) -> list[Callback]:
    """`cbs` by `order`, moved only as far as `after` and `before` of their classes demand.

    Raises:
        ValueError: when those demands contradict each other; names the circle.
    """
    ranked = sorted(cbs, key=lambda cb: cb.order)
    rank = {id(cb): place for place, cb in enumerate(ranked)}
    earlier: dict[int, set[int]] = {rank[id(cb)]: set() for cb in ranked}
    for cb in ranked:
        _check_sides(cb)
    for cb in ranked:
        for other in ranked:
            if other is cb:
                continue
            if isinstance(other, cb.after) or isinstance(cb, other.before):
                earlier[rank[id(cb)]].add(rank[id(other)])
    try:
        return [ranked[place] for place in _stable(earlier)]
    except CycleError as error:
        names = " -> ".join(type(ranked[place]).__name__ for place in error.args[1])
        raise ValueError(
            f"callbacks that each want to come after the next: {names}; change `after` or `before`"
        ) from None


def _check_sides(cb: Callback) -> None:
    for side, kinds in (("after", cb.after), ("before", cb.before)):
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            if not isinstance(kind, type):
                when = "earlier" if side == "after" else "later"
                raise TypeError(
                    f"{type(cb).__name__}.{side} holds {kind!r:.100}; it says which callbacks are "
                    f"called {when}: give the class itself, as in {side} = (Recorder,), and keep "
                    "anything else under another name"
                )


def _stable(earlier: dict[int, set[int]]) -> list[int]:
    """A topological order that keeps numbers ascending where it can."""
    sorter = TopologicalSorter(earlier)
    sorter.prepare()
    waiting: list[int] = []
    done: list[int] = []
    while sorter.is_active():
        waiting.extend(sorter.get_ready())
        waiting.sort()
        done.append(waiting.pop(0))
        sorter.done(done[-1])
    return done


class TrainEvalCallback(Callback):
    """Puts the model on its device and in training or evaluation mode, and counts progress.

    Sets `training`, `train_iter`, `pct_train` and the mode of `model`. Runs first.
    """

    order: ClassVar[float] = -10
    run_valid = False

    def after_create(self) -> None:
        """Move the model to where batches will be."""
        self._to_device()

    def before_fit(self) -> None:
        """Start counting."""
        self.learn.train_iter, self.learn.pct_train = 0, 0.0
        self._to_device()

    def before_train(self) -> None:
        """Training mode."""
        learn = self.learn
        learn.model.train()
        learn.training = True
        # Of an epoch that was cut short, the rest counts as done.
        learn.pct_train = learn.epoch / learn.n_epoch if learn.n_epoch else 0.0

    def before_validate(self) -> None:
        """Evaluation mode."""
        self.learn.model.eval()
        self.learn.training = False

    def before_batch(self) -> None:
        """Number what is logged from here on by this batch."""
        self.learn.log_bus.step += 1

    def after_batch(self) -> None:
        """Count the batch."""
        learn = self.learn
        learn.train_iter += 1
        if learn.n_iter:
            done = learn.epoch + (learn.iter + 1) / learn.n_iter
            learn.pct_train = min(1.0, done / learn.n_epoch)

    def _to_device(self) -> None:
        device = self.learn.device
        if device is not None:
            for model in (self.learn.model, *self.learn.aux_models.values()):
                model.to(device)


def before_batch_cb(function: Callable[[TrainState, Any, Any], Any]) -> Callback:
    """A callback that runs `function(learn, xb, yb)` before each batch and takes what it returns.

    `function` returns the new (xb, yb), or None to leave both.

    Example:
        >>> half = before_batch_cb(lambda learn, xb, yb: (tuple(x / 2 for x in xb), yb))
        >>> isinstance(half, Callback)
        True
    """

    class _BeforeBatch(Callback):
        def before_batch(self) -> None:
            changed = function(self.learn, self.learn.xb, self.learn.yb)
            if changed is not None:
                self.learn.xb, self.learn.yb = changed

    return _BeforeBatch()
