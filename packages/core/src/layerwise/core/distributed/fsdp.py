"""`FSDP2`: each process keeps a part of the model, and gathers a layer while it is used.

The way of Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel" (2023),
by torch's `fully_shard`, which keeps the module and the names of its parameters as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from layerwise.core.distributed.exchange import broadcast_tensors
from layerwise.core.distributed.several import SeveralProcesses, trainable
from layerwise.core.distributed.sharded import ShardedOptimizer, sharded_like, whole_of
from layerwise.core.distributed.unshard import Unsharded
from layerwise.core.nn.module import with_versions
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.optim.optimizer import Optimizer
from layerwise.core.optim.several import Optimizers
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.train.state import TrainState

__all__ = ["FSDP2"]

_UNIT = 100_000
"""Parameters from which on a block is gathered by itself; smaller ones share a message."""


class FSDP2(SeveralProcesses):
    """Every process keeps its part of weights, gradients and optimizer state.

    Whole models and states are only made when they are saved. Optimizers of ours and of torch step
    the parts; one made already, `learn.opt = AdamW(...)`, has to be given as `opt_func` instead.

    Args:
        units: from the model to the modules that are gathered one at a time; the blocks in its
            `nn.Sequential`s and `nn.ModuleList`s with 100,000 parameters or more when None.
        reshard_after_forward: let go of a unit's weights between its forward and its backward
            pass, which saves memory and costs a second gathering.

    Example:
        >>> FSDP2(reshard_after_forward=False)
        FSDP2(reshard_after_forward=False)
    """

    shards: ClassVar[bool] = True

    def __init__(
        self,
        units: Callable[[nn.Module], Iterable[nn.Module]] | None = None,
        reshard_after_forward: bool = True,
    ) -> None:
        self.units, self.reshard_after_forward = units, reshard_after_forward
        self._undo: Unsharded | None = None
        self._trained: tuple[bool, ...] = ()
        self._exchanges = True

    def attach(self, learn: TrainState) -> None:
        """Shard the model, and the optimizer where there is one."""
        self.place(learn)
        broadcast_tensors([*learn.model.parameters(), *learn.model.buffers()])
        with _same_optimizer(learn):
            self._shard(learn.model)

    def _shard(self, model: nn.Module) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        device = next(model.parameters()).device.type
        mesh = init_device_mesh(device, (self.processes,))
        self._undo = Unsharded(model)
        self._trained, self._exchanges = trainable(model), True
        for unit in (self.units or _blocks)(model):
            if unit is not model:
                fully_shard(unit, mesh=mesh, reshard_after_forward=self.reshard_after_forward)
        fully_shard(model, mesh=mesh, reshard_after_forward=self.reshard_after_forward)
        self._undo.free()

    def detach(self, learn: TrainState) -> None:
        """Make the model whole again, in every process."""
        if self._undo is None:
            return
        with _same_optimizer(learn):
            self._undo.put_back(self.full_model_state(learn))
            self._undo = None
            del learn.strategy
        learn.strategy = self

    def refresh(self, learn: TrainState) -> None:
        """Shard anew where other parameters are trained than when it was sharded."""
        super().refresh(learn)
        if self._undo is None or trainable(learn.model) == self._trained:
            return
        with _same_optimizer(learn):
            self._undo.put_back(self.full_model_state(learn))
            self._shard(learn.model)

    def to_call(self, learn: TrainState) -> nn.Module:
        """The model, with the buffers of process 0 where it is trained, as under DDP."""
        model: Any = learn.model
        if learn.training:
            if self._exchanges is learn.accumulating:
                self._exchanges = not learn.accumulating
                model.set_requires_gradient_sync(self._exchanges)
            broadcast_tensors(list(model.buffers()))
        return learn.model

    def prepare_opt(self, opt: BaseOptimizer) -> BaseOptimizer:
        """An optimizer that steps the parts of this process."""
        if isinstance(opt, Optimizers):
            return Optimizers({name: self.prepare_opt(one) for name, one in opt.opts.items()})
        return ShardedOptimizer(opt) if isinstance(opt, Optimizer) else opt

    def full_model_state(self, learn: TrainState) -> dict[str, Tensor]:
        """All weights and buffers, each whole."""
        state = learn.model.state_dict()
        return {name: whole_of(value, value) for name, value in state.items()}

    def load_model_state(
        self, learn: TrainState, state: Mapping[str, Tensor], strict: bool = True
    ) -> None:
        """Give each process its part of whole tensors."""
        own = learn.model.state_dict()
        parts = {n: sharded_like(own[n], v) if n in own else v for n, v in state.items()}
        learn.model.load_state_dict(with_versions(parts, learn.model), strict=strict)

    def full_opt_state(self, learn: TrainState) -> dict[str, Any]:
        """The state of the optimizer, each tensor of it whole."""
        return _whole_state(learn.opt)

    def load_opt_state(
        self, learn: TrainState, state: Mapping[str, Any], strict: bool = True
    ) -> list[str]:
        """Give the optimizer of each process its part."""
        return _load_whole(learn.opt, state, strict)

    def full_grads(self, learn: TrainState) -> dict[str, Tensor]:
        """The gradients that wait, each whole."""
        named = learn.model.named_parameters()
        return {n: whole_of(p.grad, p.grad) for n, p in named if p.grad is not None}

    def share_of(self, param: Tensor, whole: Tensor) -> Tensor:
        """What of a whole tensor belongs to `param` in this process."""
        part: Tensor = sharded_like(param, whole.to(param.device, param.dtype))
        return part

    def clip_grad_norm(self, learn: TrainState, max_norm: float, norm_type: float = 2.0) -> Tensor:
        """() the norm of all gradients, over all processes."""
        norm = super().clip_grad_norm(learn, max_norm, norm_type)
        whole: Tensor = whole_of(norm, norm)
        return whole

    def __deepcopy__(self, memo: dict[int, Any]) -> FSDP2:
        raise TypeError(
            "a model that is sharded by FSDP2 cannot be copied; call lr_find and other functions "
            "that try things on a copy before distrib_ctx"
        )

    def __repr__(self) -> str:
        return f"FSDP2(reshard_after_forward={self.reshard_after_forward})"


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The members of lists and sequences with many parameters, none inside another."""
    found: list[nn.Module] = []
    for child in model.children():
        in_list = isinstance(model, nn.Sequential | nn.ModuleList)
        large = sum(p.numel() for p in child.parameters()) >= _UNIT
        if in_list and large and not isinstance(child, nn.Sequential | nn.ModuleList):
            found.append(child)
        else:
            found += _blocks(child)
    return found


