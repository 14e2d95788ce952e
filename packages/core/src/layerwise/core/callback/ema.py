"""`EMA`: the average of the weights over the last steps, as a rule better than the last ones."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.callback.single import refuse_parts, refuse_second
from layerwise.core.nn.hooks import Hook
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["EMA"]

_HALF = (torch.float16, torch.bfloat16)


class EMA(Callback):
    """Averages the weights (Polyak and Juditsky, 1992), exponentially, and validates with that.

    After each step of the optimizer, `average = decay * average + (1 - decay) * weights`. Batches
    that take no step (accumulation, a skipped step) do not count. Buffers are copied. For each
    validation and prediction the average is put into the model and the weights are put back after
    it, whatever ends it. Every fit begins a new average from the weights it begins with. Where
    other weights were loaded after a fit, and no average with them, there is nothing to put in.

    The average is a model of its own, `learn.ema.model`, and one of `learn.aux_models`: saved,
    loaded and checkpointed with the learner. In half precision it is kept in float32, where a
    thousandth of a weight is not lost.

    Reads `model`; sets `aux_models["ema"]`, and the weights of `model` during validation and, with
    `keep`, at the end.

    Args:
        decay: what of the average stays at each step. 0.999 averages over about the last thousand
            steps; for trainings of a hundred thousand steps 0.9999 is usual.
        warmup: use `(1 + steps) / (10 + steps)` as long as that is smaller. The first weights are
            random; without it a thousandth of a short training would still be that.
        keep: leave the average in the model when the fit ends, to go on or export with.

    Attributes:
        updates: steps that the average has seen.

    Example:
        >>> EMA(0.99).decay_at(0), EMA(0.99).decay_at(10_000)
        (0.1, 0.99)
    """

    order: ClassVar[float] = 70
    after: ClassVar = (TrainEvalCallback,)
    in_search: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ("updates", "_ended")

    def __init__(self, decay: float = 0.999, *, warmup: bool = True, keep: bool = False) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay}; give a number from 0 up to, not including, 1")
        self.decay, self.warmup, self.keep = decay, warmup, keep
        self.updates = 0
        self._stash: list[Tensor] | None = None
        self._versions: tuple[list[int], list[int]] | None = None
        self._cancelled = self._ended = False

    def decay_at(self, updates: int) -> float:
        """The decay of the step after so many."""
        return min(self.decay, (1 + updates) / (10 + updates)) if self.warmup else self.decay

    @property
    def model(self) -> nn.Module:
        """The average, as a model."""
        return self.learn.aux_models["ema"]

    def after_create(self) -> None:
        """Make the average, so that a file that has one can be loaded."""
        self._begin()
        self._versions = self._counted()

    def before_fit(self) -> None:
        """Begin with the weights as they are.

        Raises:
            ValueError: where there are two, or each process has a part of the model.
        """
        refuse_second(self, EMA)
        refuse_parts(self, "a second model that is whole")
        if not self.learn.only_valid:
            self._begin()

    def _begin(self) -> None:
        refuse_parts(self, "a second model that is whole")
        model = self.learn.model
        average = self.learn.aux_models["ema"] = _twin(model)
        self._stash, self._versions, self.updates = None, None, 0
        self._cancelled = self._ended = False
        self._weights: list[Tensor] = list(model.parameters())
        self._averages: list[Tensor] = list(average.parameters())
        modules = zip(average.modules(), model.modules(), strict=True)
        self._buffered = [(a, m) for a, m in modules if m._buffers]

    # -- after each step -------------------------------------------------------------------

    def after_cancel_step(self) -> None:
        """There is nothing to add."""
        self._cancelled = True

    @torch.no_grad()
    def after_step(self) -> None:
        """Add the weights to the average."""
        if self._cancelled:
            self._cancelled = False
            return
        share = 1 - self.decay_at(self.updates)
        pairs = zip(self._averages, self._weights, strict=True)
        now = [w if w.dtype == a.dtype else w.to(a.dtype) for a, w in pairs]
        torch._foreach_lerp_(self._averages, now, share)
        self.updates += 1
        self._copy_buffers()

    def _copy_buffers(self) -> None:
        old, new = [], []
        for average, module in self._buffered:
            for name, buffer in module._buffers.items():
                copied = average._buffers[name]
                if buffer is None or copied is None or copied.shape != buffer.shape:
                    average._buffers[name] = None if buffer is None else buffer.clone()
                else:
                    old.append(copied)
                    new.append(buffer)
        if old:
            torch._foreach_copy_(old, new)

    def after_train(self) -> None:
        """Take the buffers that all processes have agreed on."""
        if self.learn.strategy.processes > 1:
            self._copy_buffers()

    # -- in place of the weights -----------------------------------------------------------

    @torch.no_grad()
    def before_validate(self) -> None:
        """Put the average into the model."""
        if self._stash is None and not self._outdated():
            self._stash = [w.detach().clone() for w in self._weights]
            self.copy_to_model()

    def after_validate(self) -> None:
        """Put the weights back."""
        self._put_back()

    @torch.no_grad()
    def _put_back(self) -> None:
        stash, self._stash = self._stash, None
        if stash is not None:
            torch._foreach_copy_(self._weights, stash)
            self._versions = self._versions and self._counted()

    def _counted(self) -> tuple[list[int], list[int]]:
        """How often torch has seen each weight and each average change."""
        return [w._version for w in self._weights], [a._version for a in self._averages]

    def _outdated(self) -> bool:
        """Whether, outside of a fit, weights were loaded and no average with them."""
        if self._versions is None:
            return False
        (weights, averages), (weights_now, averages_now) = self._versions, self._counted()
        return weights != weights_now and averages == averages_now

    @torch.no_grad()
    def copy_to_model(self) -> None:
        """Give the learner's model the weights of the average, for good."""
        for own, average in zip(self._weights, self._averages, strict=True):
            own.copy_(average)

    def after_epoch(self) -> None:
        """Know whether the fit was done when it ends."""
        self._ended = self.learn.epoch + 1 >= self.learn.n_epoch

    def after_cancel_fit(self) -> None:
        """A fit that a callback has ended early is complete."""
        self._ended = True

    def after_fit(self) -> None:
        """Put the weights back if an error ended a validation; keep the average if asked to."""
        self._put_back()
        if self._ended and not self.learn.only_valid:
            self._ended = False
            if self.keep:
                self.copy_to_model()
        if not self.learn.only_valid:
            self._versions = self._counted()


def _twin(model: nn.Module) -> nn.Module:
    """A copy of `model` that is not trained, half precision in float32."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for hooks in (module._forward_hooks, module._backward_hooks):
            for function in hooks.values():
                owner = getattr(function, "__self__", None)
                if isinstance(owner, Hook):
                    memo[id(owner)] = owner  # a copy would be one of the learner, by its callback
    twin = copy.deepcopy(model, memo).requires_grad_(False)
    for weight in twin.parameters():
        weight.grad = None
        if weight.dtype in _HALF:
            weight.data = weight.data.float()
    return twin
