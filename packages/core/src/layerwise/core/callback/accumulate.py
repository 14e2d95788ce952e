"""`GradientAccumulation`: the gradient of a batch that is larger than memory, in parts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.callback.single import refuse_second
from layerwise.core.devices import sum_processes
from layerwise.core.metrics.loss_weight import loss_weight
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.engine import run_phase, step
from layerwise.core.train.events import STEP, CancelBatchException

__all__ = ["GradientAccumulation"]

Weight = Callable[..., "float | Tensor | None"]


class GradientAccumulation(Callback):
    """Steps once for every `n_acc` items, with the gradient of all of them as one batch.

    The loss of each batch is a mean; its gradient counts with what that mean was taken over (see
    `loss_weight`), and the sum is divided by all of that before the step. So groups with an uneven
    last batch, with masked tokens or with weights by class have exactly the gradient of the large
    batch. What is left at the end of an epoch is stepped there. Norm layers see the small batches.

    Reads `loss_func`, `pred`, `yb`; sets `accumulating`; changes `loss_grad` and gradients. `loss`
    stays the mean over the small batch, 0 where no target counts. Cancels the step of all batches
    but the last of a group, so that what happens at a step (clipping, a gradient scaler) happens
    once for a group.

    Args:
        n_acc: items a step, of all processes together; batches are not split.
        weight: called as `weight(pred, *targets)`, what the loss is a mean over, None for a sum;
            found from the loss function when None.

    Attributes:
        items: how many the current group has.

    Raises:
        ValueError: if `n_acc` is below 1.

    Example:
        >>> GradientAccumulation(n_acc=64).n_acc
        64
    """

    order: ClassVar[float] = -4
    # The guard looks at each batch, not at groups alone, so that it can name the one.
    after: ClassVar = (TrainEvalCallback, NaNGuard)
    run_valid = False
    keeps: ClassVar[tuple[str, ...]] = ("items", "total")

    def __init__(self, n_acc: int = 32, weight: Weight | None = None) -> None:
        super().__init__()
        if n_acc < 1:
            raise ValueError(f"n_acc={n_acc}; give the items to take a step for, 1 or more")
        self.n_acc, self.weight = n_acc, weight
        self._counts = True
        self._forget()

    def _forget(self) -> None:
        self.items = self._size = 0
        self.total: float | Tensor = 0
        self._weight: float | Tensor = 0
        self._is_divided = self._is_filler = False

    def before_fit(self) -> None:
        """Be the only one."""
        refuse_second(self, GradientAccumulation)

    def before_train(self) -> None:
        """Begin an empty group; gradients of an epoch that was cancelled are dropped."""
        if self.items:
            self.learn.opt.zero_grad()
        self._forget()

    def before_batch(self) -> None:
        """Find out whether this batch is the last of its group."""
        learn = self.learn
        own, self._size = learn.strategy.batch_items(learn)
        self._is_filler = own == 0
        is_last = learn.n_iter > 0 and learn.iter == learn.n_iter - 1
        if learn.train_iter == 0 and self._size >= self.n_acc > 1:
            warnings.warn(
                f"GradientAccumulation({self.n_acc}) gathers nothing: n_acc counts items, and a "
                f"batch has {self._size}; give a larger n_acc, or leave it out",
                stacklevel=2,
            )
        learn.accumulating = self.items + self._size < self.n_acc and not is_last

    def before_backward(self) -> None:
        """Give the batch its weight."""
        learn = self.learn
        find = self.weight or self._found_weight
        weight = find(learn.pred, *learn.yb)
        # A sum counts as it is in all: processes average what each of them has.
        self._counts = weight is not None
        factor = learn.strategy.processes if weight is None else weight / self.n_acc
        if self._is_filler:
            weight = factor = 0
        self._weight = 0 if weight is None else weight
        share = learn.loss_grad * factor
        if isinstance(factor, Tensor) or factor <= 0:
            # The mean over no targets at all is not a number; it adds nothing.
            has_targets = torch.as_tensor(factor > 0, device=share.device)
            share = torch.where(has_targets, share, 0.0)
            learn.loss = torch.where(has_targets, learn.loss, 0.0)
        learn.loss_grad = share

    def _found_weight(self, pred: Any, *targets: Any) -> float | Tensor | None:
        return loss_weight(self.learn.loss_func, pred, *targets)

    def after_cancel_backward(self) -> None:
        """Count nothing."""
        self._size, self._weight = 0, 0

    def after_backward(self) -> None:
        """Count the batch."""
        self.items += self._size
        self.total = self.total + self._weight

    def before_step(self) -> None:
        """Wait for the rest of the group, or divide by the weight of all of it."""
        if self.learn.accumulating:
            raise CancelBatchException
        grads, self._is_divided = self._gradients(), True
        if grads and self._counts:
            torch._foreach_mul_(grads, self._share(grads[0].device))

    def _gradients(self) -> list[Tensor]:
        lists = self.learn.opt.param_lists
        return [p.grad for params in lists for p in params if p.grad is not None]

    def _share(self, device: torch.device) -> Any:
        """What turns the sum of gradients into that of the mean; 1 where there was no target."""
        total, processes = self.total, self.learn.strategy.processes
        if processes > 1:
            # Processes average their gradients, so what they count is averaged as well.
            counted = torch.as_tensor(total, dtype=torch.float32, device=device)
            total = sum_processes(counted) / processes
        if isinstance(total, Tensor):
            return torch.where(total > 0, self.n_acc / total, 1.0)
        return self.n_acc / total if total else 1.0

    def after_step(self) -> None:
        """Begin the next group."""
        self._forget()

    def after_cancel_batch(self) -> None:
        """Drop a group that was cancelled when it was about to step."""
        if self._is_divided:
            self.learn.opt.zero_grad()
            self._forget()

    def after_train(self) -> None:
        """Step with what an epoch without a last batch, or one cut short, has left."""
        learn = self.learn
        if self.items and not self._is_divided:
            processes = learn.strategy.processes
            if learn.accumulating and processes > 1:
                for grad in self._gradients():  # that no process has sent yet
                    grad.copy_(sum_processes(grad) / processes)
            learn.accumulating = False
            run_phase(learn, STEP, step)
            learn.opt.zero_grad()
        learn.accumulating = False
        self._forget()

    def after_fit(self) -> None:
        """Accumulate no more; the engine drops what gradients there are."""
        self.learn.accumulating = False
        self._forget()
