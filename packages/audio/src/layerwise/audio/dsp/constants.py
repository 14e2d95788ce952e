"""Windows, filters and other tables that are computed once and kept, for each device and type."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

__all__: list[str] = []

# A few pipelines' worth; each is a megabyte or two at most.
_KEPT = 32


class _Remembered(Protocol):
    """A table by its settings, where another tensor lies and of its kind of numbers."""

    def __call__(self, *settings: Hashable, like: Tensor) -> Tensor: ...


def remembered(make: Callable[..., Tensor]) -> _Remembered:
    """`make`, whose tensor is kept for each set of arguments, device and type of numbers.

    Nobody may write into what comes back.

    Args:
        make: computes the table on the CPU in doubles, from settings that are hashable.

    Example:
        >>> ramp = remembered(lambda size: torch.arange(size, dtype=torch.float64))
        >>> ramp(3, like=torch.zeros(1)) is ramp(3, like=torch.ones(5))
        True
    """

    @lru_cache(maxsize=_KEPT)
    def made(settings: tuple[Hashable, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
        # A tensor of inference mode could not be used in training later.
        with torch.inference_mode(False), torch.device("cpu"):
            return make(*settings).to(device, dtype)

    def find(*settings: Hashable, like: Tensor) -> Tensor:
        dtype = like.dtype.to_real() if like.dtype.is_complex else like.dtype
        return made(settings, like.device, dtype)

    return find
