"""The events of training, in the order in which they happen, and the exceptions that cut it short.

    fit      before_fit
    epoch      before_epoch
    train        before_train
    batch          before_batch      xb, yb are there
                     model           -> after_pred
                     loss_func       -> after_loss
    backward         before_backward -> loss_grad.backward() -> after_backward
    step             before_step     -> opt.step()           -> after_step
                     opt.zero_grad()
                   after_batch
                 after_train
    validate     before_validate
    batch          before_batch -> after_pred -> after_loss -> after_batch
                 after_validate
               after_epoch
             after_fit

Each phase named on the left may be cut short from any callback by its exception: the rest of the
phase is left out, `after_cancel_<phase>` is called, then `after_<phase>` as always.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "CancelBackwardException",
    "CancelBatchException",
    "CancelEpochException",
    "CancelException",
    "CancelFitException",
    "CancelStepException",
    "CancelTrainException",
    "CancelValidException",
    "Event",
    "Phase",
]


class Event(StrEnum):
    """A moment of training at which callbacks are called; its value is the name of their method."""

    after_create = "after_create"
    before_fit = "before_fit"
    before_epoch = "before_epoch"
    before_train = "before_train"
    before_batch = "before_batch"
    after_pred = "after_pred"
    after_loss = "after_loss"
    before_backward = "before_backward"
    after_cancel_backward = "after_cancel_backward"
    after_backward = "after_backward"
    before_step = "before_step"
    after_cancel_step = "after_cancel_step"
    after_step = "after_step"
    after_cancel_batch = "after_cancel_batch"
    after_batch = "after_batch"
    after_cancel_train = "after_cancel_train"
    after_train = "after_train"
    before_validate = "before_validate"
    after_cancel_validate = "after_cancel_validate"
    after_validate = "after_validate"
    after_cancel_epoch = "after_cancel_epoch"
    after_epoch = "after_epoch"
    after_cancel_fit = "after_cancel_fit"
    after_fit = "after_fit"


class CancelException(Exception):  # noqa: N818 - control flow, not an error
    """Base of the exceptions by which a callback cuts a phase short."""


class CancelBackwardException(CancelException):
    """Leave out the backward pass of this batch."""


class CancelStepException(CancelException):
    """Leave out the optimizer step of this batch; gradients are zeroed all the same."""


class CancelBatchException(CancelException):
    """Leave out the rest of this batch; gradients stay."""


class CancelTrainException(CancelException):
    """Leave out the rest of this epoch's training; validation follows."""


class CancelValidException(CancelException):
    """Leave out the rest of this epoch's validation."""


class CancelEpochException(CancelException):
    """Leave out the rest of this epoch."""


class CancelFitException(CancelException):
    """Stop training."""


class Phase:
    """A part of training with an event before, one after, and an exception that cuts it short."""

    __slots__ = ("after", "before", "cancelled", "exception", "name")

    def __init__(self, name: str, exception: type[CancelException]) -> None:
        self.name = name
        self.exception = exception
        self.before = Event(f"before_{name}")
        self.after = Event(f"after_{name}")
        self.cancelled = Event(f"after_cancel_{name}")


FIT = Phase("fit", CancelFitException)
EPOCH = Phase("epoch", CancelEpochException)
TRAIN = Phase("train", CancelTrainException)
VALIDATE = Phase("validate", CancelValidException)
BATCH = Phase("batch", CancelBatchException)
BACKWARD = Phase("backward", CancelBackwardException)
STEP = Phase("step", CancelStepException)
