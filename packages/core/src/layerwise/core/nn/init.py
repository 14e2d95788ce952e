"""Starting values of parameters, drawn from torch's global generator as torch's layers do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.nn.activations import Mish, Swish, mish, sigmoid, sigmoid_, swish
from layerwise.core.nn.norm import norm_types
from layerwise.core.nn.walk import apply_leaf, requires_grad

__all__ = [
    "apply_init",
    "cond_init",
    "icnr_init",
    "init_default",
    "init_linear",
    "trunc_normal_",
]

Initialiser = Callable[[Tensor], object]

_RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.Mish, nn.GELU, Swish, Mish)
_RECTIFIER_FUNCTIONS = (
    F.relu,
    F.relu_,
    F.relu6,
    F.leaky_relu,
    F.leaky_relu_,
    F.silu,
    F.mish,
    F.gelu,
    swish,
    mish,
)
_SQUASHERS = (nn.Sigmoid, nn.Tanh)
_SQUASHER_FUNCTIONS = (torch.sigmoid, torch.tanh, F.sigmoid, F.tanh, sigmoid, sigmoid_)


def trunc_normal_(
    x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: torch.Generator | None = None
) -> Tensor:
    """`x` filled in place from a normal distribution wrapped into two standard deviations.

    A value beyond the bounds is taken modulo two, which is close to drawing it again and much
    cheaper.

    Args:
        x: tensor of any shape.
        mean: centre of the distribution.
        std: its width before wrapping.
        generator: where the numbers come from; torch's global one if None.
    """
    with torch.no_grad():
        return x.normal_(generator=generator).fmod_(2).mul_(std).add_(mean)


def init_default(m: nn.Module, func: Initialiser | None = nn.init.kaiming_normal_) -> nn.Module:
    """`m`, its weight set by `func` and its bias set to zero.

    Args:
        m: any module; what it lacks is passed over, and so is a weight with less than two
            dimensions, for which initialisers by fan-in are not defined.
        func: sets a tensor in place; None leaves `m` as it is.
    """
    if func is None:
        return m
    weight, bias = getattr(m, "weight", None), getattr(m, "bias", None)
    with torch.no_grad():
        if isinstance(weight, Tensor) and weight.ndim > 1:
            func(weight)
        if isinstance(bias, Tensor):
            bias.zero_()
    return m


def cond_init(m: nn.Module, func: Initialiser) -> None:
    """Initialise `m` by `init_default` unless it is a normalisation layer or frozen."""
    if not isinstance(m, norm_types) and requires_grad(m):
        init_default(m, func)


def apply_init(m: nn.Module, func: Initialiser = nn.init.kaiming_normal_) -> None:
    """Initialise all layers of `m` with `func` except normalisation and frozen ones.

    Example:
        >>> layers = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        >>> apply_init(layers, nn.init.ones_)
        >>> layers[0].weight.tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    apply_leaf(m, partial(cond_init, func=func))


def init_linear(
    m: nn.Module,
    act_func: object = None,
    init: Literal["auto"] | Initialiser | None = "auto",
    bias_std: float = 0.01,
) -> None:
    """Initialise a linear or convolutional layer for the activation behind it.

    Args:
        m: a layer with a `weight`, and a `bias` or None.
        act_func: the activation that follows, a module or a function.
        init: sets the weight in place; "auto" takes what suits the activation (its attribute
            `__default_init__` if it has one, He's for rectifiers, Glorot's for sigmoid and tanh,
            torch's own for others), None leaves torch's.
        bias_std: width of the normal distribution of biases; 0 makes them zero.

    Raises:
        ValueError: if `init` is a word other than "auto".
    """
    if isinstance(init, str) and init != "auto":
        raise ValueError(
            f"init={init!r}; give 'auto', a function that sets a tensor in place, or None"
        )
    chosen = _init_for(act_func) if isinstance(init, str) else init
    weight, bias = getattr(m, "weight", None), getattr(m, "bias", None)
    with torch.no_grad():
        if isinstance(bias, Tensor):
            bias.normal_(0, bias_std) if bias_std else bias.zero_()
        if chosen is not None and isinstance(weight, Tensor):
            chosen(weight)


def _init_for(act_func: object) -> Initialiser | None:
    if hasattr(act_func, "__default_init__"):
        own: Initialiser = act_func.__default_init__
        return own
    if isinstance(act_func, _RECTIFIERS) or act_func in _RECTIFIER_FUNCTIONS:
        return nn.init.kaiming_uniform_
    if isinstance(act_func, _SQUASHERS) or act_func in _SQUASHER_FUNCTIONS:
        return nn.init.xavier_uniform_
    return None


def icnr_init(x: Tensor, scale: int = 2, init: Initialiser = nn.init.kaiming_normal_) -> Tensor:
    """(F, C, ...) weight for a convolution before a pixel shuffle, without checkerboards.

    The `scale ** 2` filters that a shuffle turns into one patch get the same values, so the patch
    starts out flat (Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017).

    Args:
        x: (F, C, ...) a tensor with the wanted shape; it is not changed.
        scale: factor of the shuffle; F is a multiple of its square.
        init: sets a tensor in place.

    Raises:
        ValueError: if F is not a multiple of `scale ** 2`.
    """
    filters, copies = x.shape[0], scale**2
    if filters % copies:
        raise ValueError(
            f"{filters} filters cannot be shuffled by a scale of {scale}; "
            f"give a multiple of {copies}"
        )
    distinct = x.new_zeros(filters // copies, *x.shape[1:])
    init(distinct)
    return distinct.repeat_interleave(copies, dim=0)
