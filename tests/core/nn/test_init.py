"""Starting values."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.nn import (
    Mish,
    apply_init,
    cond_init,
    icnr_init,
    init_default,
    init_linear,
    trunc_normal_,
)


def test_truncated_normal_stays_within_two_widths():
    x = trunc_normal_(torch.empty(20_000), mean=1.0, std=0.5, generator=torch.Generator())
    assert x.min() >= 0
    assert x.max() <= 2
    assert x.mean().item() == pytest.approx(1.0, abs=0.02)


def test_truncated_normal_repeats_with_its_generator():
    first, second = (
        trunc_normal_(torch.empty(5), generator=torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_init_default_sets_weight_and_clears_bias():
    layer: Any = init_default(nn.Linear(3, 2), nn.init.ones_)
    assert layer.weight.tolist() == [[1.0] * 3] * 2
    assert layer.bias.tolist() == [0.0, 0.0]


def test_init_default_passes_over_what_it_cannot_set():
    prelu = nn.PReLU()
    init_default(prelu)
    assert prelu.weight.item() == 0.25
    init_default(nn.ReLU())
    layer = nn.Linear(2, 2)
    before = layer.weight.clone()
    assert torch.equal(init_default(layer, None).weight, before)


def test_cond_init_spares_norms_and_frozen_layers():
    norm, frozen = nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1).requires_grad_(False)
    before = frozen.weight.clone()
    cond_init(norm, nn.init.zeros_)
    cond_init(frozen, nn.init.zeros_)
    assert norm.weight.tolist() == [1.0, 1.0]
    assert torch.equal(frozen.weight, before)


def test_apply_init_reaches_nested_layers():
    model: Any = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    apply_init(model, nn.init.ones_)
    assert model[0].weight.eq(1).all()
    assert model[1][0].weight.eq(1).all()
    assert model[1][0].bias.eq(0).all()


def largest(layer):
    return layer.weight.abs().max().item()


@pytest.mark.parametrize("act", [nn.ReLU(), F.leaky_relu, Mish(), nn.SiLU()])
def test_rectifiers_get_he_initialisation(act):
    layer = nn.Linear(100, 200)
    init_linear(layer, act)
    assert largest(layer) == pytest.approx((6 / 100) ** 0.5, rel=0.01)  # uniform, gain sqrt(2)
    assert layer.bias.std().item() == pytest.approx(0.01, rel=0.3)


@pytest.mark.parametrize("act", [nn.Sigmoid(), nn.Tanh(), torch.tanh])
def test_squashers_get_glorot_initialisation(act):
    layer = nn.Linear(100, 200)
    init_linear(layer, act, bias_std=0)
    assert largest(layer) == pytest.approx((6 / 300) ** 0.5, rel=0.01)
    assert layer.bias.eq(0).all()


def test_an_activation_may_bring_its_own_initialisation():
    class Own(nn.Module):
        __default_init__ = staticmethod(nn.init.ones_)

    layer = nn.Linear(2, 2)
    init_linear(layer, Own())
    assert layer.weight.eq(1).all()


def test_no_activation_keeps_the_weight_of_torch_and_a_function_sets_it():
    layer = nn.Linear(3, 3)
    before = layer.weight.clone()
    init_linear(layer, None)
    init_linear(layer, nn.ReLU(), init=None)
    assert torch.equal(layer.weight, before)
    init_linear(layer, nn.ReLU(), init=nn.init.eye_)
    assert torch.equal(layer.weight, torch.eye(3))


def test_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="give 'auto'"):
        init_linear(nn.Linear(1, 1), init="kaiming")


@given(scale=st.integers(1, 4), distinct=st.integers(1, 3))
def test_icnr_makes_a_shuffle_flat(scale, distinct):
    weight = icnr_init(torch.empty(distinct * scale**2, 2, 1, 1), scale)
    out = F.pixel_shuffle(F.conv2d(torch.rand(1, 2, 3, 3), weight), scale)
    smallest = F.interpolate(out[..., ::scale, ::scale], scale_factor=scale, mode="nearest")
    torch.testing.assert_close(out, smallest)


def test_icnr_needs_a_multiple():
    with pytest.raises(ValueError, match="give a multiple of 4"):
        icnr_init(torch.empty(6, 1, 1, 1), 2)
