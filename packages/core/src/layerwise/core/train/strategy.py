"""`Strategy`: how many processes train a model, and what of it each of them holds.

Training code asks the strategy for whole states and hands whole states back, so that a file written
by one kind of run is read by any other. The class here is the strategy of one process, where all of
this is what model and optimizer say themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from layerwise.core.metrics.sizes import count_items
from layerwise.core.nn.module import with_versions
from layerwise.core.optim.groups import BaseOptimizer

if TYPE_CHECKING:
    from layerwise.core.train.state import TrainState

__all__ = ["Strategy"]


class Strategy:
    """One process with the whole model; base of those for several.

    `learn.strategy` is always there. Where several processes train together, all of them have to
    make each call, since parts of the states come from all.

    Example:
        >>> Strategy().processes, Strategy().rank
        (1, 0)
    """

    shards: ClassVar[bool] = False
    """Whether each process has only a part of the model's weights."""

    averages_late: bool = False
    """Whether gradients are exchanged once all are there, and nothing between processes before: a
    callback sets it, so that a process may go back once more by itself."""

    shares_gradients: ClassVar[bool] = False
    """Whether all processes have the same gradients after the backward pass of a step; then those
    are not finite in all where the loss or a gradient was not in one."""

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return 1

    @property
    def rank(self) -> int:
        """The number of this process among them; number 0 writes files and prints."""
        return 0

    def attach(self, learn: TrainState) -> None:
        """Take over the model of `learn`."""

    def detach(self, learn: TrainState) -> None:
        """Give the model back as it was, with the weights of now."""

    def refresh(self, learn: TrainState) -> None:
        """Follow what was frozen or thawed since; called before each fit."""

    def to_call(self, learn: TrainState) -> nn.Module:
        """The module to call for the current batch, ready for it."""
        return learn.model if learn.wrapped is None else learn.wrapped

    def batch_items(self, learn: TrainState) -> tuple[int, int]:
        """How many items the current batch has here, and in all processes together."""
        count = count_items(learn.yb or learn.xb)
        return count, count * self.processes

    def prepare_opt(self, opt: BaseOptimizer) -> BaseOptimizer:
        """The optimizer that really steps, for one made from the model's parameters."""
        return opt

    def full_model_state(self, learn: TrainState) -> dict[str, Tensor]:
        """All weights and buffers of the model, by name."""
        return dict(learn.model.state_dict())

    def load_model_state(
        self, learn: TrainState, state: Mapping[str, Tensor], strict: bool = True
    ) -> None:
        """Put what `full_model_state` gave into the model.

        Args:
            learn: whose model.
            state: whole tensors by name.
            strict: raise where names differ.
        """
        learn.model.load_state_dict(with_versions(dict(state), learn.model), strict=strict)

    def full_opt_state(self, learn: TrainState) -> dict[str, Any]:
        """The state of the optimizer, each tensor of it whole."""
        return learn.opt.state_dict()

    def load_opt_state(
        self, learn: TrainState, state: Mapping[str, Any], strict: bool = True
    ) -> list[str]:
        """Put what `full_opt_state` gave into the optimizer; returns what did not fit."""
        return learn.opt.load_state_dict(state, strict=strict)

    def full_grads(self, learn: TrainState) -> dict[str, Tensor]:
        """The gradients that wait for the next batch, by the name of their parameter."""
        return {n: p.grad for n, p in learn.model.named_parameters() if p.grad is not None}

    def load_grads(self, learn: TrainState, grads: Mapping[str, Tensor]) -> None:
        """Put what `full_grads` gave on the parameters, and none on the others."""
        for name, param in learn.model.named_parameters():
            grad = grads.get(name)
            param.grad = None if grad is None else self.share_of(param, grad).clone()

    def share_of(self, param: Tensor, whole: Tensor) -> Tensor:
        """What of a whole tensor belongs to `param` in this process, on its device."""
        return whole.to(param.device, param.dtype)

    def clip_grad_norm(self, learn: TrainState, max_norm: float, norm_type: float = 2.0) -> Tensor:
        """() the norm of all gradients of the model, which are scaled down to `max_norm` at most.

        Args:
            learn: whose model.
            max_norm: the largest norm.
            norm_type: 2 for the Euclidean one, `inf` for the largest element.
        """
        return nn.utils.clip_grad_norm_(learn.model.parameters(), max_norm, norm_type)
