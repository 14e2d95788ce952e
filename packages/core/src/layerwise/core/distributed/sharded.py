"""`ShardedOptimizer`: an optimizer of ours over parameters of which each process has a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.optim.optimizer import Optimizer

__all__: list[str] = []


class ShardedOptimizer(BaseOptimizer):
    """Steps the part of each parameter that is in this process; states are whole where they leave.

    All that works on single elements gives the same numbers on parts as on the whole. What needs
    the norm of a whole parameter (LAMB, LARS) is refused.

    Args:
        opt: made over the sharded parameters; it takes no step itself.

    Raises:
        ValueError: if `opt` needs whole parameters.
    """

    def __init__(self, opt: Optimizer) -> None:
        if opt.needs_whole_tensors:
            raise ValueError(
                f"{opt!r} needs the norm of whole parameters, of which each process has a part "
                'under "fsdp2"; use another optimizer, or strategy="ddp"'
            )
        super().__init__(opt.param_lists)
        self._parts = {p: _local_part(p) for group in opt.param_lists for p in group}
        self.inner = opt.with_params([[self._parts[p] for p in g] for g in opt.param_lists])

    @property
    def hypers(self) -> Sequence[Mapping[str, Any]]:
        """The hyper-parameters of each group."""
        return self.inner.hypers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups as torch's optimizers show them."""
        return [
            {"params": group, **hyper}
            for group, hyper in zip(self.param_lists, self.inner.hypers, strict=True)
        ]

    @property
    def state(self) -> Mapping[Tensor, dict[str, Any]]:
        """What is kept of the part of each parameter."""
        inner = self.inner.state
        return {p: inner[part] for p, part in self._parts.items()}

    def _write_hyper(self, name: str, values: Sequence[Any]) -> None:
        self.inner.set_hyper(name, list(values))

    def _regroup(self) -> None:
        inner = self.inner
        for param, flags in self._flags.items():
            inner.set_flags([self._parts[param]], **flags)
        inner.frozen_idx = self.frozen_idx
        inner._regroup()

    def clear_state(self) -> None:
        """Forget all averages and counts."""
        self.inner.clear_state()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parts of this process; returns what `closure` does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for param, part in self._parts.items():
            part.grad = None if param.grad is None else _local_part(param.grad)
        self.inner.step()
        for part in self._parts.values():
            part.grad = None
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The whole state, as the optimizer of one process gives it; all processes have to ask."""
        state = self.inner.state_dict()
        pairs = zip(self._parts, state["state"], strict=True)
        whole = [{name: whole_of(p, value) for name, value in own.items()} for p, own in pairs]
        return {**state, "state": whole}

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> list[str]:
        """Go on from the whole state, of which each process takes its part."""
        pairs = zip(self._parts, state.get("state", []), strict=False)
        own = [{name: _part_of(p, value) for name, value in saved.items()} for p, saved in pairs]
        return self.inner.load_state_dict({**state, "state": own}, strict=strict)

    def __repr__(self) -> str:
        return f"ShardedOptimizer({self.inner!r})"


def _local_part(tensor: Tensor) -> Tensor:
    """The part of a sharded tensor that is in this process, sharing its memory."""
    from torch.distributed.tensor import DTensor

    tensor = tensor.detach()
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole_of(param: Tensor, value: Any) -> Any:
    """A state of which the part for `param` is in this process, from the parts of all."""
    from torch.distributed.tensor import DTensor

    if isinstance(value, DTensor):
        return value.full_tensor()
    if not isinstance(param, DTensor) or not isinstance(value, Tensor) or not value.ndim:
        return value
    if value.shape != param.to_local().shape:
        return value
    sharded = DTensor.from_local(
        value,
        param.device_mesh,
        param.placements,
        run_check=False,
        shape=param.shape,
        stride=param.stride(),
    )
    return sharded.full_tensor()


def _part_of(param: Tensor, value: Any) -> Any:
    """The part of this process of a state as large as `param`; other values as they are."""
    sharded = sharded_like(param, value)
    return _local_part(sharded) if isinstance(sharded, Tensor) else sharded


def sharded_like(param: Tensor, value: Any) -> Any:
    """A whole tensor sharded as `param` is, if it is as large; anything else as it is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if (
        not isinstance(param, DTensor)
        or not isinstance(value, Tensor)
        or isinstance(value, DTensor)
    ):
        return value
    if value.shape != param.shape:
        return value
    # Every process has the whole, so nothing need be sent.
    return distribute_tensor(
        value.to(param.device), param.device_mesh, param.placements, src_data_rank=None
    )
