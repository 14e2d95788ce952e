"""Modules without parameters that reshape, call functions, or join what other modules return."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.nn.module import Module
from layerwise.core.tensors import TensorBase

__all__ = [
    "Cat",
    "Debugger",
    "Flatten",
    "Identity",
    "Lambda",
    "MergeLayer",
    "PartialLambda",
    "ProdLayer",
    "ResizeBatch",
    "SequentialEx",
    "ToTensorBase",
    "View",
    "sequential",
]


class Identity(Module):
    """Returns its input."""

    def forward(self, x: Any) -> Any:
        """`x`."""
        return x


class Lambda(Module):
    """Calls a function.

    Args:
        func: takes and returns a tensor; a model can be pickled if this has a name in a module.
    """

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func

    def forward(self, x: Any) -> Any:
        """`func(x)`."""
        return self.func(x)

    def extra_repr(self) -> str:
        """The function."""
        return getattr(self.func, "__qualname__", repr(self.func))


class PartialLambda(Module):
    """Calls a function with fixed keywords.

    Args:
        func: takes a tensor and the keywords.
        kwargs: passed to `func` at each call.
    """

    def __init__(self, func: Callable[..., Any], **kwargs: Any) -> None:
        self.func, self.kwargs = func, kwargs

    def forward(self, x: Any) -> Any:
        """`func(x, **kwargs)`."""
        return self.func(x, **self.kwargs)

    def extra_repr(self) -> str:
        """The function and its keywords."""
        return f"{getattr(self.func, '__qualname__', repr(self.func))}, {self.kwargs}"


class Flatten(Module):
    """Joins all axes but the first into one.

    Args:
        full: join the first as well.
    """

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) as (B, F), or as one axis if `full`."""
        return x.flatten(0 if self.full else 1) if x.ndim > 1 or self.full else x.unsqueeze(1)


class ToTensorBase(Module):
    """Gives its input a tensor type, for a model that wants one inside.

    The training loop hands plain tensors to models, and is faster for it.

    Args:
        tensor_cls: the type.
    """

    def __init__(self, tensor_cls: type[Tensor] = TensorBase) -> None:
        self.tensor_cls = tensor_cls

    def forward(self, x: Tensor) -> Tensor:
        """`x` as a `tensor_cls`, without a copy."""
        return x.as_subclass(self.tensor_cls)


class View(Module):
    """Reshapes the whole input.

    Args:
        size: the new shape; one of its numbers may be -1.
    """

    def __init__(self, *size: int) -> None:
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """`x` with the shape `size`."""
        return x.view(self.size)

    def extra_repr(self) -> str:
        """The shape."""
        return ", ".join(map(str, self.size))


class ResizeBatch(Module):
    """Reshapes each item of a batch.

    Args:
        size: the new shape of an item; one of its numbers may be -1.
    """

    def __init__(self, *size: int) -> None:
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) as (B, *size)."""
        return x.view(x.shape[0], *self.size)

    def extra_repr(self) -> str:
        """The shape."""
        return ", ".join(map(str, self.size))


class Debugger(Module):
    """Starts the debugger each time data passes through it."""

    def forward(self, x: Any) -> Any:
        """`x`, after the debugger was left."""
        breakpoint()
        return x


def sequential(*args: Any) -> nn.Sequential:
    """An `nn.Sequential` of modules and functions; functions are wrapped in `Lambda`.

    Example:
        >>> sequential(nn.Flatten(), torch.relu)(torch.tensor([[-1.0, 2.0]]))
        tensor([[0., 2.]])
    """
    if len(args) == 1 and isinstance(args[0], OrderedDict):
        return nn.Sequential(args[0])
    return nn.Sequential(*(arg if isinstance(arg, nn.Module) else Lambda(arg) for arg in args))


class SequentialEx(Module):
    """Layers in a row, some of which also see what entered the row.

    A layer with a true attribute `takes_original` (like `MergeLayer`) is called as
    `layer(x, original)`. The input travels as an argument and not as an attribute of the tensor: so
    nothing is left on tensors, and `torch.compile` can follow.

    Args:
        layers: called in order.

    Example:
        >>> SequentialEx(Lambda(torch.neg), MergeLayer())(torch.ones(2))
        tensor([0., 0.])
    """

    def __init__(self, *layers: nn.Module) -> None:
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """What the last layer returns."""
        original = x
        for layer in self.layers:
            x = layer(x, original) if getattr(layer, "takes_original", False) else layer(x)
        return x

    def __getitem__(self, i: int) -> nn.Module:
        return self.layers[i]

    def __len__(self) -> int:
        return len(self.layers)

    def append(self, layer: nn.Module) -> None:
        """Add a layer at the end."""
        self.layers.append(layer)

    def extend(self, layers: Iterable[nn.Module]) -> None:
        """Add layers at the end."""
        self.layers.extend(layers)

    def insert(self, i: int, layer: nn.Module) -> None:
        """Add a layer before the one at `i`."""
        self.layers.insert(i, layer)


class MergeLayer(Module):
    """Adds the input of a `SequentialEx` to what has become of it.

    Args:
        dense: join along the channels instead of adding.
    """

    takes_original = True

    def __init__(self, dense: bool = False) -> None:
        self.dense = dense

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """Sum, or (B, C + C', ...) if `dense`."""
        return torch.cat([x, original], dim=1) if self.dense else x + original


class ProdLayer(Module):
    """Multiplies the input of a `SequentialEx` with what has become of it."""

    takes_original = True

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """The product."""
        return x * original


class Cat(nn.ModuleList):
    """Feeds one input to several layers and joins what they return.

    Args:
        layers: called with the same input.
        dim: the axis along which their outputs are joined.
    """

    def __init__(self, layers: Iterable[nn.Module], dim: int = 1) -> None:
        super().__init__(layers)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """The outputs, joined along `dim`."""
        return torch.cat([layer(x) for layer in self], dim=self.dim)
