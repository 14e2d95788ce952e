"""Residual blocks."""

import pytest
import torch
from torch import nn

from layerwise.core.nn import (
    AvgPool,
    ConvLayer,
    MaxPool,
    NormType,
    ResBlock,
    SEBlock,
    SEModule,
    SeparableBlock,
    SEResNeXtBlock,
    SimpleSelfAttention,
    Swish,
)

SPACE = {1: (9,), 2: (9, 6), 3: (5, 4, 6)}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("expansion", [1, 4])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("norm_type", [NormType.Batch, NormType.Instance, NormType.Weight, None])
def test_the_output_has_the_expected_shape(expansion, stride, ndim, norm_type):
    block = ResBlock(
        expansion, 4, 8, stride, ndim=ndim, norm_type=norm_type, reduction=2, sa=True, sym=True
    )
    out = block(torch.rand(2, 4 * expansion, *SPACE[ndim]))
    assert out.shape == (2, 8 * expansion, *[-(-side // stride) for side in SPACE[ndim]])
    out.sum().backward()


@pytest.mark.parametrize(
    "block",
    [
        SEBlock(4, 4, 8, stride=2),
        SEResNeXtBlock(4, 4, 8, groups=4, base_width=64, stride=2),
        SeparableBlock(4, 4, 8, stride=2),
        ResBlock(1, 16, 32, 2, dw=True),
        ResBlock(1, 16, 32, 2, groups=4, g2=2, dilation=2),
        ResBlock(4, 4, 8, 2, act_cls=Swish, pool=MaxPool, pool_first=False, ks=5),
    ],
)
def test_variants_have_the_expected_shape(block):
    out = block(torch.rand(2, 16, 8, 8))
    assert out.shape == (2, 32, 4, 4)
    out.mean().backward()


def test_a_block_starts_as_its_shortcut():
    block, x = ResBlock(1, 4, 4), torch.randn(2, 4, 5, 5)
    # The last normalisation has weight 0 and bias 0.001.
    torch.testing.assert_close(block(x), (x + 1e-3).relu())


def test_the_output_is_path_plus_shortcut():
    block, x = ResBlock(1, 4, 6, 2).eval(), torch.randn(2, 4, 8, 8)
    nn.init.ones_(block.convpath[-1][1].weight)
    expected = (block.convpath(x) + block.idpath(x)).relu()
    torch.testing.assert_close(block(x), expected)


def test_the_shortcut_pools_first_and_is_empty_where_it_may_be():
    kinds = [type(layer) for layer in ResBlock(1, 4, 8, 2).idpath]
    assert kinds == [nn.AvgPool2d, ConvLayer]
    assert [type(layer) for layer in ResBlock(1, 4, 8, 2, pool_first=False).idpath] == kinds[::-1]
    assert len(ResBlock(1, 4, 4).idpath) == 0
    assert ResBlock(1, 4, 4, 2, pool=AvgPool).idpath[0].ceil_mode


def test_the_shortcut_is_normalised_like_the_path():
    kinds = {type(m) for m in ResBlock(1, 4, 8, norm_type=NormType.Instance).modules()}
    assert nn.InstanceNorm2d in kinds
    assert nn.BatchNorm2d not in kinds
    assert len(ResBlock(1, 4, 8, norm_type=None).idpath[0]) == 1


def test_a_bottleneck_has_the_known_widths():
    convs = [m for m in SEBlock(4, 16, 16).convpath.modules() if isinstance(m, nn.Conv2d)][:3]
    assert [(c.in_channels, c.out_channels) for c in convs] == [(64, 32), (32, 64), (64, 64)]
    convs = [m for m in SEResNeXtBlock(4, 64, 64).convpath.modules() if isinstance(m, nn.Conv2d)]
    # 4 channels a group where nf is 64, 32 groups
    assert (convs[1].in_channels, convs[1].groups) == (128, 32)
    convs = [m for m in SeparableBlock(4, 16, 16).convpath.modules() if isinstance(m, nn.Conv2d)]
    assert (convs[1].in_channels, convs[1].groups) == (32, 32)


def test_gates_stand_at_the_end_of_the_path():
    path = ResBlock(1, 8, 8, reduction=2, sa=True).convpath
    assert [type(m) for m in path[-2:]] == [SEModule, SimpleSelfAttention]


def test_a_gate_scales_each_channel():
    gate, x = SEModule(16, 4), torch.rand(2, 16, 3, 3)
    hidden = gate[1](x.mean((2, 3), keepdim=True))
    assert hidden.shape[1] == 8  # 16 / 4, rounded up to a multiple of eight
    torch.testing.assert_close(gate(x), x * gate[2](hidden))
    assert SEModule(4, 16)(torch.rand(1, 4, 2, 2)).shape == (1, 4, 2, 2)


@pytest.mark.parametrize("make", [ResBlock, SEBlock, SEResNeXtBlock, SeparableBlock])
def test_a_misspelt_keyword_is_refused_with_the_nearest(make):
    with pytest.raises(TypeError, match=r"unknown keyword 'norm_typ'\. Did you mean 'norm_type'"):
        make(1, 32, 32, norm_typ=None)
