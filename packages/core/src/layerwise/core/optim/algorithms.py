"""The optimizers users ask for by name, each a short list of statistics and steppers.

Hyper-parameters and defaults are those fastai users know. `decouple_wd` chooses between decay of
the parameter itself (`weight_decay`) and of the gradient (`l2_reg`). Where a torch kernel does a
recipe's work in one pass it is used; the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from layerwise.core.optim.fused import (
    FusedKernel,
    fused_adam,
    fused_lamb_tile,
    fused_radam,
    fused_sgd,
    fused_sgd_tile,
)
from layerwise.core.optim.optimizer import Optimizer
from layerwise.core.optim.stats import (
    average_grad,
    average_sqr_grad,
    larc_layer_lr,
    step_stat,
)
from layerwise.core.optim.steppers import (
    adam_step,
    l2_reg,
    lamb_step,
    larc_scale_grad,
    larc_step,
    lookahead_step,
    momentum_step,
    qhadam_step,
    radam_step,
    rms_prop_step,
    sgd_step,
    unit_step,
    weight_decay,
)

__all__ = [
    "SGD",
    "Adam",
    "Lamb",
    "Larc",
    "Lars",
    "Lookahead",
    "QHAdam",
    "RAdam",
    "RMSProp",
    "ranger",
]

# Both averages of Adam's family, then the count of steps that corrects them.
_MOMENTS: tuple[Callable[..., Any], ...] = (
    partial(average_grad, dampening=True),
    average_sqr_grad,
    step_stat,
)


_Recipe = list[Callable[..., Any]]


def _decay(decouple_wd: bool) -> Callable[..., Any]:
    return weight_decay if decouple_wd else l2_reg


def SGD(  # noqa: N802 - the name users know
    params: Iterable[Any], lr: Any, mom: float = 0.0, wd: float = 0.0, decouple_wd: bool = True
) -> Optimizer:
    """Optimizer that follows the gradient, or its running sum where `mom` is not 0.

    Equals `torch.optim.SGD` with `decouple_wd=False`.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: momentum; the sum is not dampened. Whether there is one is decided here, not later.
        wd: weight decay.
        decouple_wd: decay parameters rather than gradients.

    Example:
        >>> import torch
        >>> SGD([torch.zeros(2)], lr=0.1, mom=0.9)
        Optimizer([weight_decay, average_grad, momentum_step], parameters by group: [1])
    """
    steps: _Recipe = [average_grad, momentum_step] if mom != 0 else [sgd_step]
    cbs: _Recipe = [_decay(decouple_wd), *steps]
    kernel = FusedKernel(
        len(cbs),
        whole=partial(fused_sgd, decouple_wd=decouple_wd),
        tile=fused_sgd_tile if decouple_wd else None,
    )
    return Optimizer(params, cbs, kernel=kernel, lr=lr, mom=mom, wd=wd)


def RMSProp(  # noqa: N802 - the name users know
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.0,
    sqr_mom: float = 0.99,
    eps: float = 1e-8,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Optimizer that divides the gradient by the root of its average square.

    Equals `torch.optim.RMSprop` with `decouple_wd=False` and no momentum. With momentum it averages
    gradients and divides afterwards, where torch divides first.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: momentum.
        sqr_mom: weight of the past in the average of squares.
        eps: added to the root, so that the quotient stays finite.
        wd: weight decay.
        decouple_wd: decay parameters rather than gradients.

    Example:
        >>> import torch
        >>> RMSProp([torch.zeros(2)], lr=0.1).hypers[0]["sqr_mom"]
        0.99
    """
    stats: _Recipe = [average_grad, average_sqr_grad] if mom != 0 else [average_sqr_grad]
    cbs: _Recipe = [_decay(decouple_wd), *stats, rms_prop_step]
    return Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)


