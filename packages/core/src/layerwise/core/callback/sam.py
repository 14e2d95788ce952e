"""`SAM`: steps along the gradient at the worst nearby weights, towards flat minima."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.rnn import ModelResetter
from layerwise.core.callback.single import refuse_parts, refuse_second
from layerwise.core.train.callback import Callback
from layerwise.core.train.engine import backward, forward
from layerwise.core.train.events import Event

__all__ = ["SAM"]


class SAM(Callback):
    """Sharpness-aware minimisation (Foret et al., 2021), with any optimizer.

    For each batch the weights are moved by `rho` along its gradient, the batch goes through the
    model once more, and the gradient found there is the one that the optimizer steps with, from
    where the weights were. So a batch costs twice as much. The second pass leaves the statistics of
    norm layers as they are; dropout draws anew. Prediction and loss stay those of the first pass.

    With accumulated gradients each batch of a group has a neighbourhood of its own (the paper's
    m-sharpness), and their gradients are summed. Clipping acts on the gradient of the step. The
    events `after_pred`, `after_loss` and `before_backward` are heard twice a batch.

    Reads `xb`, `yb`; changes gradients.

    Args:
        rho: how far the weights are moved, in the norm over all of them.

    Raises:
        ValueError: if `rho` is not above 0; in `before_fit`, together with `ModelResetter`
            and where each process has a part of the model.

    Example:
        >>> SAM(rho=0.1).rho
        0.1
    """

    order: ClassVar[float] = -2
    after: ClassVar = (GradientAccumulation,)
    run_valid = False

    def __init__(self, rho: float = 0.05) -> None:
        super().__init__()
        if not rho > 0:
            raise ValueError(f"rho={rho}; give the distance to move the weights by, above 0")
        self.rho = rho
        self._is_second = False
        self._waiting: list[Tensor | None] = []

    def before_fit(self) -> None:
        """Refuse what a second pass would spoil."""
        self._is_second, self._waiting = False, []
        refuse_second(self, SAM)
        refuse_parts(self, "whole gradients")
        if any(isinstance(cb, ModelResetter) for cb in self.learn.cbs):
            raise ValueError(
                "SAM calls the model twice with each batch, and a model with ModelResetter keeps "
                "its state from one call to the next; train without one of the two"
            )

    def _params(self) -> list[Tensor]:
        return [p for group in self.learn.opt.param_lists for p in group]

    def before_backward(self) -> None:
        """Lay aside what earlier batches of the group have left."""
        if self._is_second:
            return
        params = self._params()
        self._waiting = [p.grad for p in params]
        for p in params:
            p.grad = None

    def after_backward(self) -> None:
        """Put the gradient nearby in the place of that of the batch."""
        params, waiting = self._params(), self._waiting
        moved = [p for p in params if p.grad is not None]
        grads = [p.grad for p in moved if p.grad is not None]
        for p, grad in zip(params, waiting, strict=True):
            p.grad = grad
        self._waiting = []
        if not grads:  # the backward pass was cancelled
            return
        learn = self.learn
        pred, loss, self._is_second = learn.pred, learn.loss, True
        with torch.no_grad():
            norm = nn.utils.get_total_norm(grads)
            weights, buffers = [p.clone() for p in moved], list(learn.model.buffers())
            kept = [b.clone() for b in buffers]
            # A scale of the loss, or a share of a group, cancels here.
            scale = self.rho / (norm + 1e-12)
            torch._foreach_add_(moved, torch._foreach_mul(grads, scale))
        try:
            with ExitStack() as stack:
                for cb in learn.cbs:
                    if isinstance(cb, MixedPrecision):
                        stack.enter_context(cb.autocast())
                forward(learn)
            learn(Event.before_backward)
            backward(learn)
        finally:
            with torch.no_grad():
                torch._foreach_copy_(moved, weights)
                for buffer, value in zip(buffers, kept, strict=True):
                    buffer.copy_(value)
            self._is_second, learn.pred, learn.loss = False, pred, loss
