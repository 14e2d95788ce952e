"""Residual nets: shapes, and parameters counted by hand."""

import pytest
import torch
from torch import nn

from layerwise.core.nn.residual import ResBlock
from layerwise.vision.models.xresnet import (
    XResNet,
    init_cnn,
    xresnet18,
    xresnet34,
    xresnet50,
    xresnet101,
)


def conv_bn(ni, nf, ks):
    """Weights of a convolution without bias, and two numbers a channel of its norm layer."""
    return ni * nf * ks * ks + 2 * nf


def counted(expansion, layers, n_out):
    """Parameters by the architecture's description."""
    total = conv_bn(3, 32, 3) + conv_bn(32, 32, 3) + conv_bn(32, 64, 3)
    before = 64
    for width, blocks in zip((64, 128, 256, 512), layers, strict=True):
        for _ in range(blocks):
            after = width * expansion
            if expansion == 1:
                total += conv_bn(before, width, 3) + conv_bn(width, width, 3)
            else:
                total += conv_bn(before, width, 1) + conv_bn(width, width, 3)
                total += conv_bn(width, after, 1)
            if before != after:
                total += conv_bn(before, after, 1)
            before = after
    return total + before * n_out + n_out


@pytest.mark.parametrize(
    ("build", "expansion", "layers"),
    [
        (xresnet18, 1, [2, 2, 2, 2]),
        (xresnet34, 1, [3, 4, 6, 3]),
        (xresnet50, 4, [3, 4, 6, 3]),
        (xresnet101, 4, [3, 4, 23, 3]),
    ],
)
def test_parameters_are_those_of_the_description(build, expansion, layers):
    model = build(n_out=10)
    assert sum(p.numel() for p in model.parameters()) == counted(expansion, layers, 10)


@pytest.mark.parametrize("build", [xresnet18, xresnet50])
def test_a_batch_becomes_one_row_a_picture(build):
    model = build(n_out=5).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 48)).shape == (2, 5)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"ndim": 1, "c_in": 2}, (2, 2, 64)),
        ({"ndim": 3, "c_in": 1, "ks": 5}, (2, 1, 32, 32, 32)),
        ({"act_cls": nn.Mish, "sa": True, "sym": True}, (2, 3, 32, 32)),
        ({"widen": 0.5, "p": 0.5, "stem_szs": (8, 16)}, (2, 3, 32, 32)),
    ],
)
def test_settings(settings, shape):
    assert xresnet18(n_out=4, **settings)(torch.zeros(shape)).shape == (2, 4)


def test_attention_stands_at_the_end_of_the_first_group_alone():
    plain, with_attention = xresnet18(n_out=2), xresnet18(n_out=2, sa=True)
    extra = [
        name
        for name, _ in with_attention.named_parameters()
        if name not in dict(plain.named_parameters())
    ]
    assert extra
    assert all(name.startswith("4.1.") for name in extra)


def test_groups_start_as_their_shortcuts_and_gradients_flow():
    model = xresnet18(n_out=2)
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_init_cnn_sets_biases_to_zero_and_leaves_norms():
    convolution, norm, linear = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)
    nn.init.constant_(norm.weight, 3.0)
    init_cnn(nn.Sequential(convolution, norm, linear))
    assert convolution.bias.tolist() == [0, 0, 0, 0]
    assert linear.bias.tolist() == [0, 0]
    assert (norm.weight == 3).all()
    assert abs(convolution.weight.std().item() - (2 / 27) ** 0.5) < 0.1


def test_misspelt_settings_are_refused():
    with pytest.raises(TypeError, match="n_outt"):
        xresnet18(n_outt=3)  # type: ignore[call-arg]  # that is the test
    with pytest.raises(ValueError, match="ks=4"):
        XResNet(ResBlock, 1, [1], ks=4)
