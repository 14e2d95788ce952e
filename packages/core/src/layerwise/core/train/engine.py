"""The loop, and only the loop. `train/events.py` draws it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch

from layerwise.core.errors import DataError
from layerwise.core.nested import to_device, to_plain
from layerwise.core.nn.walk import layer_that_raised
from layerwise.core.random import draw_seed
from layerwise.core.train.batches import Resume, epoch_batches, known_length
from layerwise.core.train.events import (
    BACKWARD,
    BATCH,
    EPOCH,
    FIT,
    STEP,
    TRAIN,
    VALIDATE,
    CancelException,
    Event,
    Phase,
)
from layerwise.core.train.freed_memory import freed_memory_kept
from layerwise.core.train.outputs import LABELS, ModelLoss, read_output
from layerwise.core.train.parts import PartedLoss
from layerwise.core.train.state import TrainState
from layerwise.core.transforms.pipeline import describe

__all__ = [
    "all_batches",
    "backward",
    "batch_step",
    "ended_fit",
    "fit",
    "forget_batch",
    "forward",
    "one_batch",
    "run_phase",
    "split_batch",
    "step",
    "validate_epoch",
]


def run_phase(learn: TrainState, phase: Phase, body: Callable[[TrainState], None]) -> None:
    """Do `body(learn)` between the events of `phase`; its exception ends it early."""
    try:
        learn(phase.before)
        body(learn)
    except phase.exception:
        learn(phase.cancelled)
    learn(phase.after)


def fit(
    learn: TrainState, n_epoch: int, start_epoch: int = 0, resume: Resume | None = None
) -> None:
    """Train for the epochs from `start_epoch` up to `n_epoch`, validating after each.

    With `resume`, go on where that stands: callbacks hear the events up to there as always, then
    everything is put back to how it was, and the next batch is trained.
    """
    learn.n_epoch, learn.epoch = n_epoch, start_epoch
    learn.n_train_iter = (n_epoch - start_epoch) * (known_length(learn.dls.train) or 0)
    learn.run_seed = draw_seed() if resume is None else resume.run_seed

    on_cpu = torch.device(getattr(learn.dls, "device", None) or "cpu").type == "cpu"
    try:
        with freed_memory_kept() if on_cpu else nullcontext(), ended_fit(learn):
            run_phase(learn, FIT, partial(_epochs, resume=resume))
    except CancelException as error:
        error.add_note(
            "raised outside of the part of training that it cuts short; train/events.py draws "
            "which events lie inside it"
        )
        raise
    except torch.OutOfMemoryError as error:
        # An interactive session keeps the last error, its frames, and all that was in them.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        forget_batch(learn)
        learn.opt.zero_grad()  # what a cancelled step or an error left would be in the next fit


@contextmanager
def ended_fit(learn: TrainState) -> Iterator[None]:
    """Call `after_fit` also when an error ends what is done here, so that callbacks tidy up."""
    try:
        yield
    except BaseException as error:
        if Event.after_fit not in getattr(error, "__notes__", [""])[-1]:  # it did not fail itself
            try:
                learn(FIT.after)
            except Exception as second:
                error.add_note(f"after_fit failed as well: {type(second).__name__}: {second}")
        raise


def forget_batch(learn: TrainState) -> None:
    """Let go of the last batch and all that was computed from it, so that its memory is free."""
    for name in ("batch", "xb", "yb", "pred", "loss_grad", "parted"):
        learn.__dict__.pop(name, None)


def _epochs(learn: TrainState, resume: Resume | None) -> None:
    first = learn.epoch if resume is None else resume.epoch
    if resume is not None and not resume.batches:
        resume.restore(learn)
        resume = None
    for epoch in range(first, learn.n_epoch):
        learn.epoch = epoch
        run_phase(learn, EPOCH, partial(_epoch, resume=resume))
        resume = None


def _epoch(learn: TrainState, resume: Resume | None) -> None:
    learn.training = True
    _use(learn, learn.dls.train)
    run_phase(learn, TRAIN, partial(_batches, resume=resume))
    validate_epoch(learn)


def _use(learn: TrainState, dl: Any) -> None:
    learn.dl, learn.n_iter = dl, known_length(dl) or 0


def _batches(learn: TrainState, resume: Resume | None = None) -> None:
    all_batches(learn, learn.dl, resume)


def validate_epoch(learn: TrainState, dl: Any = None) -> None:
    """Run the batches of `dl`, the validation loader when None, without gradients."""
    if dl is None:
        loaders = getattr(learn.dls, "loaders", None)
        if loaders is not None and len(loaders) < 2:
            return
        dl = learn.dls.valid
    learn.training = False
    _use(learn, dl)
    with torch.no_grad():
        run_phase(learn, VALIDATE, _batches)


def all_batches(learn: TrainState, dl: Iterable[Any], resume: Resume | None = None) -> None:
    """Run every batch of `dl`, or those that `resume` has left."""
    _use(learn, dl)
    batches = epoch_batches(learn, dl, resume)
    first = 0
    if resume is not None:
        resume.restore(learn)
        first = resume.batches
    number = first - 1
    for number, batch in enumerate(batches, first):
        one_batch(learn, number, batch)
    if number < 0 and learn.training:
        raise DataError(
            f"the training loader gave no batch in epoch {learn.epoch}: it has no items, or fewer "
            "than a batch and drop_last=True, or is a stream that was read to its end before. "
            "A learner that was loaded from an export has no data; set learn.dls to train it"
        )


def one_batch(learn: TrainState, number: int, batch: Any) -> None:
    """Run one batch."""
    learn.iter, learn.batch = number, batch
    # Whoever hears of a batch that is cancelled early must not take the last one's for its own.
    learn.pred = learn.loss_grad = learn.loss = learn.parted = None  # type: ignore[assignment]
    learn.xb, learn.yb = split_batch(learn, batch)
    try:
        run_phase(learn, BATCH, _batch)
    except CancelException:
        raise
    except Exception as error:
        if not hasattr(error, "__notes__"):  # a callback's has a note that says where it came from
            error.add_note(_told(learn, error))
        raise
    learn.batch = None


def _told(learn: TrainState, error: Exception) -> str:
    """Which batch failed, at what, and what it was made of: the words of `DataBlock.summary`."""
    kind = "training" if learn.training else "validation"
    if learn.pred is None:
        # Looking into the frames of an error keeps what is in them: too much where memory is short.
        out_of_memory = isinstance(error, torch.OutOfMemoryError)
        layer = "" if out_of_memory else layer_that_raised(learn.model, error)
        doing = "the model was called" + (f" (in its layer {layer})" if layer else "")
    else:
        doing = "the loss was computed" if learn.loss_grad is None else "gradients were computed"
    parts = [f"inputs {describe(learn.xb)}", f"targets {describe(learn.yb)}"]
    if learn.pred is not None:
        parts.append(f"the model gave {describe(learn.pred)}")
    # A loss of ours that refuses its targets has said itself what is wrong with them.
    hint = "" if isinstance(error, ValueError) else _hint(learn)
    return f"in {kind} batch {learn.iter}, when {doing}: {', '.join(parts)}{hint}"


def _hint(learn: TrainState) -> str:
    """What is surely wrong: a class that the model has no output for."""
    pred, target = learn.pred, learn.yb[0] if learn.yb else None
    if not isinstance(pred, torch.Tensor) or not isinstance(target, torch.Tensor):
        return ""
    if pred.ndim != target.ndim + 1 or target.is_floating_point() or not target.numel():
        return ""
    largest, outputs = int(target.max()), pred.shape[1]
    if largest < outputs:
        return ""
    return (
        f". The largest target is class {largest}, but the model has {outputs} output(s) an item; "
        "give it as many as there are classes (n_out=, or get_c(dls))"
    )


def split_batch(learn: TrainState, batch: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Inputs and targets of `batch`, as plain tensors on the device: all that the model sees."""
    if learn.device is not None:
        batch = to_device(batch, learn.device)
    batch = to_plain(batch)
    if isinstance(batch, Mapping):
        return (batch,), ((batch[LABELS],) if LABELS in batch else ())
    if not isinstance(batch, tuple | list):
        return (batch,), ()
    if hasattr(learn.dls, "known_n_inp"):
        count = learn.dls.known_n_inp
    else:
        count = getattr(getattr(learn.dls, "train", None), "n_inp", None)
    if count is None:
        count = max(1, len(batch) - 1)
    return tuple(batch[:count]), tuple(batch[count:])


