"""Activations as functions and as modules."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.nn.module import Module

__all__ = [
    "Mish",
    "MishJit",
    "MishJitAutoFn",
    "SigmoidRange",
    "Swish",
    "SwishJit",
    "inplace_relu",
    "mish",
    "sigmoid",
    "sigmoid_",
    "sigmoid_range",
    "swish",
    "vleaky_relu",
]


def sigmoid(x: Tensor, eps: float = 1e-7) -> Tensor:
    """The logistic function of `x`, kept `eps` away from 0 and 1, where logarithms end."""
    return torch.sigmoid(x).clamp(eps, 1 - eps)


def sigmoid_(x: Tensor, eps: float = 1e-7) -> Tensor:
    """`x` itself, changed in place to what `sigmoid` returns."""
    return x.sigmoid_().clamp_(eps, 1 - eps)


def sigmoid_range(x: Tensor, low: float, high: float) -> Tensor:
    """`x` squashed into the range from `low` to `high`, same shape.

    Example:
        >>> sigmoid_range(torch.tensor([0.0]), 1, 5)
        tensor([3.])
    """
    return torch.sigmoid(x) * (high - low) + low


class SigmoidRange(Module):
    """`sigmoid_range` as a module.

    Args:
        low: smallest value.
        high: largest value.

    Raises:
        ValueError: if `low` is not below `high`.
    """

    def __init__(self, low: float, high: float) -> None:
        if not low < high:
            raise ValueError(f"a range from {low} to {high}; give the smallest value first")
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        """`x` squashed into the range, same shape."""
        return sigmoid_range(x, self.low, self.high)

    def extra_repr(self) -> str:
        """The range."""
        return f"low={self.low}, high={self.high}"


def vleaky_relu(x: Tensor, inplace: bool = True) -> Tensor:
    """A very leaky ReLU: slope 0.3 below zero."""
    return F.leaky_relu(x, 0.3, inplace=inplace)


def swish(x: Tensor, inplace: bool = False) -> Tensor:
    """`x * sigmoid(x)` (Ramachandran et al., "Searching for Activation Functions", 2017)."""
    return F.silu(x, inplace=inplace)


def mish(x: Tensor, inplace: bool = False) -> Tensor:
    """`x * tanh(softplus(x))` (Misra, "Mish: A Self Regularized Activation Function", 2019)."""
    return F.mish(x, inplace=inplace)


class Swish(Module):
    """`swish` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """`swish(x)`, same shape."""
        return F.silu(x)


class Mish(Module):
    """`mish` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """`mish(x)`, same shape."""
        return F.mish(x)


# Once scripted versions of their own. Torch's kernels save only the input for the backward pass,
# which is all that those were for.
SwishJit = Swish
MishJit = Mish


class MishJitAutoFn(torch.autograd.Function):
    """Mish as an autograd function, for code that calls `MishJitAutoFn.apply(x)`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """`mish(x)`; only `x` is kept for the backward pass."""
        ctx.save_for_backward(x)
        return F.mish(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """The gradient with respect to `x`, same shape."""
        (x,) = ctx.saved_tensors
        slope, gate = torch.sigmoid(x), torch.tanh(F.softplus(x))
        grad: Tensor = grads[0] * (gate + x * slope * (1 - gate * gate))
        return grad


def inplace_relu() -> nn.ReLU:
    """A ReLU that overwrites its input."""
    return nn.ReLU(inplace=True)
