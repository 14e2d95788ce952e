"""Residual nets: shapes, and parameters counted by hand."""

import math

import pytest
import torch
from torch import nn

from layerwise.core.nn.residual import ResBlock
from layerwise.core.registry import facts_of
from layerwise.core.testing.kinds import check_model
from layerwise.vision.models import xresnet, xse_resnet
from layerwise.vision.models.torchvision_models import resnext50_32x4d
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
    for make in (xresnet18, xse_resnet.xse_resnet18):
        with pytest.raises(TypeError, match=r"'n_outt'\. Did you mean 'n_out'"):
            make(n_outt=3)  # type: ignore[call-arg]  # that is the test
    with pytest.raises(ValueError, match="ks=4"):
        XResNet(ResBlock, 1, [1], ks=4)


# -- the family ----------------------------------------------------------------------------

FAMILY = {
    name: getattr(module, name)
    for module in (xresnet, xse_resnet)
    for name in module.__all__
    if name.startswith("x")
}
LAYERS = {
    18: [2, 2, 2, 2],
    34: [3, 4, 6, 3],
    50: [3, 4, 6, 3],
    101: [3, 4, 23, 3],
    152: [3, 8, 36, 3],
    154: [3, 8, 36, 3],
}
DEEPER = {
    "xresnet18": [2, 2, 1, 1, 1, 1, 1, 1],
    "xresnet34": [3, 4, 6, 3, 1, 1, 1, 1],
    "xresnet50": [3, 4, 6, 3, 1, 1, 1, 1],
    "xse_resnext18": [2, 2, 1, 1, 1, 1, 1, 1],
    "xse_resnext34": [3, 4, 4, 2, 2, 1, 1, 1],
    "xse_resnext50": [3, 4, 4, 2, 2, 1, 1, 1],
}


def described(name):
    """Parameters of a net by the papers, with 1000 outputs."""
    base, _, suffix = name.partition("_dee")
    number = int("".join(c for c in base if c.isdigit()))
    expansion = 4 if number >= 50 else 1
    layers = DEEPER[base] if suffix == "per" else LAYERS[number] + [1, 1] * (suffix == "p")
    is_gated, is_grouped = "se" in name.removeprefix("xres"), "resnext" in name
    groups = 64 if name == "xsenet154" else 32 if is_grouped else 1
    total = conv_bn(3, 32, 3) + conv_bn(32, 32, 3) + conv_bn(32, 64, 3)
    before = 64
    for i, blocks in enumerate(layers):
        width = [64, 128, 256, 512, 256, 256, 256, 256][i]
        for _ in range(blocks):
            first = last = width
            if is_grouped:  # 32 groups of 4 channels where the width is 64
                first = last = width // 64 * 4 * 32
            elif is_gated:
                first, last = width * 2, width * expansion
            after = width * expansion
            if expansion == 1:
                total += conv_bn(before // groups, last, 3) + conv_bn(last, after, 3)
            else:
                total += conv_bn(before, first, 1) + conv_bn(first // groups, last, 3)
                total += conv_bn(last, after, 1)
            # A norm layer counts the channels that come out, also where groups divide the rest.
            if is_gated:
                narrow = max(8, math.ceil(after // 16 / 8) * 8)
                total += after * narrow + narrow + narrow * after + after
            if before != after:
                total += conv_bn(before, after, 1)
            before = after
    return total + before * 1000 + 1000


@pytest.mark.parametrize("name", FAMILY)
def test_every_member_has_the_parameters_of_the_papers(name):
    with torch.device("meta"):
        model = FAMILY[name]()
    assert sum(p.numel() for p in model.parameters()) == described(name)
    assert facts_of("model", f"vision/{name}")["params"] == described(name)


def test_a_resnext_differs_from_torchvisions_by_its_stem_alone():
    theirs = resnext50_32x4d()
    ours = xse_resnet.xresnext50()
    stem = sum(p.numel() for layer in list(ours)[:3] for p in layer.parameters())
    their_stem = sum(p.numel() for m in (theirs.conv1, theirs.bn1) for p in m.parameters())
    count = sum(p.numel() for p in ours.parameters())
    assert count - stem == sum(p.numel() for p in theirs.parameters()) - their_stem


def test_the_longest_net_pools_nothing_away_from_large_pictures():
    with torch.device("meta"):
        model = xresnet.xresnet18_deeper(n_out=2)
        assert model(torch.empty(2, 3, 512, 512)).shape == (2, 2)


SMALL = ["xresnet50", "xse_resnet18", "xresnext18", "xse_resnext50"]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", SMALL)
def test_members_learn_in_one_two_and_three_dimensions(name, ndim):
    model = FAMILY[name](n_out=2, ndim=ndim, block_szs=[64] * 4, c_in=2)
    model(torch.randn(2, 2, *[32] * ndim)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", FAMILY)
def test_every_member_runs_in_one_two_and_three_dimensions(name, ndim):
    with torch.device("meta"):
        model = FAMILY[name](n_out=2, ndim=ndim)
        model(torch.empty(2, 3, *[512] * ndim)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", ["xresnet18", "xse_resnext18", "xse_resnet50"])
def test_members_hold_what_every_model_has_to(name):
    torch.manual_seed(0)
    model = FAMILY[name](n_out=2, block_szs=[32, 32, 32, 32], stem_szs=(8, 8, 32))
    check_model(model, torch.randn(4, 3, 32, 32))


def test_settings_of_a_member_may_be_replaced():
    plain, wide = xse_resnet.xse_resnet18(n_out=2), xse_resnet.xse_resnet18(n_out=2, reduction=4)
    count = [sum(p.numel() for p in m.parameters()) for m in (plain, wide)]
    assert count[0] < count[1]
    with pytest.raises(TypeError, match="n_outt"):
        xse_resnet.xse_resnext50(n_outt=3)  # type: ignore[call-arg]  # that is the test
