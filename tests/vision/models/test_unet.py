"""U-Nets over bodies of all kinds, for pictures of any size."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from layerwise.core.nn.attention import SelfAttention
from layerwise.core.nn.norm import NormType, norm_types
from layerwise.core.testing.kinds import check_model
from layerwise.vision.models.head import create_body
from layerwise.vision.models.meta import meta_of
from layerwise.vision.models.torchvision_models import (
    convnext_tiny,
    efficientnet_b0,
    mobilenet_v2,
    resnet18,
    squeezenet1_1,
    vgg11_bn,
)
from layerwise.vision.models.unet import DynamicUnet, ResizeToOrig, UnetBlock, UnetSplit
from layerwise.vision.models.xresnet import xresnet18


def body(widths=(4, 6, 8), c_in=3):
    layers: list[nn.Module] = []
    for before, after in zip([c_in, *widths], widths, strict=False):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    "arch",
    [resnet18, xresnet18, squeezenet1_1, mobilenet_v2],
    ids=lambda arch: arch.__name__,
)
def test_any_body_and_any_size(arch):
    model = DynamicUnet(create_body(arch(), cut=meta_of(arch).cut), 5).eval()
    with torch.no_grad():
        for size in ((97, 131), (64, 64), (33, 50)):
            assert model(torch.rand(1, 3, *size)).shape == (1, 5, *size)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arch", [vgg11_bn, efficientnet_b0, convnext_tiny], ids=lambda arch: arch.__name__
)
def test_heavy_bodies_too(arch):
    model = DynamicUnet(create_body(arch(), cut=meta_of(arch).cut), 5)
    model(torch.rand(2, 3, 97, 131)).mean().backward()
    assert all(p.grad is not None for p in model.parameters())


SETTINGS = {
    "plain": {},
    "blur": {"blur": True},
    "blur, not in the last block": {"blur": True, "blur_final": False},
    "attention": {"self_attention": True},
    "no cross": {"last_cross": False},
    "bottle": {"bottle": True},
    "act": {"act_cls": nn.Mish},
    "no norm": {"norm_type": None},
    "weight norm": {"norm_type": NormType.Weight},
    "own init": {"init": None},
    "range": {"y_range": (-1.0, 2.0)},
    "img_size": {"img_size": (64, 32)},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_every_setting_holds_what_every_model_has_to(settings):
    torch.manual_seed(0)
    model = DynamicUnet(body((4, 6, 8, 8)), 3, **settings)
    x = torch.randn(2, 3, 37, 22)
    assert model(x).shape == (2, 3, 37, 22)
    check_model(model, x)


@pytest.mark.parametrize(("norm_type", "own"), [(NormType.Batch, 2), (None, 1)])
def test_parameters_are_those_of_the_description(norm_type, own):
    def conv(ni, nf, ks=3):
        return ni * nf * ks * ks + own * nf  # a bias, or weight and bias of a norm

    def block(up, skip, *, last=False):
        width = up // 2 + skip
        out = width // 2 if last else width
        return conv(up, 4 * (up // 2), 1) + 2 * skip + conv(width, out) + conv(out, out), out

    model = DynamicUnet(body((4, 6, 8)), 5, norm_type=norm_type)
    first, width = block(8, 6)
    second, width = block(width, 4, last=True)
    middle = 2 * 8 + conv(8, 16) + conv(16, 8)
    crossed = width + 3
    tail = conv(width, 4 * width, 1) + 2 * conv(crossed, crossed)
    tail += crossed * 5 + 5
    whole = sum(p.numel() for p in model.parameters())
    encoder = sum(p.numel() for p in model.encoder.parameters())
    assert whole - encoder == middle + first + second + tail


def test_the_settings_do_what_they_say():
    def has(model, kind):
        return [name for name, m in model.named_modules() if isinstance(m, kind)]

    four = (4, 6, 8, 8)
    assert has(DynamicUnet(body(four), 3, self_attention=True), SelfAttention) == [
        "blocks.0.conv2.3"
    ]
    blurred = has(DynamicUnet(body(four), 3, blur=True), nn.AvgPool2d)
    assert [name.rsplit(".", 1)[0] for name in blurred] == [
        "blocks.0.shuf", "blocks.1.shuf", "blocks.2.shuf", "tail.0",
    ]  # fmt: skip
    blurred = has(DynamicUnet(body(four), 3, blur=True, blur_final=False), nn.AvgPool2d)
    assert [name.split(".")[1] for name in blurred] == ["0", "1"]
    out = DynamicUnet(body(), 1, y_range=(-1.0, 2.0))(torch.randn(2, 3, 16, 16) * 1e3)
    assert out.min() >= -1
    assert out.max() <= 2
    sizes = [
        sum(p.numel() for p in DynamicUnet(body(), 1, **settings).parameters())
        for settings in ({"last_cross": False}, {"bottle": True}, {})
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_a_block_joins_both_maps_at_the_size_of_the_second():
    block = UnetBlock(8, 5, final_div=False).eval()
    assert block(torch.rand(1, 8, 3, 4), torch.rand(1, 5, 7, 9)).shape == (1, 4, 7, 9)
    seen = []
    block.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    small, skip = torch.rand(1, 8, 3, 4), torch.rand(1, 5, 7, 9)
    with torch.no_grad():
        block(small, skip)
        enlarged = F.interpolate(block.shuf(small), (7, 9), mode="nearest")
        expected = torch.cat([enlarged, block.bn(skip)], 1).relu()
    torch.testing.assert_close(seen[0], expected)


def test_the_picture_decides_the_size_at_the_end():
    picture = torch.rand(2, 3, 7, 5)
    for mode in ("nearest", "bilinear"):
        x = torch.rand(2, 4, 8, 6)
        expected = F.interpolate(x, (7, 5), mode=mode)
        assert torch.equal(ResizeToOrig(mode)(x, picture), expected)
    same = torch.rand(2, 4, 7, 5)
    assert ResizeToOrig()(same, picture) is same


def test_groups_are_the_halves_of_the_body_and_the_decoder():
    model = DynamicUnet(create_body(resnet18(), cut=-2), 2)
    early, late, rest = UnetSplit()(model)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].split(".")[2] for p in early} == {"0", "1", "2"}
    assert {names[id(p)].split(".")[2] for p in late} == {"3", "4"}
    assert all(not names[id(p)].startswith("encoder") for p in rest)
    assert len(early) + len(late) + len(rest) == len(names)
    with pytest.raises(TypeError, match="UnetSplit is for a DynamicUnet, and the model is Linear"):
        UnetSplit()(nn.Linear(1, 1))


def test_wrong_bodies_and_words_are_refused():
    with pytest.raises(ValueError, match="no smaller than the picture"):
        DynamicUnet(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), 2)
    with pytest.raises(TypeError, match=r"'self_atention'\. Did you mean 'self_attention'"):
        DynamicUnet(body(), 2, self_atention=True)  # type: ignore[call-arg]  # that is the test


def test_weights_of_the_body_are_not_touched_and_no_random_number_of_its_look_is_kept():
    own = body()
    before = [p.clone() for p in own.parameters()]
    own.train()
    model = DynamicUnet(own, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, own.parameters(), strict=True))
    assert (own[1].running_mean == 0).all(), "statistics see no noise"
    assert all(m.training for m in model.encoder.modules())


def test_blur_takes_the_grid_of_two_pixels_that_enlarging_can_leave():
    torch.manual_seed(0)
    for blur in (True, False):
        model = DynamicUnet(body(), 3, blur=blur)
        enlarge, block = model.tail[0], model.blocks[-1]
        assert isinstance(block, UnetBlock)
        for parameter in enlarge.parameters():  # as after training, no longer free of a grid
            nn.init.normal_(parameter)
        made = enlarge(torch.rand(1, block.out_channels, 1, 1).expand(-1, -1, 6, 6))[..., 1:, 1:]
        step = (made[..., 1:] - made[..., :-1]).abs().max().item()
        assert (step < 1e-5) is blur


def test_a_net_without_outputs_is_refused():
    with pytest.raises(ValueError, match="n_out=0"):
        DynamicUnet(body(), 0)


@pytest.mark.parametrize("norm_type", [NormType.Batch, NormType.Instance, None])
def test_what_the_net_gives_out_is_not_normalised(norm_type):
    model = DynamicUnet(body(), 2, norm_type=norm_type)
    last = model.tail[-1]
    assert [type(layer) for layer in last.children()] == [nn.Conv2d]
    assert last[0].bias is not None
    normalised = [m for m in model.blocks[0].conv2 if isinstance(m, norm_types)]
    assert len(normalised) == (norm_type is not None)


def test_weight_norm_reaches_the_last_layer():
    model = DynamicUnet(body(), 2, norm_type=NormType.Weight)
    assert torch.nn.utils.parametrize.is_parametrized(model.tail[-1][0])
