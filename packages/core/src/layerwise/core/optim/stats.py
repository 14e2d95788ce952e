"""Statistics: what an optimizer remembers about each parameter, and how a step renews it.

A statistic is a function that names its states, with their first values, in `@keeps`. It gets the
parameters `p` (a `TensorList` with `p.grad`), its states and any hyper-parameter by name. It may
change tensor states in place, and returns the others as a dict.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerwise.core.optim.lists import TensorList

__all__ = [
    "Norms",
    "Stat",
    "average_grad",
    "average_sqr_grad",
    "debias",
    "keeps",
    "larc_layer_lr",
    "step_stat",
]

Initial: TypeAlias = Callable[[Tensor], Tensor] | float | None
"""First value of a state: made from the parameter, a number, or None for one that is not kept."""

Norms: TypeAlias = Generator[tuple[TensorList, ...], tuple[Tensor, ...], dict[str, Any] | None]
"""A function that needs norms: it yields lists, and gets the L2 norms of their whole tensors."""


class Stat:
    """A function together with the states it keeps; made by `keeps`, called like the function.

    Args:
        function: the statistic.
        initial: first value of each of its states.

    Example:
        >>> step_stat.initial
        {'step': 0}
    """

    def __init__(self, function: Callable[..., Any], initial: Mapping[str, Initial]):
        self.function = function
        self.initial = dict(initial)
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        return self.function(*args, **kwargs)

    def __reduce__(self) -> str:
        # By name, as functions are: pickle finds the same object again in its module.
        name: str = self.__dict__["__qualname__"]
        return name


def keeps(**initial: Initial) -> Callable[[Callable[..., Any]], Stat]:
    """Decorator that names the states a function keeps.

    A tensor state starts as what a function such as `torch.zeros_like` makes of the parameter; a
    number state (a count) starts as that number, and the function returns the next one. None is
    for a value that is made anew in each step and only handed to the functions after this one.

    Example:
        >>> @keeps(sign_avg=torch.zeros_like)
        ... def average_sign(p, mom, sign_avg):
        ...     sign_avg.lerp_(p.grad.sign(), 1 - mom)
        >>> list(average_sign.initial)
        ['sign_avg']
    """
    return lambda function: Stat(function, initial)


def debias(mom: float, damp: float, step: int) -> float:
    """Factor by which an average that began at zero falls short after `step` steps.

    Args:
        mom: weight of the past.
        damp: weight of each new value; 1 - mom for a true average.
        step: number of values averaged, from 1.

    Example:
        >>> round(debias(0.9, 0.1, 2), 6)
        0.19
    """
    return damp * (1 - mom**step) / (1 - mom)


@keeps(grad_avg=torch.zeros_like)
def average_grad(p: TensorList, mom: float, grad_avg: TensorList, dampening: bool = False) -> None:
    """Renew m ← mom · m + g, or + (1 - mom) · g with `dampening`; kept as `grad_avg`.

    Without dampening it is the momentum of SGD; with it, the first moment of Adam.

    Example:
        >>> p = TensorList([torch.zeros(1)], grad=TensorList([torch.ones(1)]))
        >>> m = TensorList([torch.ones(1)])
        >>> average_grad(p, mom=0.5, grad_avg=m)
        >>> m.tensors
        [tensor([1.5000])]
    """
    grad_avg.mul_(mom).add_(p.grad, alpha=1 - mom if dampening else 1)


@keeps(sqr_avg=torch.zeros_like)
def average_sqr_grad(
    p: TensorList, sqr_mom: float, sqr_avg: TensorList, dampening: bool = True
) -> None:
    """Renew v ← sqr_mom · v + (1 - sqr_mom) · g², or + g² without `dampening`; kept as `sqr_avg`.

    Example:
        >>> p = TensorList([torch.zeros(1)], grad=TensorList([torch.full((1,), 2.0)]))
        >>> v = TensorList([torch.zeros(1)])
        >>> average_sqr_grad(p, sqr_mom=0.75, sqr_avg=v)
        >>> v.tensors
        [tensor([1.])]
    """
    grad = p.grad
    sqr_avg.mul_(sqr_mom).addcmul_(grad, grad, value=1 - sqr_mom if dampening else 1)


@keeps(step=0)
def step_stat(p: TensorList, step: int = 0) -> dict[str, int]:  # noqa: ARG001 - all take `p` first
    """The number of steps the parameters have seen, this one included, kept as `step`.

    Example:
        >>> step_stat(TensorList([]), step=2)
        {'step': 3}
    """
    return {"step": step + 1}


@keeps(local_lr=None)
def larc_layer_lr(
    p: TensorList,
    lr: float,
    trust_coeff: float,
    wd: float,
    eps: float,
    clip: bool = True,
    do_wd: bool = True,
) -> Norms:
    """A learning rate for each tensor, in proportion to its size over that of its gradient.

    lr · trust_coeff · ‖p‖ / (‖g‖ + wd · ‖p‖ + eps), from "Large Batch Training of Convolutional
    Networks" (You et al., 2017), where it is called LARS; with `clip` it is at most lr (LARC).
    A tensor or gradient that is all zeros has no such proportion and keeps lr.

    Example:
        >>> p = TensorList([torch.tensor([3.0, 4.0])], grad=TensorList([torch.tensor([2.0])]))
        >>> request = larc_layer_lr(p, lr=1.0, trust_coeff=0.1, wd=0.0, eps=0.0)
        >>> len(next(request))  # the lists whose norms are wanted
        2
    """
    p_norm, grad_norm = yield p, p.grad
    decay = wd if do_wd else 0.0
    local_lr = lr * trust_coeff * p_norm / (grad_norm + decay * p_norm + eps)
    local_lr = torch.where((p_norm > 0) & (grad_norm > 0), local_lr, lr)
    return {"local_lr": local_lr.clamp(max=lr) if clip else local_lr}
