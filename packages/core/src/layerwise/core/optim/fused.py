"""Torch's fused kernels, for the recipes that they match step for step.

The statistics and steppers are the definition; a kernel is a faster way to the same numbers. Each
takes what the functions it stands for take, over whole tensors, and returns the number states, or
`NotImplemented` where it has no such case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.steppers import rectification

__all__ = ["FusedKernel", "fused_adam", "fused_radam", "fused_sgd"]


@dataclass(frozen=True)
class FusedKernel:
    """A kernel and how many functions of a recipe, from the first, it does the work of.

    Args:
        function: gets `p`, hyper-parameters, states and flags by name, as a stepper does.
        replaces: number of functions it stands for.
    """

    function: Callable[..., Any]
    replaces: int


def _shared_step(p: TensorList, step: int) -> list[Tensor]:
    # The kernels read one count a tensor from the device; a fill does not wait for it.
    return [torch.full((), float(step), device=p[0].device)] * len(p)


def _moments(
    kernel: Any,
    p: TensorList,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    step: int,
    **scalars: float,
) -> None:
    kernel(
        p.tensors, p.grad.tensors, grad_avg.tensors, sqr_avg.tensors, [], _shared_step(p, step),
        amsgrad=False, maximize=False, **scalars,
    )  # fmt: skip


def fused_adam(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    eps: float,
    wd: float,
    do_wd: bool = True,
    decouple_wd: bool = True,
) -> dict[str, int]:
    """The next step count, after `weight_decay` or `l2_reg`, both averages and `adam_step` in one pass."""
    kernel = torch._fused_adamw_ if decouple_wd else torch._fused_adam_
    _moments(
        kernel, p, grad_avg, sqr_avg, step + 1,
        lr=lr, beta1=mom, beta2=sqr_mom, eps=eps, weight_decay=wd if do_wd else 0.0,
    )  # fmt: skip
    return {"step": step + 1}


def fused_radam(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    eps: float,
    wd: float,
    beta: float = 0.0,
    do_wd: bool = True,
    decouple_wd: bool = True,
) -> Any:
    """The next step count; Adam's kernel with the rate, decay and eps that make it `radam_step`."""
    r = rectification(sqr_mom, step + 1)
    if beta or r is None:
        return NotImplemented
    decay = wd if do_wd else 0.0
    _moments(
        torch._fused_adamw_ if decouple_wd else torch._fused_adam_,
        p, grad_avg, sqr_avg, step + 1,
        lr=lr * r, beta1=mom, beta2=sqr_mom, eps=eps / (1 - sqr_mom ** (step + 1)) ** 0.5,
        weight_decay=decay / r if decouple_wd else decay,
    )  # fmt: skip
    return {"step": step + 1}


def fused_sgd(
    p: TensorList,
    lr: float,
    wd: float,
    mom: float = 0.0,
    grad_avg: TensorList | None = None,
    do_wd: bool = True,
    decouple_wd: bool = True,
) -> Any:
    """An empty dict, after decay, `average_grad` and the step of SGD in one pass.

    The kernel knows only decay in the gradient; decay apart from it is done before, and only where there is any.
    """
    decay = wd if do_wd else 0.0
    if decouple_wd and decay:
        return NotImplemented
    momentum: Sequence[Tensor] = [] if grad_avg is None else grad_avg.tensors
    torch._fused_sgd_(
        p.tensors, p.grad.tensors, momentum, weight_decay=decay, lr=lr,
        momentum=0.0 if grad_avg is None else mom, dampening=0.0,
        nesterov=False, maximize=False, is_first_step=False,
    )  # fmt: skip
    return {}
