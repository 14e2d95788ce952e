"""Pooling layers by kind and number of dimensions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from layerwise.core.errors import nearest
from layerwise.core.nn.by_ndim import layer_class
from layerwise.core.nn.module import Module
from layerwise.core.nn.plumbing import Flatten
from layerwise.core.settings import RemembersCall

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveConcatPool1d",
    "AdaptiveConcatPool2d",
    "AvgPool",
    "MaxPool",
    "PoolFlatten",
    "PoolType",
    "adaptive_pool",
]


class AdaptiveConcatPool1d(Module):
    """Adaptive maximum and average side by side, so twice the channels.

    Args:
        size: length of the output; 1 if None.
    """

    def __init__(self, size: int | None = None) -> None:
        self.ap = nn.AdaptiveAvgPool1d(size or 1)
        self.mp = nn.AdaptiveMaxPool1d(size or 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, L) as (B, 2C, size), maxima first."""
        return torch.cat([self.mp(x), self.ap(x)], dim=1)


class AdaptiveConcatPool2d(Module):
    """Adaptive maximum and average side by side, so twice the channels.

    Args:
        size: height and width of the output; 1 if None.

    Example:
        >>> AdaptiveConcatPool2d()(torch.rand(2, 3, 5, 5)).shape
        torch.Size([2, 6, 1, 1])
    """

    def __init__(self, size: int | tuple[int, int] | None = None) -> None:
        self.ap = nn.AdaptiveAvgPool2d(size or 1)
        self.mp = nn.AdaptiveMaxPool2d(size or 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) as (B, 2C, *size), maxima first."""
        return torch.cat([self.mp(x), self.ap(x)], dim=1)


class PoolType:
    """Names of the kinds of adaptive pooling."""

    Avg = "Avg"
    Max = "Max"
    Cat = "Cat"


def adaptive_pool(pool_type: str) -> Callable[[int], nn.Module]:
    """The class of adaptive 2d pooling that `pool_type` names.

    Raises:
        ValueError: if it is none of `PoolType`.

    Example:
        >>> adaptive_pool(PoolType.Max)(1)
        AdaptiveMaxPool2d(output_size=1)
    """
    kinds: dict[str, Callable[[int], nn.Module]] = {
        PoolType.Avg: nn.AdaptiveAvgPool2d,
        PoolType.Max: nn.AdaptiveMaxPool2d,
        PoolType.Cat: AdaptiveConcatPool2d,
    }
    if pool_type not in kinds:
        raise ValueError(
            f"pool_type={pool_type!r}; give one of {', '.join(kinds)}."
            f"{nearest(str(pool_type), kinds)}"
        )
    return kinds[pool_type]


class PoolFlatten(RemembersCall, nn.Sequential):
    """Adaptive 2d pooling to one pixel, then `Flatten`: (B, C, H, W) as (B, C).

    Args:
        pool_type: one of `PoolType`; `Cat` gives 2C.
    """

    def __init__(self, pool_type: str = PoolType.Avg) -> None:
        super().__init__(adaptive_pool(pool_type)(1), Flatten())


def AdaptiveAvgPool(sz: int = 1, ndim: int = 2) -> nn.Module:  # noqa: N802 - the name users know
    """Adaptive average pooling to `sz`, for `ndim` dimensions in space."""
    return layer_class("AdaptiveAvgPool", ndim)(sz)


def MaxPool(  # noqa: N802 - the name users know
    ks: int = 2,
    stride: int | None = None,
    padding: int = 0,
    ndim: int = 2,
    ceil_mode: bool = False,
) -> nn.Module:
    """Max pooling with a window of `ks` in `ndim` dimensions; `stride` is `ks` if None."""
    return layer_class("MaxPool", ndim)(ks, stride=stride, padding=padding, ceil_mode=ceil_mode)


def AvgPool(  # noqa: N802 - the name users know
    ks: int = 2,
    stride: int | None = None,
    padding: int = 0,
    ndim: int = 2,
    ceil_mode: bool = False,
) -> nn.Module:
    """Average pooling with a window of `ks` in `ndim` dimensions; `stride` is `ks` if None."""
    return layer_class("AvgPool", ndim)(ks, stride=stride, padding=padding, ceil_mode=ceil_mode)
