"""Normalisation layers by kind and number of dimensions."""

from typing import Any

import pytest
import torch
from torch import nn

from layerwise.core.nn import (
    BatchNorm,
    BatchNorm1dFlat,
    InstanceNorm,
    NormType,
    RunningBatchNorm,
    norm_bias_params,
    norm_types,
)

SIZES = {1: (7,), 2: (5, 6), 3: (3, 4, 5)}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(
    ("make", "kind", "zero"),
    [
        (BatchNorm, "BatchNorm", NormType.BatchZero),
        (InstanceNorm, "InstanceNorm", NormType.InstanceZero),
    ],
)
def test_the_layer_is_that_of_torch_with_its_start(make, kind, zero, ndim):
    layer, still = make(4, ndim), make(4, ndim, norm_type=zero)
    assert type(layer) is getattr(nn, f"{kind}{ndim}d")
    assert layer.weight.tolist() == [1.0] * 4
    torch.testing.assert_close(layer.bias.data, torch.full((4,), 1e-3))
    assert still.weight.tolist() == [0.0] * 4
    x = torch.rand(2, 4, *SIZES[ndim])
    torch.testing.assert_close(still(x), torch.full_like(x, 1e-3))


def test_settings_reach_torch_and_unknown_ones_do_not():
    layer: Any = BatchNorm(3, momentum=0.3, eps=1e-3, affine=False)
    assert (layer.momentum, layer.eps, layer.weight) == (0.3, 1e-3, None)
    assert InstanceNorm(3, affine=False).weight is None
    with pytest.raises(TypeError, match="momentm"):
        BatchNorm(3, momentm=0.3)  # type: ignore[call-arg]


def test_torch_defaults_are_kept():
    layer: Any = BatchNorm(3)
    assert (layer.momentum, layer.eps) == (0.1, 1e-5)


def test_a_wrong_kind_or_dimension_is_explained():
    with pytest.raises(ValueError, match=r"NormType\.Weight; it takes NormType\.Batch or"):
        BatchNorm(3, norm_type=NormType.Weight)
    with pytest.raises(ValueError, match="give 1, 2 or 3"):
        InstanceNorm(3, ndim=4)


@pytest.mark.parametrize("shape", [(6, 3), (2, 5, 3), (2, 2, 4, 3)])
def test_flat_batch_norm_works_over_the_last_axis(shape):
    x, layer = torch.randn(shape), BatchNorm1dFlat(3)
    out = layer(x)
    assert out.shape == x.shape
    flat = x.reshape(-1, 3)
    expected = (flat - flat.mean(0)) / (flat.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(out.reshape(-1, 3), expected)


def test_weight_decay_is_spared_for_norms_and_biases():
    linear, running, layer_norm = nn.Linear(2, 3), RunningBatchNorm(3), nn.LayerNorm(3)
    model = nn.Sequential(linear, nn.Sequential(running, layer_norm))
    spared = {id(p) for p in norm_bias_params(model)}
    assert spared == {id(p) for p in (linear.bias, *running.parameters(), *layer_norm.parameters())}
    assert id(linear.bias) not in {id(p) for p in norm_bias_params(model, with_bias=False)}


def test_torchs_normalisation_layers_are_known():
    layers = [nn.BatchNorm2d(2), nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.InstanceNorm1d(2)]
    assert all(isinstance(layer, norm_types) for layer in layers)
    assert not isinstance(nn.Linear(1, 1), norm_types)
