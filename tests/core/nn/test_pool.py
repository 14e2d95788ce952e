"""Pooling by kind and number of dimensions."""

import pytest
import torch
from torch import nn

from layerwise.core.nn import (
    AdaptiveAvgPool,
    AdaptiveConcatPool1d,
    AdaptiveConcatPool2d,
    AvgPool,
    MaxPool,
    PoolFlatten,
    PoolType,
    adaptive_pool,
    layer_class,
)

SHAPES = {1: (2, 3, 8), 2: (2, 3, 8, 8), 3: (2, 3, 8, 8, 8)}


def test_concat_pool_has_maxima_before_averages():
    x = torch.rand(2, 3, 5, 6)
    expected = torch.cat([x.amax((2, 3)), x.mean((2, 3))], dim=1)
    torch.testing.assert_close(AdaptiveConcatPool2d()(x).flatten(1), expected)
    line = x[..., 0]
    torch.testing.assert_close(
        AdaptiveConcatPool1d()(line).flatten(1), torch.cat([line.amax(2), line.mean(2)], dim=1)
    )
    assert AdaptiveConcatPool2d((2, 3))(x).shape == (2, 6, 2, 3)
    assert AdaptiveConcatPool1d(4)(line).shape == (2, 6, 4)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_pools_are_those_of_torch(ndim):
    x = torch.rand(SHAPES[ndim])
    assert type(AvgPool(ndim=ndim)) is getattr(nn, f"AvgPool{ndim}d")
    assert MaxPool(2, ndim=ndim)(x).shape == (2, 3, *[4] * ndim)
    assert AvgPool(3, stride=2, padding=1, ndim=ndim)(x).shape == (2, 3, *[4] * ndim)
    assert AvgPool(3, ndim=ndim, ceil_mode=True)(x).shape == (2, 3, *[3] * ndim)
    torch.testing.assert_close(
        AdaptiveAvgPool(ndim=ndim)(x).flatten(1), x.mean(tuple(range(2, 2 + ndim)))
    )


@pytest.mark.parametrize(("pool_type", "width"), [("Avg", 3), ("Max", 3), ("Cat", 6)])
def test_pool_flatten_returns_features(pool_type, width):
    assert PoolFlatten(pool_type)(torch.rand(2, 3, 4, 4)).shape == (2, width)


def test_a_kind_of_pooling_is_named():
    assert adaptive_pool(PoolType.Cat) is AdaptiveConcatPool2d
    with pytest.raises(ValueError, match="Did you mean 'Avg'"):
        adaptive_pool("avg")


def test_torch_has_no_four_dimensions():
    with pytest.raises(ValueError, match="give 1, 2 or 3"):
        layer_class("MaxPool", 4)
