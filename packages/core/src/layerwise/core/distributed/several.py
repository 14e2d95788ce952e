"""What all strategies of several processes share: who is who, and where the model is."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn

from layerwise.core.distributed.exchange import average_tensors, broadcast_tensors
from layerwise.core.distributed.loader import DistributedDL
from layerwise.core.train.state import TrainState
from layerwise.core.train.strategy import Strategy

__all__: list[str] = []


class SeveralProcesses(Strategy):
    """Base of the strategies for a group of processes."""

    _outside: list[Tensor] | None = None

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return dist.get_world_size() if dist.is_initialized() else 1

    @property
    def rank(self) -> int:
        """The number of this process among them."""
        return dist.get_rank() if dist.is_initialized() else 0

    def batch_items(self, learn: TrainState) -> tuple[int, int]:
        """How many items the current batch has here, and in all processes together."""
        dl = learn.dl
        return (dl.items, dl.total) if isinstance(dl, DistributedDL) else super().batch_items(learn)

    def place(self, learn: TrainState) -> None:
        """Move model and loaders to the GPU of this process, where they are to be on one."""
        device = _own_device(learn.device)
        if device is None or device == learn.device:
            return
        if hasattr(learn.dls, "to"):
            learn.dls.to(device)
        for model in (learn.model, *learn.aux_models.values()):
            model.to(device)

    def refresh(self, learn: TrainState) -> None:
        """Begin with one state of the models beside the learner's own: that of process 0."""
        self._outside = None
        aux = learn.aux_models.values()
        broadcast_tensors([t for model in aux for t in (*model.parameters(), *model.buffers())])

    def finish_grads(self, learn: TrainState) -> None:
        """Average the gradients that torch has not exchanged while they were computed."""
        if not learn.accumulating:
            self._average(self._beside(learn))

    def _beside(self, learn: TrainState) -> list[Tensor]:
        """What is trained and belongs to no part of the learner's model: a critic, a loss."""
        if self._outside is None:
            own = {id(param) for param in learn.model.parameters()}
            lists = learn.opt.param_lists
            self._outside = [p for params in lists for p in params if id(p) not in own]
        return self._outside

    def _average(self, params: list[Tensor]) -> None:
        params = [param for param in params if param.requires_grad]
        for param in params:
            if param.grad is None:  # another process may have one
                param.grad = torch.zeros_like(param)
        average_tensors([param.grad for param in params if param.grad is not None])


def _own_device(device: torch.device | None) -> torch.device | None:
    """The device of this process in place of `device`: on a machine with several GPUs, each one's.

    Example:
        >>> _own_device(torch.device("cpu"))
        device(type='cpu')
    """
    if device is None or device.type != "cuda":
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", torch.cuda.current_device())))


def trainable(model: nn.Module) -> tuple[bool, ...]:
    """Which parameters are trained, in order."""
    return tuple(param.requires_grad for param in model.parameters())
