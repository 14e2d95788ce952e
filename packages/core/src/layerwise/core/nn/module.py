"""Modules with little ceremony: no `super().__init__()`, or made of a function alone."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn

from layerwise.core.errors import refuse_unknown
from layerwise.core.settings import RemembersCall

__all__ = ["Module", "get_model", "module"]


class Module(RemembersCall, nn.Module):
    """An `nn.Module` that is ready before `__init__`: no `super().__init__()` is needed.

    A later `super().__init__()` does no harm: what was registered before it stays.

    Example:
        >>> class Double(Module):
        ...     def __init__(self, n: int) -> None:
        ...         self.layer = nn.Linear(n, 2 * n)
        >>> len(list(Double(3).parameters()))
        2
    """

    # In `__new__` rather than in a metaclass: pickle and deepcopy pass through it as well, and a
    # subclass stays free to have a metaclass of its own.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - as of any class
        self = super().__new__(cls, *args, **kwargs)
        nn.Module.__init__(self)
        return self

    def __init__(self) -> None:
        pass


def module(*fields: str, **defaults: Any) -> Callable[[Callable[..., Any]], type[Any]]:
    """A decorator that makes a `Module` class of a forward function `f(self, *inputs)`.

    Args:
        fields: names of settings that must be given; they are kept as attributes.
        defaults: settings that may be given, with their defaults.

    Raises:
        TypeError: when the class is called with a setting missing, too many, or misspelt.

    Example:
        >>> @module("factor", shift=0)
        ... def Scale(self, x): return x * self.factor + self.shift
        >>> Scale(3, shift=1)(2)
        7
    """
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in fields
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
        for name, value in defaults.items()
    ]
    signature = inspect.Signature(parameters)

    # `type[Any]`, since a type checker cannot know the settings of a class made here.
    def decorate(forward: Callable[..., Any]) -> type[Any]:
        def initialise(self: Module, *args: Any, **kwargs: Any) -> None:
            refuse_unknown(
                forward.__name__, kwargs.keys() - signature.parameters, signature.parameters
            )
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                setattr(self, name, value)

        body = {
            "__doc__": forward.__doc__ or f"Module that calls `{forward.__name__}`.",
            "__init__": initialise,
            "__module__": forward.__module__,
            "__qualname__": forward.__qualname__,
            "__signature__": signature,
            "forward": forward,
        }
        return type(forward.__name__, (Module,), body)

    return decorate


def get_model(model: nn.Module) -> nn.Module:
    """The model inside the wrappers that torch's data parallelism puts around it.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> get_model(nn.DataParallel(layer)) is layer
        True
    """
    while isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        model = model.module
    return model


def with_versions(weights: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    """`weights` with the versions of its layers that `model` would save, where they tell none.

    torch keeps them beside the names, and files of plain tensors have no place for them; without,
    some layers take their weights for those of an older layout, or refuse them (MNASNet of
    torchvision).

    Example:
        >>> norm = nn.BatchNorm1d(2)
        >>> plain = dict(norm.state_dict())
        >>> with_versions(plain, norm)._metadata == norm.state_dict()._metadata
        True
    """
    if hasattr(weights, "_metadata"):
        return weights
    told = OrderedDict(weights)
    told._metadata = model.state_dict()._metadata  # type: ignore[attr-defined]  # as torch does
    return told
