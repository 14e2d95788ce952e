"""`DDP`: each process has the whole model, and gradients are averaged while they are computed.

The way of Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training"
(2020).
"""

from __future__ import annotations

import gc
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from layerwise.core.distributed.several import SeveralProcesses, trainable
from layerwise.core.optim.several import Optimizers
from layerwise.core.train.state import TrainState

__all__ = ["DDP"]


class DDP(SeveralProcesses):
    """Every process holds the model and trains it on its part of each batch.

    Buffers, such as the running statistics of batch norm, are those of process 0.

    Args:
        find_unused_parameters: look, after each forward pass, for parameters that this batch does
            not use. It costs a walk over the graph, so it is for models where that happens.
        bucket_cap_mb: megabytes of gradients in one message; torch's own 25.

    Example:
        >>> DDP(find_unused_parameters=True)
        DDP(find_unused_parameters=True)
    """

    shares_gradients: ClassVar[bool] = True

    def __init__(self, find_unused_parameters: bool = False, bucket_cap_mb: float = 25) -> None:
        self.find_unused_parameters, self.bucket_cap_mb = find_unused_parameters, bucket_cap_mb
        self._trained: tuple[bool, ...] = ()

    def attach(self, learn: TrainState) -> None:
        """Move the model to the device of this process; it is wrapped when a fit begins."""
        self.place(learn)

    def detach(self, learn: TrainState) -> None:
        """Let go of the wrapper; nothing may hold it when its group ends."""
        learn.wrapped = None
        gc.collect()

    def refresh(self, learn: TrainState) -> None:
        """Wrap the model, anew where other parameters are trained than when it was wrapped."""
        super().refresh(learn)
        trained = trainable(learn.model)
        current = learn.wrapped
        same = isinstance(current, _Wrapper) and current.module is learn.model
        if same and trained == self._trained:
            return
        learn.wrapped = None
        if not any(trained):
            return
        del current
        device = next(learn.model.parameters()).device
        self._trained = trained
        learn.wrapped = _Wrapper(
            learn.model,
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=self.find_unused_parameters,
            bucket_cap_mb=self.bucket_cap_mb,
        )

    def to_call(self, learn: TrainState) -> nn.Module:
        """The wrapper for a batch that trains, since it only cares for gradients."""
        wrapped = learn.wrapped
        if wrapped is None or not learn.training:
            return learn.model
        sync = not learn.accumulating and not self._averages(learn)
        wrapped.require_backward_grad_sync = sync  # type: ignore[assignment]
        return wrapped

    def _averages(self, learn: TrainState) -> bool:
        """Whether gradients are averaged here, once all are there.

        Several losses go back one after another; torch would send what the first of them gives.
        """
        return self.averages_late or isinstance(learn.opt, Optimizers)

    def finish_grads(self, learn: TrainState) -> None:
        """Average what torch has not exchanged while gradients were computed."""
        super().finish_grads(learn)
        if not learn.accumulating and self._averages(learn):
            self._average(list(learn.model.parameters()))

    def full_grads(self, learn: TrainState) -> dict[str, Tensor]:
        """The mean over the processes of the gradients that wait."""
        grads = {}
        for name, param in learn.model.named_parameters():
            if param.grad is not None:
                total = param.grad.clone()
                dist.all_reduce(total)
                grads[name] = total / self.processes
        return grads

    def agree(self, learn: TrainState) -> bool:
        """Whether the weights are the same in all processes, by their sum."""
        every = [*learn.model.parameters(), *self._beside(learn)]
        params = [param.detach() for param in every if param.is_floating_point()]
        if not params:
            return True
        total = torch.stack([p.sum(dtype=torch.float64).to(params[0].device) for p in params]).sum()
        sums = [torch.empty_like(total) for _ in range(self.processes)]
        dist.all_gather(sums, total)
        return all(torch.equal(found.nan_to_num(), total.nan_to_num()) for found in sums)

    def unused(self, learn: TrainState) -> list[str]:
        """Names of trained parameters that the last backward pass gave no gradient."""
        if self.find_unused_parameters:
            return []
        named = learn.model.named_parameters()
        return [name for name, param in named if param.requires_grad and param.grad is None]

    def __repr__(self) -> str:
        return f"DDP(find_unused_parameters={self.find_unused_parameters})"


class _Wrapper(DistributedDataParallel):
    """Torch's wrapper, which a copy of the learner does not copy: it wraps its own model."""

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None
