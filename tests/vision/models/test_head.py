"""Bodies, heads, and the parameters in groups."""

import pytest
import torch
from torch import nn

from layerwise.core.nn.hooks import num_features_model
from layerwise.vision.models.head import (
    BodySplit,
    adapt_first_layer,
    add_head,
    create_body,
    create_head,
    cut_model,
    default_split,
    has_pool_type,
)
from layerwise.vision.models.meta import meta_of, model_meta
from layerwise.vision.models.torchvision_models import (
    alexnet,
    convnext_tiny,
    densenet121,
    efficientnet_b0,
    mobilenet_v2,
    mobilenet_v3_small,
    regnet_y_400mf,
    resnet18,
    shufflenet_v2_x0_5,
    squeezenet1_1,
    vgg11_bn,
)
from layerwise.vision.models.xresnet import xresnet18

FEATURES = {
    xresnet18: 512,
    resnet18: 512,
    squeezenet1_1: 512,
    mobilenet_v2: 1280,
    mobilenet_v3_small: 576,
    efficientnet_b0: 1280,
    shufflenet_v2_x0_5: 1024,
    regnet_y_400mf: 440,
    alexnet: 256,
    densenet121: 1024,
    vgg11_bn: 512,
    convnext_tiny: 768,
}


@pytest.mark.parametrize("arch", FEATURES, ids=lambda arch: arch.__name__)
def test_bodies_of_known_architectures(arch):
    meta = meta_of(arch)
    body = create_body(arch(), cut=meta.cut)
    features = num_features_model(nn.Sequential(body))
    assert features == FEATURES[arch]
    model = add_head(body, features, 3)
    groups = meta.split(model)
    assert len(groups) == 3
    assert all(groups)
    together = [id(p) for group in groups for p in group]
    assert sorted(together) == sorted(id(p) for p in model.parameters()), "each once"
    head = {id(p) for p in model[1].parameters()}
    assert {id(p) for p in groups[-1]} == head


def test_every_family_is_known_by_its_name():
    assert meta_of("resnext50_32x4d") is model_meta["resnext"]
    assert meta_of("xresnet50") is model_meta["xresnet"]
    assert meta_of("mobilenet_v3_large") is model_meta["mobilenet_v3"]
    assert meta_of(nn.Linear).cut is None


def net():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def test_the_body_ends_before_the_last_pooling():
    assert len(create_body(net())) == 2
    assert has_pool_type(net())


def test_a_cut_may_be_a_number_or_a_function():
    assert len(cut_model(net(), 1)) == 1
    assert isinstance(create_body(net(), cut=lambda model: model[0]), nn.Conv2d)
    with pytest.raises(TypeError, match="cut='x'"):
        cut_model(net(), "x")


@pytest.mark.parametrize("cut", [0, 6, -5, -9])
def test_a_cut_that_leaves_nothing_or_more_than_there_is_is_refused(cut):
    with pytest.raises(ValueError, match=f"cut={cut}, and Sequential has 5 children"):
        cut_model(net(), cut)
    assert len(cut_model(net(), 5)) == len(cut_model(nn.Sequential(net(), net()), -1)[0]) == 5


def test_a_body_is_of_a_network_and_not_of_its_name():
    with pytest.raises(TypeError, match="not the str 'resnet18'; vision_learner"):
        create_body("resnet18")


def test_a_head_has_outputs_and_bounds_in_order():
    with pytest.raises(ValueError, match="n_out=0"):
        create_head(4, 0)
    with pytest.raises(ValueError, match="from 1 to -1"):
        create_head(4, 1, y_range=(1, -1))


def test_a_network_without_pooling_says_what_to_give():
    with pytest.raises(ValueError, match=r"no child of Sequential \(0\) pools.*give cut="):
        create_body(nn.Sequential(nn.Conv2d(3, 4, 3)))


# -- channels ------------------------------------------------------------------------------


def test_one_channel_answers_as_its_copy_in_three():
    model = net()
    grey = torch.rand(2, 1, 8, 8)
    expected = model(grey.repeat(1, 3, 1, 1))
    adapt_first_layer(model, 1)
    torch.testing.assert_close(model(grey), expected)


def test_more_channels_start_without_a_say():
    model = net()
    x = torch.rand(2, 5, 8, 8)
    expected = model(x[:, :3])
    adapt_first_layer(model, 5)
    torch.testing.assert_close(model(x), expected)


def test_two_channels_take_the_weight_of_three():
    model = net()
    expected = model[0].weight[:, :2] * 1.5
    adapt_first_layer(model, 2)
    torch.testing.assert_close(model[0].weight, expected)


def test_the_same_channels_change_nothing():
    model = net()
    first = model[0]
    adapt_first_layer(model, 3)
    assert model[0] is first
    with pytest.raises(ValueError, match="n_in=0"):
        adapt_first_layer(model, 0)


def test_a_nested_first_layer_is_found():
    model = resnet18(n_out=2)
    adapt_first_layer(model, 1)
    assert model.eval()(torch.zeros(1, 1, 64, 64)).shape == (1, 2)
    deep = squeezenet1_1(n_out=2)
    adapt_first_layer(deep, 4)
    assert deep.features[0].in_channels == 4


# -- heads ---------------------------------------------------------------------------------


def kinds(head):
    return [type(m).__name__ for m in head.modules() if not list(m.children())]


def test_the_usual_head():
    head = create_head(512, 10)
    assert kinds(head) == [
        "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Flatten",
        "BatchNorm1d", "Dropout", "Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear",
    ]  # fmt: skip
    assert [m.p for m in head.modules() if isinstance(m, nn.Dropout)] == [0.25, 0.5]
    linear = [m for m in head.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features, m.bias is None) for m in linear] == [
        (1024, 512, True),
        (512, 10, True),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"concat_pool": False},
        {"lin_ftrs": [16, 8], "ps": [0.1, 0.2, 0.3]},
        {"lin_ftrs": []},
        {"first_bn": False, "bn_final": True},
        {"lin_first": True, "lin_ftrs": [16, 8]},
        {"y_range": (0.0, 5.0)},
    ],
)
def test_settings_of_the_head(settings):
    head = create_head(8, 3, **settings)
    assert head(torch.randn(4, 8, 2, 2)).shape == (4, 3)


def test_a_head_without_pooling_takes_rows():
    assert create_head(8, 3, pool=False)(torch.randn(4, 8)).shape == (4, 3)


def test_linear_first_ends_in_a_linear_layer():
    found = kinds(create_head(8, 3, lin_first=True))
    assert found[3:] == ["Dropout", "Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear"]


def test_the_range_bounds_what_comes_out():
    out = create_head(8, 1, y_range=(1.0, 2.0))(torch.randn(64, 8, 2, 2) * 100)
    assert out.min() >= 1
    assert out.max() <= 2


def test_dropouts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 dropouts for 2 linear layers"):
        create_head(8, 3, ps=[0.1, 0.2, 0.3])


def test_a_ready_head_is_initialised_and_used():
    head = nn.Linear(4, 2)
    model = add_head(nn.Flatten(), 4, 2, head=head, init=nn.init.ones_)
    assert model[1] is head
    assert (head.weight == 1).all()
    assert (head.bias == 0).all()


def test_splits_of_two_groups():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
    assert [len(g) for g in default_split(model)] == [2, 4]
    assert BodySplit(2, nested=True) == BodySplit(2, nested=True)
