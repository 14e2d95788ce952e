"""One module applied to every step of a sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.nn.module import Module

__all__ = ["TimeDistributed"]


class TimeDistributed(Module):
    """Applies a module to each step in time and stacks what it returns.

    Args:
        module: takes (B, ...) tensors; may return a tensor, or a tuple or list of them.
        low_mem: one step after the other, in place of all steps as one large batch: slower, with
            less memory. Batch statistics then are those of one step.
        tdim: the axis of time, in inputs and outputs.

    Raises:
        ValueError: if the inputs have different numbers of steps.

    Example:
        >>> TimeDistributed(nn.Linear(3, 2))(torch.rand(4, 5, 3)).shape
        torch.Size([4, 5, 2])
    """

    def __init__(self, module: nn.Module, low_mem: bool = False, tdim: int = 1) -> None:
        self.module, self.low_mem, self.tdim = module, low_mem, tdim

    def forward(self, *tensors: Tensor, **kwargs: Any) -> Any:
        """What `module` returns, with time along `tdim`; keywords are passed on as they are."""
        steps = {x.shape[self.tdim] for x in tensors}
        if len(steps) != 1:
            shapes = ", ".join(str(tuple(x.shape)) for x in tensors) or "none"
            raise ValueError(
                f"inputs with shapes {shapes} do not have one number of steps along axis "
                f"{self.tdim}; give tensors that agree there"
            )
        if self.low_mem:
            parts = [
                self.module(*step, **kwargs)
                for step in zip(*(x.unbind(self.tdim) for x in tensors), strict=True)
            ]
            return self._stacked(parts)
        # (B, T, ...) -> (B*T, ...)
        flat = [x.movedim(self.tdim, 1).flatten(0, 1) for x in tensors]
        return self._unfolded(self.module(*flat, **kwargs), steps.pop())

    def _stacked(self, parts: list[Any]) -> Any:
        if isinstance(parts[0], tuple | list):
            return tuple(self._stacked(list(part)) for part in zip(*parts, strict=True))
        return torch.stack(parts, dim=self.tdim)

    def _unfolded(self, output: Any, steps: int) -> Any:
        if isinstance(output, tuple | list):
            return tuple(self._unfolded(one, steps) for one in output)
        return output.unflatten(0, (-1, steps)).movedim(1, self.tdim)
