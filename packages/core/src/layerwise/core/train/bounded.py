"""A bound on what a model may ask for while it is made of a description that a stranger wrote."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from layerwise.core.errors import ConfigError

__all__: list[str] = []

# What layers make beside their weights: masks and tables that no file holds, numbers of a start.
_SPARE_BYTES = 128 << 20
_SPARE_CALLS = 10_000
_CALLS_PER_WEIGHT = 100
_WIDEST = 8  # bytes of a number, at most


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within this context, tensors larger than the weights explain are refused.

    Counts operations too, for a network of a thousand million tiny layers.

    Args:
        weights: what the model is going to hold.

    Example:
        >>> import torch
        >>> with Bounded({"weight": torch.zeros(3)}):
        ...     small = torch.empty(100)
        >>> with Bounded({"weight": torch.zeros(3)}):
        ...     torch.empty(10**6, 10**6)
        Traceback (most recent call last):
        ...
        layerwise.core.errors.ConfigError: the model that it describes asks for a tensor of ...
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        held = sum(weight.numel() * weight.element_size() for weight in weights.values())
        self._most = 2 * held + _SPARE_BYTES
        self._calls = _SPARE_CALLS + _CALLS_PER_WEIGHT * len(weights)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at one operation, and let it pass."""
        self._calls -= 1
        if self._calls < 0:
            raise ConfigError("the model that it describes has many more layers than weights")
        for arg in args:
            if isinstance(arg, list | tuple) and all(type(n) is int for n in arg):
                self._check(prod(arg), tuple(arg))
            elif type(arg) is int and "arange" in func.__name__:
                self._check(arg, (arg,))
        return func(*args, **(kwargs or {}))

    def _check(self, count: int, shape: tuple[int, ...]) -> None:
        if count * _WIDEST > self._most:
            raise ConfigError(
                f"the model that it describes asks for a tensor of {' x '.join(map(str, shape))}, "
                "which its weights do not explain"
            )
