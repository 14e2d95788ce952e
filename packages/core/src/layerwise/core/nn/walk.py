"""What a module is made of: its parameters, its children, its leaves."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from layerwise.core.nn.module import Module

__all__ = [
    "ParameterModule",
    "apply_leaf",
    "children_and_parameters",
    "flatten_model",
    "has_children",
    "in_channels",
    "one_param",
    "params",
    "requires_grad",
    "trainable_params",
]


def params(m: nn.Module) -> list[nn.Parameter]:
    """All parameters of `m`."""
    return list(m.parameters())


def trainable_params(m: nn.Module) -> list[nn.Parameter]:
    """The parameters of `m` that ask for a gradient."""
    return [p for p in m.parameters() if p.requires_grad]


def one_param(m: nn.Module) -> nn.Parameter:
    """The first parameter of `m`, for its device and dtype.

    Raises:
        ValueError: if `m` has no parameter.
    """
    for p in m.parameters():
        return p
    raise ValueError(f"{type(m).__name__} has no parameters; give a module with at least one")


def layer_that_raised(m: nn.Module, error: BaseException) -> str:
    """Name and description of the innermost layer of `m` that was at work when `error` came.

    Empty where no part of `m` was.
    """
    names = {id(part): name for name, part in m.named_modules() if part is not m}
    found, trace = None, error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        found = owner if id(owner) in names else found
        trace = trace.tb_next
    if found is None:
        return ""
    told = type(found).__name__ if has_children(found) else repr(found)
    return f"{names[id(found)]}, {told}"


def requires_grad(m: nn.Module) -> bool:
    """Whether the first parameter of `m` asks for a gradient; False where there is none."""
    return next((p.requires_grad for p in m.parameters()), False)


def apply_leaf(m: nn.Module, f: Callable[[nn.Module], object]) -> None:
    """Call `f` on `m` and on every module below it, parents first.

    Example:
        >>> apply_leaf(nn.Sequential(nn.ReLU(), nn.Tanh()), lambda m: print(type(m).__name__))
        Sequential
        ReLU
        Tanh
    """
    for one in m.modules():
        f(one)


def has_children(m: nn.Module) -> bool:
    """Whether `m` is made of other modules.

    A layer whose weight is parametrized (weight or spectral norm) is still one layer: the modules
    that torch keeps inside it to compute the weight do not count.
    """
    if is_parametrized(m):
        return any(name != "parametrizations" for name, _ in m.named_children())
    return next(m.children(), None) is not None


class ParameterModule(Module):
    """A lone parameter as a module, so that it can stand in a list of layers.

    Args:
        p: the parameter, kept as `val`.
    """

    def __init__(self, p: nn.Parameter) -> None:
        self.val = p

    def forward(self, x: Tensor) -> Tensor:
        """`x`, unchanged."""
        return x


def children_and_parameters(m: nn.Module) -> list[nn.Module]:
    """The children of `m`, then a `ParameterModule` for each parameter that is in none of them."""
    children = list(m.children())
    inside = {id(p) for child in children for p in child.parameters()}
    return children + [ParameterModule(p) for p in m.parameters() if id(p) not in inside]


def flatten_model(m: nn.Module) -> list[nn.Module]:
    """The leaves of `m` in order: its layers, and its lone parameters as `ParameterModule`.

    Example:
        >>> flatten_model(nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh()))
        [ReLU(), Tanh()]
    """
    if not has_children(m):
        return [m]
    return [leaf for child in children_and_parameters(m) for leaf in flatten_model(child)]


def in_channels(m: nn.Module) -> int:
    """The number of channels that the first convolution in `m` takes.

    Raises:
        ValueError: if there is no convolution in `m`.

    Example:
        >>> in_channels(nn.Sequential(nn.ReLU(), nn.Conv2d(5, 4, 3)))
        5
    """
    for layer in flatten_model(m):
        weight = getattr(layer, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim > 2:
            # The attribute, where there is one: with groups the weight shows a fraction of it.
            return int(getattr(layer, "in_channels", weight.shape[1]))
    raise ValueError(
        f"{type(m).__name__} has no convolution whose weight would show the channels it takes"
    )