def batch_step(learn: TrainState) -> None:
    """The default step: prediction, loss and, in training, gradients and a step of the optimizer.

    A `Learner` that overrides its `batch_step` can do anything else; the calls to `learn(event)`
    are what callbacks hear, and may be left out where none is needed.
    """
    forward(learn)
    if not learn.training:
        return
    if learn.loss_grad is None:
        raise ValueError(
            "this batch has no targets, so there is no loss to train with; give the loader "
            "samples of (input, target), set `learn.loss_grad` in a callback's after_pred, or "
            "override batch_step"
        )
    run_phase(learn, BACKWARD, backward)
    run_phase(learn, STEP, step)
    learn.opt.zero_grad()


def forward(learn: TrainState) -> None:
    """Prediction and loss of the batch `xb`, `yb`, between the events that tell of them."""
    learn.pred, own_loss = read_output(learn.call_model(*learn.xb))
    learn(Event.after_pred)
    if own_loss is not None and isinstance(learn.loss_func, ModelLoss):
        _set_loss(learn, own_loss)
    elif learn.yb:
        _set_loss(learn, learn.loss_func(learn.pred, *learn.yb))
    learn(Event.after_loss)


def _set_loss(learn: TrainState, loss: Any) -> None:
    """Take one loss, or several by name."""
    if isinstance(loss, Mapping):
        learn.parted = PartedLoss(loss, learn.opt if learn.training else None)
        loss = learn.parted.total
    learn.loss_grad = loss
    learn.loss = learn.loss_grad.detach().clone()


def _batch(learn: TrainState) -> None:
    learn.batch_step()


def backward(learn: TrainState) -> None:
    """Add the gradients of the loss to those that parameters have."""
    learn.loss_grad.backward()  # type: ignore[no-untyped-call]  # torch does not say
    if learn.parted is not None:
        learn.parted.backward()


def step(learn: TrainState) -> None:
    """Move the parameters along their gradients."""
    learn.opt.step()
