"""`auto_batch`: a function that is written for batches and takes single items too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from torch import Tensor

from layerwise.core.tensors import TensorBase, dress

__all__ = ["auto_batch"]

P = ParamSpec("P")
T = TypeVar("T", bound=Tensor)


def auto_batch(
    item_dims: int,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Callable[Concatenate[T, P], T]]:
    """A decorator for functions of a batch: of an item they make a batch of one, and an item again.

    What comes back has the type and the metadata of what went in.

    Args:
        item_dims: axes of an item: 2 for signals (C, N), 3 for spectrograms (C, F, T).

    Raises:
        ValueError: when called, for tensors with neither so many axes nor one more.

    Example:
        >>> import torch
        >>> @auto_batch(2)
        ... def first_half(x: torch.Tensor) -> torch.Tensor:
        ...     return x[:, :, : x.shape[-1] // 2]
        >>> first_half(torch.zeros(1, 8)).shape, first_half(torch.zeros(5, 1, 8)).shape
        (torch.Size([1, 4]), torch.Size([5, 1, 4]))
    """

    def decorate(
        function: Callable[Concatenate[Any, P], Any],
    ) -> Callable[Concatenate[T, P], T]:
        @wraps(function)
        def batched(x: T, *args: P.args, **kwargs: P.kwargs) -> T:
            if x.ndim not in (item_dims, item_dims + 1):
                raise ValueError(
                    f"{function.__name__} got a tensor of shape {tuple(x.shape)}; an item has "
                    f"{item_dims} axes, a batch of them {item_dims + 1}"
                )
            plain = x.as_plain() if isinstance(x, TensorBase) else x
            made: Any = function(plain if x.ndim > item_dims else plain[None], *args, **kwargs)
            made = made if x.ndim > item_dims else made[0]
            return dress(made, x) if isinstance(x, TensorBase) else made

        return cast("Callable[Concatenate[T, P], T]", batched)  # `wraps` has names for arguments

    return decorate