class _same_optimizer:  # noqa: N801 - a context manager
    """Makes the learner's optimizer anew for the parameters that there are at the end."""

    def __init__(self, learn: Any) -> None:
        self.learn = learn
        made: BaseOptimizer | None = learn._opt
        if isinstance(made, OptimWrapper) and not made.made_here:
            raise ValueError(
                f"FSDP2 replaces the parameters that this {type(made.opt).__name__} was made for; "
                "give the learner its class, opt_func=..., and no optimizer"
            )
        self.state = None if made is None else _whole_state(made)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, *_: object) -> None:
        if self.state is None or kind is not None:
            return
        self.learn.create_opt()
        _load_whole(self.learn.opt, self.state, True)


def _whole_state(opt: BaseOptimizer) -> dict[str, Any]:
    if isinstance(opt, Optimizers):
        return {name: _whole_state(one) for name, one in opt.opts.items()}
    state = opt.state_dict()
    return _mapped(state) if isinstance(opt, OptimWrapper) else state


def _mapped(state: dict[str, Any]) -> dict[str, Any]:
    whole = {
        at: {name: whole_of(value, value) for name, value in own.items()}
        for at, own in state["state"].items()
    }
    return {**state, "state": whole}


def _load_whole(opt: BaseOptimizer, state: Mapping[str, Any], strict: bool) -> list[str]:
    if isinstance(opt, Optimizers):
        lines: list[str] = []
        for name, one in opt.opts.items():
            lines += _load_whole(one, state.get(name, {}), strict)
        return lines
    if isinstance(opt, OptimWrapper):
        order = [at for group in state["param_groups"] for at in group["params"]]
        params = [p for group in opt.opt.param_groups for p in group["params"]]
        own = {
            at: {n: sharded_like(p, v) for n, v in state["state"].get(at, {}).items()}
            for at, p in zip(order, params, strict=False)
        }
        state = {**state, "state": {at: entries for at, entries in own.items() if entries}}
    return opt.load_state_dict(state, strict=strict)
