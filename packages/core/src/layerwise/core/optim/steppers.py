"""Steppers: functions that move parameters, written as the equations of their papers.

A stepper gets the parameters `p` (a `TensorList` with `p.grad`), and by name the hyper-parameters
of their group, the states that statistics keep, and the flag `do_wd`. One that needs norms of whole
tensors is a generator: `norms = yield p, update`.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import softplus

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.stats import Norms, debias, keeps

__all__ = [
    "adam_step",
    "l2_reg",
    "lamb_step",
    "larc_scale_grad",
    "larc_step",
    "lookahead_step",
    "momentum_step",
    "qhadam_step",
    "radam_step",
    "rectification",
    "rms_prop_step",
    "sgd_step",
    "trust_step",
    "unit_step",
    "weight_decay",
]

Scale: TypeAlias = float | Tensor
"""One number, or a vector with one for each tensor."""


def sgd_step(p: TensorList, lr: float) -> None:
    """Move p ← p - lr · g.

    Example:
        >>> p = TensorList([torch.ones(1)], grad=TensorList([torch.ones(1)]))
        >>> sgd_step(p, lr=0.25)
        >>> p.tensors
        [tensor([0.7500])]
    """
    p.add_(p.grad, alpha=-lr)


def weight_decay(p: TensorList, lr: float, wd: float, do_wd: bool = True) -> None:
    """Move p ← (1 - lr · wd) · p: decay apart from the gradient (Loshchilov and Hutter, 2019).

    Example:
        >>> p = TensorList([torch.ones(1)])
        >>> weight_decay(p, lr=0.5, wd=0.5)
        >>> p.tensors
        [tensor([0.7500])]
    """
    if do_wd and wd != 0:
        p *= 1 - lr * wd


def l2_reg(p: TensorList, wd: float, do_wd: bool = True) -> None:
    """Set g ← g + wd · p, the gradient of wd/2 · ‖p‖², for the functions after this one.

    Example:
        >>> p = TensorList([torch.ones(1)], grad=TensorList([torch.ones(1)]))
        >>> l2_reg(p, wd=0.5)
        >>> p.grad.tensors
        (tensor([1.5000]),)
    """
    if do_wd and wd != 0:
        p.grad = p.grad.add(p, alpha=wd)


def momentum_step(p: TensorList, lr: float, grad_avg: TensorList) -> None:
    """Move p ← p - lr · m.

    Example:
        >>> p = TensorList([torch.ones(1)])
        >>> momentum_step(p, lr=0.5, grad_avg=TensorList([torch.ones(1)]))
        >>> p.tensors
        [tensor([0.5000])]
    """
    p.add_(grad_avg, alpha=-lr)


def rms_prop_step(
    p: TensorList, lr: float, sqr_avg: TensorList, eps: float, grad_avg: TensorList | None = None
) -> None:
    """Move p ← p - lr · g / (√v + eps), with m in place of g where a `grad_avg` is kept.

    From lecture 6.5 of "Neural Networks for Machine Learning" (Tieleman and Hinton, 2012).
    """
    direction = p.grad if grad_avg is None else grad_avg
    p.addcdiv_(direction, sqr_avg.sqrt().add_(eps), value=-lr)


def adam_step(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    eps: float,
) -> None:
    """Move p ← p - lr · m̂ / (√v̂ + eps), from "Adam" (Kingma and Ba, 2015).

    m̂ and v̂ are the averages over what they fall short; eps is added outside the root and after
    that correction, as in the paper and in torch.
    """
    debias1, debias2 = 1 - mom**step, 1 - sqr_mom**step
    denominator = sqr_avg.sqrt().div_(math.sqrt(debias2)).add_(eps)
    p.addcdiv_(grad_avg, denominator, value=-lr / debias1)


def rectification(sqr_mom: float, step: int) -> float | None:
    """The factor r of RAdam, None while the variance of v cannot be told (ρ at most 5).

    Args:
        sqr_mom: weight of the past in the average of squares.
        step: number of steps, from 1.

    Example:
        >>> rectification(0.99, 5) is None, round(rectification(0.99, 10_000), 6)
        (True, 1.0)
    """
    limit = 2 / (1 - sqr_mom) - 1
    length = limit - 2 * step * sqr_mom**step / (1 - sqr_mom**step)
    if length <= 5:
        return None
    return math.sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length))


def radam_step(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    eps: float,
    beta: float = 0.0,
) -> None:
    """Move p ← p - lr · r · m̂ / l, with l = (√v + eps) / √(1 - sqr_momᵗ), or lr · m̂ in early steps.

    From "On the Variance of the Adaptive Learning Rate and Beyond" (Liu et al., 2020). The paper
    has no eps; it stands where torch puts it, before the correction. A `beta` smooths small
    denominators with softplus ("Calibrating the Adaptive Learning Rate", Tong et al., 2019).
    """
    debias1, debias2 = 1 - mom**step, 1 - sqr_mom**step
    r = rectification(sqr_mom, step)
    if r is None:
        p.add_(grad_avg, alpha=-lr / debias1)
        return
    denominator = sqr_avg.sqrt().add_(eps)
    if beta:
        denominator = denominator.div_(math.sqrt(debias2)).map(softplus, beta=beta)
        p.addcdiv_(grad_avg, denominator, value=-lr * r / debias1)
    else:
        p.addcdiv_(grad_avg, denominator, value=-lr * r * math.sqrt(debias2) / debias1)


def qhadam_step(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    nu_1: float,
    nu_2: float,
    eps: float,
) -> None:
    """Move p ← p - lr · ((1 - ν₁) g + ν₁ m̂) / (√((1 - ν₂) g² + ν₂ v̂) + eps).

    From "Quasi-hyperbolic momentum and Adam for deep learning" (Ma and Yarats, 2019).
    """
    debias1, debias2 = 1 - mom**step, 1 - sqr_mom**step
    grad = p.grad
    numerator = (grad_avg * (nu_1 / debias1)).add_(grad, alpha=1 - nu_1)
    square = sqr_avg * (nu_2 / debias2)
    if nu_2 != 1:
        square.addcmul_(grad, grad, value=1 - nu_2)
    p.addcdiv_(numerator, square.sqrt_().add_(eps), value=-lr)


def larc_step(p: TensorList, local_lr: Scale, grad_avg: TensorList | None = None) -> None:
    """Move p ← p - λ · g, or - λ · m where m is kept, with the rate λ of each tensor."""
    p.sub_(p.grad if grad_avg is None else grad_avg, alpha=local_lr)


def larc_scale_grad(p: TensorList, local_lr: Scale) -> None:
    """Set g ← λ · g with the rate λ of each tensor, for the functions after this one."""
    p.grad = p.grad * local_lr


def unit_step(p: TensorList, grad_avg: TensorList) -> None:
    """Move p ← p - m, for averages of gradients that a learning rate has scaled already."""
    p -= grad_avg


def lamb_step(
    p: TensorList,
    lr: float,
    mom: float,
    sqr_mom: float,
    step: int,
    grad_avg: TensorList,
    sqr_avg: TensorList,
    eps: float,
    wd: float = 0.0,
    clip: float = 10.0,
    do_wd: bool = True,
) -> Norms:
    """Move p ← p - lr · φ · u with u = m̂ / (√v̂ + eps) + wd · p and φ = ‖p‖ / ‖u‖, at most `clip`.

    From "Large Batch Optimization for Deep Learning" (You et al., 2020). φ is 1 for a
    tensor or an update that is all zeros.
    """
    debias1, debias2 = debias(mom, 1 - mom, step), debias(sqr_mom, 1 - sqr_mom, step)
    update = sqr_avg.sqrt().mul_(debias1 / math.sqrt(debias2)).add_(eps * debias1)
    update = grad_avg / update
    if do_wd and wd != 0:
        update.add_(p, alpha=wd)
    yield from trust_step(p, update, lr, clip)
    return None


def trust_step(p: TensorList, update: TensorList, lr: float, clip: float) -> Norms:
    """Move p ← p - lr · φ · u with φ = ‖p‖ / ‖u‖, at most `clip`; 1 where a norm is 0."""
    p_norm, update_norm = yield p, update
    trust = torch.where((p_norm > 0) & (update_norm > 0), p_norm / update_norm, 1.0)
    p.sub_(update, alpha=lr * trust.clamp(max=clip))
    return None


@keeps(slow_weights=torch.clone)
def lookahead_step(
    p: TensorList, slow_weights: TensorList, step: int, k: int, alpha: float
) -> None:
    """Move s ← s + alpha · (p - s) and p ← s in each k-th step; s is kept as `slow_weights`.

    From "Lookahead Optimizer: k steps forward, 1 step back" (Zhang et al., 2019).
    """
    if step % k == 0:
        slow_weights.lerp_(p, alpha)
        p.copy_(slow_weights)
