"""Small things that processes tell each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__: list[str] = []


def from_first(number: int) -> int:
    """`number` as process 0 has it; all have to ask. `number` itself outside of a group."""
    if not dist.is_initialized() or dist.get_world_size() < 2:
        return number
    said = torch.tensor(number)
    dist.broadcast(said, 0)
    return int(said.item())


def broadcast_tensors(tensors: list[Tensor]) -> None:
    """Set each tensor to its values in process 0, those of one dtype and device in one message."""
    _exchange(tensors, lambda message: dist.broadcast(message, 0))


def average_tensors(tensors: list[Tensor]) -> None:
    """Set each tensor to its mean over the processes, likewise."""

    def average(message: Tensor) -> None:
        dist.all_reduce(message)
        message /= dist.get_world_size()

    _exchange(tensors, average)


def _exchange(tensors: list[Tensor], send: Callable[[Tensor], Any]) -> None:
    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    for group in kinds.values():
        message = torch.cat([tensor.detach().reshape(-1) for tensor in group])
        send(message)
        parts = torch.split(message, [tensor.numel() for tensor in group])
        with torch.no_grad():
            for tensor, part in zip(group, parts, strict=True):
                tensor.copy_(part.view_as(tensor))