def Adam(  # noqa: N802 - the name users know
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.9,
    sqr_mom: float = 0.99,
    eps: float = 1e-5,
    wd: float = 0.01,
    decouple_wd: bool = True,
) -> Optimizer:
    """Optimizer by the first two moments of the gradient (Kingma and Ba, 2015).

    Equals `torch.optim.AdamW`, and `torch.optim.Adam` with `decouple_wd=False`.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: weight of the past in the average of gradients (β₁).
        sqr_mom: weight of the past in the average of squares (β₂).
        eps: added to the root of the corrected average.
        wd: weight decay.
        decouple_wd: decay parameters (AdamW) rather than gradients (L2).

    Example:
        >>> import torch
        >>> Adam([torch.zeros(2)], lr=0.1).hypers
        [{'mom': 0.9, 'sqr_mom': 0.99, 'eps': 1e-05, 'wd': 0.01, 'lr': 0.1}]
    """
    cbs: _Recipe = [_decay(decouple_wd), *_MOMENTS, adam_step]
    kernel = FusedKernel(len(cbs), whole=partial(fused_adam, decouple_wd=decouple_wd))
    return Optimizer(params, cbs, kernel=kernel, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, lr=lr)


def RAdam(  # noqa: N802 - the name users know
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.9,
    sqr_mom: float = 0.99,
    eps: float = 1e-5,
    wd: float = 0.0,
    beta: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam whose first steps are rectified, so that it needs no warm-up (Liu et al., 2020).

    Equals `torch.optim.RAdam(decoupled_weight_decay=decouple_wd)` where `beta` is 0.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: weight of the past in the average of gradients (β₁).
        sqr_mom: weight of the past in the average of squares (β₂).
        eps: added to the root of the average.
        wd: weight decay.
        beta: sharpness of the softplus on denominators; 0 for none.
        decouple_wd: decay parameters rather than gradients.

    Example:
        >>> import torch
        >>> RAdam([torch.zeros(2)], lr=0.1).hypers[0]["beta"]
        0.0
    """
    cbs: _Recipe = [_decay(decouple_wd), *_MOMENTS, radam_step]
    kernel = FusedKernel(len(cbs), whole=partial(fused_radam, decouple_wd=decouple_wd))
    return Optimizer(
        params, cbs, kernel=kernel, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, beta=beta
    )


def QHAdam(  # noqa: N802 - the name users know
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.999,
    sqr_mom: float = 0.999,
    nu_1: float = 0.7,
    nu_2: float = 1.0,
    eps: float = 1e-8,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam with each moment mixed with the gradient at hand (Ma and Yarats, 2019).

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: weight of the past in the average of gradients (β₁).
        sqr_mom: weight of the past in the average of squares (β₂).
        nu_1: share of the average in the numerator.
        nu_2: share of the average in the denominator.
        eps: added to the root.
        wd: weight decay.
        decouple_wd: decay parameters rather than gradients.

    Example:
        >>> import torch
        >>> QHAdam([torch.zeros(2)], lr=0.1).hypers[0]["nu_1"]
        0.7
    """
    cbs: _Recipe = [_decay(decouple_wd), *_MOMENTS, qhadam_step]
    return Optimizer(
        params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, nu_1=nu_1, nu_2=nu_2, eps=eps, wd=wd
    )


def Larc(  # noqa: N802 - the name users know
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.9,
    clip: bool = True,
    trust_coeff: float = 0.02,
    eps: float = 1e-8,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """SGD with a learning rate for each tensor, by the ratio of its norm to its gradient's.

    The rate scales the average of gradients; `Lars` scales gradients before they are averaged.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: momentum.
        clip: whether `lr` is the most that a tensor gets.
        trust_coeff: share of a tensor's norm that one step may move it by, at a learning rate of 1.
        eps: added to the norm of the gradient.
        wd: weight decay.
        decouple_wd: decay parameters rather than gradients.

    Example:
        >>> import torch
        >>> Larc([torch.zeros(2)], lr=0.1).hypers[0]["trust_coeff"]
        0.02
    """
    cbs: _Recipe = [
        _decay(decouple_wd),
        *([average_grad] if mom != 0 else []),
        larc_layer_lr,
        larc_step,
    ]
    return Optimizer(
        params, cbs, lr=lr, mom=mom, clip=clip, trust_coeff=trust_coeff, eps=eps, wd=wd
    )


def Lars(  # noqa: N802 - beside Larc and Lamb
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.9,
    trust_coeff: float = 0.001,
    eps: float = 1e-8,
    wd: float = 0.0,
) -> Optimizer:
    """The optimizer of "Large Batch Training of Convolutional Networks" (You et al., 2017).

    Decay is part of the gradient and of the rate, and the momentum holds gradients that were
    scaled when they came, as in algorithm 1 of the paper.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: momentum.
        trust_coeff: η of the paper.
        eps: added to the norm of the gradient.
        wd: weight decay, β of the paper.

    Example:
        >>> import torch
        >>> Lars([torch.zeros(2)], lr=0.1).hypers[0]["trust_coeff"]
        0.001
    """
    cbs: _Recipe = [
        partial(larc_layer_lr, clip=False),
        l2_reg,
        larc_scale_grad,
        average_grad,
        unit_step,
    ]
    return Optimizer(params, cbs, lr=lr, mom=mom, trust_coeff=trust_coeff, eps=eps, wd=wd)


def Lamb(  # noqa: N802 - the name users know
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.9,
    sqr_mom: float = 0.99,
    eps: float = 1e-5,
    wd: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """Adam whose step has, in each tensor, the size of the tensor (You et al., 2020).

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: weight of the past in the average of gradients (β₁).
        sqr_mom: weight of the past in the average of squares (β₂).
        eps: added to the root of the corrected average.
        wd: weight decay.
        decouple_wd: add decay to the step before its size is set, as in the paper, rather than to
            the gradient.

    Example:
        >>> import torch
        >>> Lamb([torch.zeros(2)], lr=0.1).hypers[0]["clip"]
        10.0
    """
    cbs: _Recipe = (
        [*_MOMENTS, lamb_step] if decouple_wd else [l2_reg, *_MOMENTS, partial(lamb_step, wd=0.0)]
    )
    kernel = FusedKernel(len(cbs), tile=partial(fused_lamb_tile, decouple_wd=decouple_wd))
    return Optimizer(
        params, cbs, kernel=kernel, lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, clip=10.0
    )


def Lookahead(opt: Optimizer, k: int = 6, alpha: float = 0.5) -> Optimizer:  # noqa: N802 - the name users know
    """Optimizer that runs `opt` and, every `k` steps, goes back part of the way.

    From "Lookahead Optimizer" (Zhang et al., 2019). It takes over the groups, state and
    hyper-parameters of `opt`, which should not step any more.

    Args:
        opt: the fast optimizer.
        k: steps between two moves of the slow weights.
        alpha: how far the slow weights move to the fast ones.

    Raises:
        TypeError: if `opt` is not one of our recipes.

    Example:
        >>> import torch
        >>> Lookahead(SGD([torch.zeros(2)], lr=0.1), k=3).hypers[0]["k"]
        3
    """
    if not isinstance(opt, Optimizer):
        raise TypeError(
            f"Lookahead takes an Optimizer, not {type(opt).__name__}; make it from one of the "
            "recipes, such as Lookahead(RAdam(params, lr=1e-3))"
        )
    count: _Recipe = [] if step_stat in opt.cbs else [step_stat]
    return opt.with_steps([*count, lookahead_step], k=k, alpha=alpha)


def ranger(
    params: Iterable[Any],
    lr: Any,
    mom: float = 0.95,
    wd: float = 0.01,
    eps: float = 1e-6,
    k: int = 6,
    alpha: float = 0.5,
    *,
    sqr_mom: float = 0.99,
    beta: float = 0.0,
    decouple_wd: bool = True,
) -> Optimizer:
    """RAdam with Lookahead.

    Args:
        params: parameters, or a list of groups of them.
        lr: learning rate: a number, a slice, or one for each group.
        mom: weight of the past in the average of gradients (β₁).
        wd: weight decay.
        eps: added to the root of the average.
        k: steps between two moves of the slow weights.
        alpha: how far the slow weights move to the fast ones.
        sqr_mom: as in `RAdam`.
        beta: as in `RAdam`.
        decouple_wd: as in `RAdam`.

    Example:
        >>> import torch
        >>> ranger([torch.zeros(2)], lr=0.1).hypers[0]["alpha"]
        0.5
    """
    fast = RAdam(
        params, lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd, beta=beta, decouple_wd=decouple_wd
    )
    return Lookahead(fast, k=k, alpha=alpha)
