"""Torch's fused kernels, for the recipes that they match step for step.

The statistics and steppers are the definition; a kernel is a faster way to the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.stats import Norms
from layerwise.core.optim.steppers import l2_reg, rectification, sgd_step, trust_step, weight_decay

__all__ = [
    "FusedKernel",
    "fused_adam",
    "fused_lamb_tile",
    "fused_radam",
    "fused_sgd",
    "fused_sgd_tile",
]


@dataclass(frozen=True)
class FusedKernel:
    """Faster forms of the first functions of a recipe. Each gets what a stepper gets.

    Args:
        replaces: number of functions it stands for.
        whole: runs over whole tensors and returns the new number states, or `NotImplemented`
            where it has no such case.
        tile: runs on tiles in place of those functions, where `whole` did not.
    """

    replaces: int
    whole: Callable[..., Any] | None = None
    tile: Callable[..., Any] | None = None


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
    """The next step count, after decay, both averages and `adam_step` in one pass."""
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

    The kernel has no decay apart from the gradient; for that there is `fused_sgd_tile`.
    """
    decay = wd if do_wd else 0.0
    if decouple_wd and decay:
        return NotImplemented
    if grad_avg is None and not decay:
        # One sum: the kernel would start all threads for each small tensor and win nothing.
        sgd_step(p, lr)
        return {}
    torch._fused_sgd_(
        p.tensors,
        p.grad.tensors,
        [] if grad_avg is None else grad_avg.tensors,
        weight_decay=decay,
        lr=lr,
        momentum=0.0 if grad_avg is None else mom,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
    return {}


def fused_sgd_tile(
    p: TensorList,
    lr: float,
    wd: float,
    mom: float = 0.0,
    grad_avg: TensorList | None = None,
    do_wd: bool = True,
) -> None:
    """`weight_decay`, then `fused_sgd` while the tile is in the cache."""
    weight_decay(p, lr, wd, do_wd)
    fused_sgd(p, lr, 0.0, mom, grad_avg)


def fused_lamb_tile(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    eps: float,
    wd: float,
    clip: float = 10.0,
    do_wd: bool = True,
    decouple_wd: bool = True,
) -> Norms:
    """Both averages and `lamb_step`; AdamW's kernel gives the update."""
    if not decouple_wd:
        l2_reg(p, wd, do_wd)
    decay = wd if decouple_wd and do_wd else 0.0
    update = p.clone()
    update.grad = p.grad
    # The kernel makes (1 - lr * weight_decay) * p - lr * direction: here wd * p + direction.
    _moments(
        torch._fused_adamw_, update, grad_avg, sqr_avg, step + 1,
        lr=-1.0, beta1=mom, beta2=sqr_mom, eps=eps, weight_decay=decay - 1.0,
    )  # fmt: skip
    yield from trust_step(p, update, lr, clip)
    return {"step": step + 1}
