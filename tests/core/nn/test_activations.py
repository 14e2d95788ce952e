"""Activations against their formulas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.nn import (
    Mish,
    MishJit,
    MishJitAutoFn,
    SigmoidRange,
    Swish,
    SwishJit,
    inplace_relu,
    mish,
    sigmoid,
    sigmoid_,
    sigmoid_range,
    swish,
    vleaky_relu,
)

X = torch.linspace(-6, 6, 25, dtype=torch.double)


@pytest.mark.parametrize("act", [swish, Swish(), SwishJit()])
def test_swish_is_x_times_sigmoid(act):
    torch.testing.assert_close(act(X), X / (1 + (-X).exp()))


@pytest.mark.parametrize("act", [mish, Mish(), MishJit(), MishJitAutoFn.apply])
def test_mish_is_x_times_tanh_of_softplus(act):
    torch.testing.assert_close(act(X), X * torch.tanh(torch.log(1 + X.exp())))


def test_mish_has_the_gradient_of_its_formula():
    assert torch.autograd.gradcheck(MishJitAutoFn.apply, (X.clone().requires_grad_(),))


@pytest.mark.parametrize("act", [swish, mish])
def test_in_place_overwrites_the_input(act):
    x = X.clone()
    assert act(x, inplace=True) is x
    torch.testing.assert_close(x, act(X))


def test_sigmoid_keeps_off_zero_and_one():
    x = torch.tensor([-200.0, 0.0, 200.0])
    torch.testing.assert_close(sigmoid(x), torch.tensor([1e-7, 0.5, 1 - 1e-7]))
    assert sigmoid(x).log().isfinite().all()
    assert sigmoid_(x) is x
    torch.testing.assert_close(x, torch.tensor([1e-7, 0.5, 1 - 1e-7]))


@given(st.floats(-10, 10), st.floats(-5, 5), st.floats(0.1, 5))
def test_sigmoid_range_stays_inside(value, low, width):
    x = torch.tensor([value], dtype=torch.double)
    out = sigmoid_range(x, low, low + width)
    assert low <= out.item() <= low + width
    torch.testing.assert_close(SigmoidRange(low, low + width)(x), out)
    torch.testing.assert_close(out, low + width / (1 + (-x).exp()))


@pytest.mark.parametrize("ends", [(1, -1), (2, 2), (0, float("nan"))])
def test_a_range_without_room_is_refused(ends):
    with pytest.raises(ValueError, match="smallest value first"):
        SigmoidRange(*ends)


def test_very_leaky_relu_has_slope_three_tenths():
    torch.testing.assert_close(vleaky_relu(torch.tensor([-1.0, 2.0])), torch.tensor([-0.3, 2.0]))


def test_inplace_relu_is_a_relu():
    assert isinstance(inplace_relu(), nn.ReLU)
    assert inplace_relu().inplace
