"""Bodies and heads for every architecture of torchvision, and for some of timm."""

import pytest
import torch
from torch import nn

from layerwise.core.nn.hooks import dummy_eval
from layerwise.vision.learner import create_vision_model
from layerwise.vision.models.bodies import without_branches
from layerwise.vision.models.head import create_body
from layerwise.vision.models.meta import meta_of
from layerwise.vision.models.network import TORCHVISION, is_torchvision, network_of, resolved
from layerwise.vision.models.timm_models import TimmBody
from layerwise.vision.models.torchvision_models import resnet18
from layerwise.vision.models.torchvision_more import googlenet, inception_v3, vit_b_32
from layerwise.vision.models.xresnet import xresnet18
from layerwise.vision.unet_learner import create_unet_model

FEW = [
    "alexnet", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2",
    "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_0",
    "swin_t",
]  # fmt: skip


def check_model_of(name):
    """Head, groups and frozen body of an architecture."""
    model = create_vision_model(name, 3, pretrained=False)
    meta = meta_of(name)
    side = meta.size or 96
    with torch.no_grad():
        assert model.eval()(torch.rand(2, 3, side, side)).shape == (2, 3)
    groups = meta.split(model)
    assert len(groups) == 3
    assert all(groups), "no group is empty"
    together = [id(p) for group in groups for p in group]
    assert sorted(together) == sorted(id(p) for p in model.parameters()), "each once"
    assert {id(p) for p in groups[-1]} == {id(p) for p in model[1].parameters()}
    assert meta.stats is not None


@pytest.mark.parametrize("name", FEW)
def test_architectures_get_a_head_and_three_groups(name):
    check_model_of(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TORCHVISION - set(FEW)))
def test_every_architecture_of_torchvision_gets_a_head_and_three_groups(name):
    check_model_of(name)


def test_bodies_answer_as_the_networks_do_in_front_of_their_heads():
    for build, pooled in ((googlenet, "avgpool"), (inception_v3, "avgpool"), (vit_b_32, None)):
        network = build().eval()
        seen: list[torch.Tensor] = []
        place = network.heads if pooled is None else network.get_submodule(pooled)
        place.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
        x = torch.rand(1, 3, 224, 224)
        with torch.no_grad():
            network(x)
            body = create_body(network, cut=meta_of(build).cut).eval()
            torch.testing.assert_close(body(x), seen[0])


def test_classifiers_on_the_way_are_left_out():
    body = without_branches(inception_v3())
    assert not any("Aux" in type(m).__name__ for m in body.modules())


def test_other_channels_reach_architectures_of_all_kinds():
    for name in ("vit_b_32", "googlenet", "mnasnet0_5"):
        model = create_vision_model(name, 2, pretrained=False, n_in=1)
        side = meta_of(name).size or 96
        assert model(torch.rand(2, 1, side, side)).shape == (2, 2)


def test_names_and_functions_are_told_apart():
    assert resolved("vision/xresnet18") is xresnet18
    assert resolved("vision/resnet18") == "resnet18"
    assert resolved(resnet18) is resnet18
    assert is_torchvision("vit_b_16")
    assert is_torchvision(vit_b_32)
    assert not is_torchvision("vit_tiny_patch16_224")
    assert not is_torchvision(xresnet18)
    with pytest.raises(TypeError, match="arch=3 is a int; give a function"):
        resolved(3)
    with pytest.raises(ValueError, match="weights= with pretrained=False"):
        network_of("resnet18", False, "x.pth")


# -- timm ----------------------------------------------------------------------------------

TIMM = {  # and whether a head can pool what the body gives
    "resnet18": True,
    "mobilenetv3_small_050": True,
    "convnext_atto": True,
    "vit_tiny_patch16_224": False,
    "levit_128s": False,
}
TIMM_SLOW = {
    "efficientnet_b0": True, "swin_tiny_patch4_window7_224": False, "mixer_s32_224": False,
    "regnetx_002": True, "ghostnet_050": True, "hrnet_w18_small": True, "dla34": True,
    "densenet121": True, "edgenext_xx_small": True, "mobilevit_xxs": True, "tinynet_e": True,
    "pit_ti_224": False, "deit_tiny_patch16_224": False, "cait_xxs24_224": False,
    "gmlp_ti16_224": False, "poolformer_s12": True, "maxvit_pico_rw_256": True,
    "xcit_nano_12_p16_224": False, "beit_base_patch16_224": False, "inception_v3": True,
}  # fmt: skip


def check_timm(name, has_map):
    timm = pytest.importorskip("timm")
    model = create_vision_model(f"timm/{name}", 3, pretrained=False)
    assert isinstance(model[0], TimmBody)
    assert model[0].has_map == has_map
    size = timm.get_pretrained_cfg(name).input_size
    with torch.no_grad():
        assert model.eval()(torch.rand(2, *size)).shape == (2, 3)
    model.train()(torch.rand(2, *size)).sum().backward()
    grey = create_vision_model(f"timm/{name}", 3, pretrained=False, n_in=1)
    with torch.no_grad():
        assert grey.eval()(torch.rand(1, 1, *size[1:])).shape == (1, 3)


@pytest.mark.parametrize("name", TIMM)
def test_models_of_timm_with_and_without_a_map(name):
    check_timm(name, TIMM[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM_SLOW)
def test_more_models_of_timm(name):
    check_timm(name, TIMM_SLOW[name])


def test_maps_of_timm_are_enlarged():
    pytest.importorskip("timm")
    for name in ("timm/mobilenetv3_small_050", "timm/convnext_atto"):
        model = create_unet_model(name, 4, pretrained=False).eval()
        with torch.no_grad():
            assert model(torch.rand(1, 3, 97, 131)).shape == (1, 4, 97, 131)


def test_what_timm_does_not_take_is_refused():
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match="weights= is not for models of timm"):
        create_vision_model("timm/resnet18", 3, weights="x.pth")
    with pytest.raises(ValueError, match="cut= is not for models of timm"):
        create_unet_model("timm/resnet18", 3, pretrained=False, cut=-1)
    with pytest.raises(ValueError, match="timm has no model 'resnt18'"):
        create_unet_model("timm/resnt18", 3, pretrained=False)


def test_a_body_that_gives_neither_map_nor_row_is_refused():
    def tokens():
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2))

    with pytest.raises(ValueError, match="a head takes"):
        create_vision_model(tokens, 3, pretrained=False, cut=2)
    assert dummy_eval(tokens(), (8, 8)).shape == (1, 4, 36)


def test_a_network_that_is_built_already_is_refused_and_not_printed():
    with pytest.raises(TypeError, match=r"Sequential that is built already; give what builds it"):
        resolved(nn.Sequential(nn.ReLU()))
