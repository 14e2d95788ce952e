"""`NaNGuard`: no step is taken with a loss or gradients that are NaN or infinite."""

from __future__ import annotations

import operator
import warnings
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from layerwise.core.callback.finite import (
    NotFiniteError,
    any_not_finite,
    is_scaled,
    not_finite_at_step,
    told_not_finite,
)
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelFitException, CancelStepException
from layerwise.core.train.recorder import Recorder

__all__ = ["NaNGuard", "TerminateOnNaNCallback"]


class NaNGuard(Callback):
    """Looks at loss and gradients before each step; one bad step would break all weights for good.

    A learner has one by default, which raises. Of several the last added one counts, so
    `learn.add_cb(NaNGuard("skip"))` is enough to change that. Running statistics, which the forward
    pass has changed already, are put back to what they were before the batch. Under a gradient
    scaler it looks at the loss alone, since infinite gradients are how a scaler finds its scale.
    Processes that train together decide together.

    Reads `loss_grad` (`loss` under a scaler), `opt`, `model`; publishes
    "nan_guard/skipped". Acts in `before_step`; in `before_batch` it copies statistics.

    Args:
        policy: "raise" an error that says where the first NaN is; or "skip" the step, with one
            warning in a fit; the record and its smoothed loss leave such a batch out.
        max_skipped: how many steps in a row may be skipped; data are rarely as bad as ten batches
            one after the other, a model that has diverged is.

    Attributes:
        skipped: steps left out in this fit.

    Example:
        >>> NaNGuard("skip", max_skipped=3).policy
        'skip'
    """

    order: ClassVar[float] = -5
    run_valid = False
    in_search: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ("skipped", "in_a_row")

    def __init__(self, policy: Literal["raise", "skip"] = "raise", max_skipped: int = 10) -> None:
        super().__init__()
        if policy not in ("raise", "skip"):
            raise ValueError(f"policy={policy!r}; give 'raise' or 'skip'")
        if max_skipped < 0:
            raise ValueError(f"max_skipped={max_skipped}; give 0 or more steps")
        self.policy, self.max_skipped = policy, max_skipped
        self.skipped = self.in_a_row = 0
        self._statistics: _Buffers | None = None

    @property
    def name(self) -> str:
        """The learner's attribute for it."""
        return "nan_guard"

    def before_fit(self) -> None:
        """Start counting."""
        self.skipped = self.in_a_row = 0

    def before_train(self) -> None:
        """Find out whether another guard counts, and what the forward pass may change."""
        learn = self.learn
        guards = [cb for cb in learn.cbs if isinstance(cb, NaNGuard)]
        self._statistics, self._scaled = None, is_scaled(learn)
        if guards[-1] is self:
            self._statistics = _Buffers([learn.model, *learn.aux_models.values()])

    def before_batch(self) -> None:
        """Remember running statistics."""
        if self._statistics is not None:
            self._statistics.remember()

    def before_step(self) -> None:
        """Let the step be taken, or not."""
        if self._statistics is None:
            return
        learn = self.learn
        gradients = not self._scaled
        parts = not_finite_at_step(learn, gradients=gradients)
        if not any_not_finite(learn, parts, gradients=gradients):
            self.in_a_row = 0
            return
        self._statistics.put_back()
        self._refuse(told_not_finite(learn, parts))

    def _refuse(self, told: str) -> None:
        if self.policy == "raise":
            raise NotFiniteError(
                f"{told}. The step was not taken and no weight has changed. To leave such batches "
                'out instead, add the callback NaNGuard("skip")'
            )
        self.skipped += 1
        self.in_a_row += 1
        if self.in_a_row > self.max_skipped:
            raise NotFiniteError(
                f"{told}. That makes {self.in_a_row} steps in a row to skip, more than "
                f"max_skipped={self.max_skipped}. No weight has changed"
            )
        if self.skipped == 1:
            warnings.warn(
                f"a step was skipped: {told}. Further ones are counted in "
                "learn.nan_guard.skipped without a warning",
                stacklevel=2,
            )
        self.learn.log("nan_guard/skipped", self.skipped)
        for cb in self.learn.cbs:
            if isinstance(cb, Recorder):
                cb.leave_out()
        raise CancelStepException

    def after_train(self) -> None:
        """Let go of the copies."""
        self._statistics = None

    def after_fit(self) -> None:
        """Let go of them also where an error ends the fit."""
        self._statistics = None


class TerminateOnNaNCallback(Callback):
    """Ends the fit, without an error, before a step with a loss or gradient that is not finite.

    The `NaNGuard` that every learner has would raise. Here training ends as if it were done, with a
    warning that says in which batch, and with the weights from before that batch.
    """

    order: ClassVar[float] = -6
    before: ClassVar = (NaNGuard,)
    run_valid = False
    in_search: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The learner's attribute for it."""
        return "terminate_on_nan"

    def before_step(self) -> None:
        """End the fit if this step would break the weights."""
        learn = self.learn
        gradients = not is_scaled(learn)
        parts = not_finite_at_step(learn, gradients=gradients)
        if any_not_finite(learn, parts, gradients=gradients):
            warnings.warn(f"training was ended: {told_not_finite(learn, parts)}", stacklevel=2)
            raise CancelFitException


# Statistics are one number a channel; what is larger is as a rule a table that never changes.
_LARGE = 1 << 16


class _Buffers:
    """Copies of the buffers that models change while they run, such as those of batch norm.

    Small ones are copied before each batch. Large ones only where torch counts a change; it does
    not count what batch norm does.
    """

    def __init__(self, models: list[nn.Module]) -> None:
        modules = dict.fromkeys(module for model in models for module in model.modules())
        self.places = [(m, name) for m in modules for name in m._buffers]
        self.buffers: list[Tensor | None] = []
        self.copies: list[Tensor | None] = []
        self.versions: list[int] = []

    def remember(self) -> None:
        """Copy what has changed since the last time, or may have."""
        if not self.places:
            return
        now = [module._buffers[name] for module, name in self.places]
        if len(now) != len(self.buffers) or any(map(operator.is_not, now, self.buffers)):
            self.buffers, self.versions = now, [-1 if b is None else b._version for b in now]
            self.copies = [None if b is None else b.clone() for b in now]
            return
        old, new = [], []
        for i, (buffer, copy) in enumerate(zip(now, self.copies, strict=True)):
            if buffer is None or copy is None:
                continue
            if buffer.numel() <= _LARGE or buffer._version != self.versions[i]:
                self.versions[i] = buffer._version
                old.append(copy)
                new.append(buffer)
        if old:
            torch._foreach_copy_(old, new)

    @torch.no_grad()
    def put_back(self) -> None:
        """Undo what has changed since."""
        for (module, name), buffer, copy in zip(
            self.places, self.buffers, self.copies, strict=True
        ):
            if buffer is not None and copy is not None:
                buffer.copy_(copy)
            module._buffers[name] = buffer
