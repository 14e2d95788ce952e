"""The convolutional block."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.nn import ConvLayer, NormType, PixelShuffle_ICNR, SimpleCNN

SPACE = {1: (9,), 2: (9, 8), 3: (5, 6, 7)}


@settings(max_examples=40, deadline=None)
@given(
    ndim=st.integers(1, 3),
    ks=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    norm_type=st.sampled_from([None, *NormType]),
)
def test_an_odd_window_keeps_or_halves_the_size(ndim, ks, stride, dilation, norm_type):
    layer = ConvLayer(3, 4, ks, stride, ndim=ndim, norm_type=norm_type, dilation=dilation)
    out = layer(torch.rand(2, 3, *SPACE[ndim]))
    assert out.shape == (2, 4, *[-(-side // stride) for side in SPACE[ndim]])
    out.sum().backward()


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]),
        ({"bn_1st": False}, [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]),
        ({"act_cls": None}, [nn.Conv2d, nn.BatchNorm2d]),
        ({"norm_type": None}, [nn.Conv2d, nn.ReLU]),
        ({"norm_type": NormType.Instance}, [nn.Conv2d, nn.InstanceNorm2d, nn.ReLU]),
        ({"norm_type": NormType.Weight, "act_cls": nn.Tanh}, [nn.Conv2d, nn.Tanh]),
        ({"xtra": nn.Dropout()}, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout]),
        ({"transpose": True}, [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU]),
    ],
)
def test_layers_come_in_the_known_order(given, kinds):
    layers = list(ConvLayer(2, 3, **given))
    assert len(layers) == len(kinds)
    assert all(isinstance(layer, kind) for layer, kind in zip(layers, kinds, strict=True))


def test_a_bias_is_there_unless_the_normalisation_has_one():
    assert ConvLayer(2, 3)[0].bias is None
    assert ConvLayer(2, 3, norm_type=NormType.InstanceZero)[0].bias is None
    assert ConvLayer(2, 3, norm_type=NormType.Spectral)[0].bias is not None
    assert ConvLayer(2, 3, norm_type=None, bias=False)[0].bias is None
    assert ConvLayer(2, 3, bias=True)[0].bias is not None


def test_the_output_is_that_of_torch_functions():
    layer, x = ConvLayer(3, 4, 3, stride=2), torch.rand(5, 3, 8, 8)
    conv, norm, _ = layer
    expected = F.conv2d(x, conv.weight, stride=2, padding=1)
    expected = F.batch_norm(expected, None, None, norm.weight, norm.bias, training=True).relu()
    torch.testing.assert_close(layer(x), expected)


def test_the_weight_suits_the_activation():
    relu: Any = ConvLayer(50, 100, 3, norm_type=None)[0]
    assert relu.weight.abs().max().item() == pytest.approx((6 / (50 * 9)) ** 0.5, rel=0.02)
    ones: Any = ConvLayer(2, 3, norm_type=None, init=nn.init.ones_, bias_std=0)[0]
    assert ones.weight.eq(1).all()
    assert ones.bias.eq(0).all()


def test_weight_norm_splits_length_from_direction():
    conv: Any = ConvLayer(3, 4, norm_type=NormType.Weight)[0]
    length = conv.parametrizations.weight.original0
    torch.testing.assert_close(conv.weight.flatten(1).norm(dim=1), length.flatten())


def test_spectral_norm_bounds_the_largest_singular_value():
    layer = ConvLayer(6, 5, 1, norm_type=NormType.Spectral, act_cls=None)
    for _ in range(30):  # each forward pass is one step of the power iteration
        layer(torch.rand(1, 6, 2, 2))
    conv: Any = layer.eval()[0]
    largest = torch.linalg.svdvals(conv.weight.flatten(1))[0]
    assert largest.item() == pytest.approx(1.0, rel=1e-2)


def test_a_transposed_layer_undoes_the_shape_of_a_stride():
    layer = ConvLayer(2, 3, 3, 2, padding=1, transpose=True, output_padding=1)
    assert layer(torch.rand(1, 2, 4, 4)).shape == (1, 3, 8, 8)
    assert ConvLayer(2, 3, 2, 2, transpose=True)(torch.rand(1, 2, 4, 4)).shape == (1, 3, 8, 8)


def test_windows_may_differ_by_side():
    assert ConvLayer(1, 2, (3, 5), (1, 2))(torch.rand(1, 1, 6, 6)).shape == (1, 2, 6, 3)


def test_options_reach_torch_and_misspelt_ones_are_refused():
    conv: Any = ConvLayer(4, 4, groups=2, padding_mode="reflect")[0]
    assert (conv.groups, conv.padding_mode) == (2, "reflect")
    with pytest.raises(TypeError, match=r"unknown keyword 'strde'\. Did you mean 'stride'"):
        ConvLayer(3, 4, strde=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="output_padding"):
        ConvLayer(3, 4, output_padding=1)
    with pytest.raises(ValueError, match="give 1, 2 or 3"):
        ConvLayer(3, 4, ndim=0)


@pytest.mark.parametrize("norm_type", [NormType.Weight, NormType.Spectral, NormType.Batch, None])
@pytest.mark.parametrize("scale", [2, 3])
def test_pixel_shuffle_starts_without_a_checkerboard(norm_type, scale):
    layer = PixelShuffle_ICNR(4, 2, scale=scale, norm_type=norm_type, act_cls=None)
    out = layer(torch.rand(2, 4, 3, 3))
    assert out.shape == (2, 2, 3 * scale, 3 * scale)
    patches = out.unfold(2, scale, scale).unfold(3, scale, scale).flatten(4)
    torch.testing.assert_close(patches, patches[..., :1].expand_as(patches))


def test_pixel_shuffle_blurs_and_keeps_channels_by_default():
    layer = PixelShuffle_ICNR(3, blur=True)
    assert layer(torch.rand(1, 3, 4, 4)).shape == (1, 3, 8, 8)
    assert isinstance(layer[-1], nn.AvgPool2d)


def test_simple_cnn_has_no_norm_in_its_last_layer():
    model = SimpleCNN([3, 8, 5], kernel_szs=[5, 3], strides=[1, 2])
    assert model(torch.rand(2, 3, 9, 9)).shape == (2, 5)
    assert isinstance(model[0][1], nn.BatchNorm2d)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model[1])
    assert model[0][0].kernel_size == (5, 5)
    plain = SimpleCNN([1, 2, 3], bn=False)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in plain.modules())


def test_simple_cnn_needs_lists_that_fit():
    with pytest.raises(ValueError, match="3 filters, 1 kernel_szs and 2 strides"):
        SimpleCNN([1, 2, 3], kernel_szs=[3])
    with pytest.raises(ValueError, match="at least two filters"):
        SimpleCNN([1])
