"""Architectures found without building them, and that what is told of them is true."""

import math
import subprocess
import sys

import pytest

from layerwise.core.registry import find
from layerwise.vision.models.head import create_body
from layerwise.vision.models.listing import find_models, model_facts
from layerwise.vision.models.meta import meta_of
from layerwise.vision.models.network import TORCHVISION, network_of, resolved
from layerwise.vision.models.stages import map_shapes, stages_of
from layerwise.vision.models.zoo import first_weights, torchvision_models_module


def test_names_are_found_by_wildcards_and_facts():
    assert find_models("resnet*", source="torchvision", max_params=3e7) == [
        "vision/resnet18", "vision/resnet34", "vision/resnet50",
    ]  # fmt: skip
    assert find_models("vision/xse_resnext*_deep") == [
        "vision/xse_resnext18_deep", "vision/xse_resnext34_deep", "vision/xse_resnext50_deep",
    ]  # fmt: skip
    assert find_models("*net*", pretrained=True, max_params=1.3e6, source="torchvision") == [
        "vision/squeezenet1_0", "vision/squeezenet1_1",
    ]  # fmt: skip
    assert set(find_models(source="torchvision", fixed_size=True)) == {
        "vision/maxvit_t", "vision/vit_b_16", "vision/vit_b_32", "vision/vit_h_14",
        "vision/vit_l_16", "vision/vit_l_32",
    }  # fmt: skip
    assert find_models(licence="cc-by-nc-4.0", source="torchvision") == [
        "vision/regnet_y_128gf", "vision/vit_h_14",
    ]  # fmt: skip
    assert find_models("no such*") == []
    with pytest.raises(TypeError, match="max_parms"):
        find_models(max_parms=3)  # type: ignore[call-arg]  # that is the test


def test_every_architecture_of_torchvision_is_there_and_found():
    theirs = torchvision_models_module()
    every = set(theirs.list_models(module=theirs))
    assert every == TORCHVISION
    assert {name.partition("/")[2] for name in find_models(source="torchvision")} == every
    for name in sorted(every):
        assert find("model", f"vision/{name}").__name__ == name
        assert resolved(f"vision/{name}") == name


def test_models_of_timm_are_listed_with_what_timm_tells():
    timm = pytest.importorskip("timm")
    atto = find_models("timm/convnext_atto")
    assert atto == ["timm/convnext_atto"]
    config = timm.create_model("convnext_atto").pretrained_cfg
    facts = model_facts("timm/convnext_atto")
    assert facts["mean"] == config["mean"]
    assert facts["size"] == config["input_size"][-1]
    assert (facts["family"], facts["pretrained"], facts["has_maps"]) == ("convnext", True, True)
    assert not model_facts("timm/vit_tiny_patch16_224")["has_maps"]
    assert len(find_models(source="timm")) == len(timm.list_models())
    with pytest.raises(LookupError, match="timm has no model 'resnt'"):
        model_facts("timm/resnt")


def test_listing_builds_nothing_and_needs_neither_torchvision_nor_timm():
    code = (
        "import sys; from layerwise.vision.models.listing import *\n"
        "assert 'vision/resnet18' in find_models('resnet*', source='torchvision')\n"
        "assert model_facts('resnet18')['params'] == 11_689_512\n"
        "print([m for m in ('torchvision', 'timm') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


# -- what is told is true ------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_facts_are_those_that_torchvision_tells(name):
    facts = model_facts(name)
    weights = torchvision_models_module().get_model_weights(name)[first_weights(name)]
    assert facts["params"] == weights.meta["num_params"]
    assert facts["size"] == weights.transforms().crop_size[0]
    is_not_free = "SWAG" in weights.meta.get("license", "")
    assert (facts["licence"] == "CC-BY-NC-4.0") == is_not_free
    meta = meta_of(name)
    assert (tuple(meta.stats[0]), tuple(meta.stats[1])) == (facts["mean"], facts["std"])
    if name not in ("googlenet", "inception_v3"):  # which change the colours themselves
        assert list(facts["mean"]) == weights.transforms().mean
    assert (meta.size == facts["size"]) == facts["fixed_size"]


STRIDES = ["alexnet", "mobilenet_v3_small", "squeezenet1_1", "swin_t", "vision/xse_resnet18"]


def check_strides(name):
    arch = resolved(name)
    body = create_body(network_of(arch, False, None), cut=meta_of(arch).cut)
    size = (512, 512) if "deeper" in name else (224, 224)
    shapes = map_shapes(stages_of(body, size), size)[1:]
    found = tuple(2 ** round(math.log2(size[0] / shape[2])) for shape in shapes)
    assert found == model_facts(name)["strides"]


@pytest.mark.parametrize("name", STRIDES)
def test_strides_are_those_of_the_maps(name):
    check_strides(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [n for n in find_models(max_params=1e8, has_maps=True) if n.startswith("vision/")],
)
def test_strides_are_those_of_the_maps_of_every_architecture(name):
    check_strides(name)
