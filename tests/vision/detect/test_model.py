"""`RetinaNet`: what it says at which place, on bodies of several kinds."""

import math

import pytest
import torch
from torch import nn

from layerwise.core.nn.summary import module_summary
from layerwise.vision.detect.anchors import Anchors
from layerwise.vision.detect.learner import create_detection_model
from layerwise.vision.detect.loss import RetinaLoss
from layerwise.vision.detect.model import FeaturePyramid, RetinaNet, RetinaSplit, RetinaSubnet


def small_body():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(),
    )  # fmt: skip


def test_each_place_of_each_map_speaks_for_the_anchors_there():
    net = RetinaNet(small_body(), 2, width=16, levels=3)
    logits, deltas, anchors = net(torch.zeros(2, 3, 64, 96))
    places = 8 * 12 + 4 * 6 + 2 * 3
    assert logits.shape == (2, places * 9, 2)
    assert deltas.shape == anchors.shape == (2, places * 9, 4)
    expected = Anchors().boxes((64, 96), [(8, 12), (4, 6), (2, 3)])
    torch.testing.assert_close(anchors[1], expected)


def test_what_a_place_says_depends_on_the_picture_around_it():
    """The order of outputs is that of anchors: a change in one corner is seen by those in it."""
    torch.manual_seed(0)
    net = RetinaNet(small_body(), 1, Anchors(1, (1,), (1,)), width=8, levels=1, depth=0).eval()
    with torch.no_grad():
        for part in (net.classes, net.boxes):  # larger outputs than those of a start
            nn.init.normal_(part.layers[-1].weight)
        picture = torch.zeros(1, 3, 128, 64)
        picture[:, :, 96:, :16] = 1.0
        plain, _, anchors = net(torch.zeros_like(picture))
        changed = (net(picture)[0] - plain).abs().squeeze()
    centres = (anchors[0, :, 2:] + anchors[0, :, :2]) / 2
    assert changed.max() > 0
    seen = centres[changed > 1e-6]
    assert (seen[:, 0] < 0.5).all()
    assert (seen[:, 1] > 0).all()


def test_the_pyramid_adds_what_smaller_maps_know():
    pyramid = FeaturePyramid([4, 6], 5, extra=2)
    large, small = torch.randn(1, 4, 7, 9), torch.randn(1, 6, 4, 5)
    made = pyramid([large, small])
    assert [tuple(x.shape[-2:]) for x in made] == [(7, 9), (4, 5), (2, 3), (1, 2)]
    other = pyramid([large, small + 1])
    assert not torch.equal(made[0], other[0])
    assert torch.equal(pyramid([large + 1, small])[1], made[1])


def test_all_is_background_at_the_start():
    net = RetinaNet(small_body(), 3, width=32, prior=0.02)
    logits, deltas, _ = net(torch.randn(2, 3, 64, 64))
    assert logits.sigmoid().mean().item() == pytest.approx(0.02, rel=0.5)
    assert deltas.abs().mean() < 1
    none = torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.long)
    assert RetinaLoss()(net(torch.randn(2, 3, 64, 64)), *none) < 1
    subnet = RetinaSubnet(16, 2, 3, bias=-math.log(99))
    torch.testing.assert_close(
        subnet.state_dict()["layers.6.bias"].sigmoid(), torch.full((6,), 0.01)
    )


def test_the_body_is_read_from_the_finest_map_that_was_asked_for():
    made = {
        finest: RetinaNet(small_body(), 1, finest=finest, levels=2) for finest in (4, 8, 16, 64)
    }
    starts = {
        finest: net(torch.zeros(1, 3, 64, 64))[0].shape[1] // 9 for finest, net in made.items()
    }
    # 16^2 + 8^2, 8^2 + 4^2, 4^2 + 2^2; and where the body ends before, its last map.
    assert starts == {4: 320, 8: 80, 16: 20, 64: 20}


def test_half_of_the_body_each_and_the_rest_are_the_groups():
    net = RetinaNet(small_body(), 2, width=16, levels=4)
    groups = RetinaSplit()(net)
    assert [len(group) for group in groups[:2]] == [4, 2]
    assert sum(map(len, groups)) == len(list(net.parameters()))
    assert len({id(p) for group in groups for p in group}) == len(list(net.parameters()))
    with pytest.raises(TypeError, match="is for a RetinaNet"):
        RetinaSplit()(small_body())


@pytest.mark.parametrize("arch", ["squeezenet1_1", "mobilenet_v2", "resnet18", "vision/xresnet18"])
def test_bodies_of_all_kinds_carry_it(arch):
    net = create_detection_model(arch, 2, pretrained=False, width=16, depth=1).train()
    picture = torch.randn(2, 3, 96, 128)
    logits, _, anchors = output = net(picture)
    # Maps of about 8, 16, 32, 64, 128 pixels from place to place.
    assert 9 * (10 * 14) < logits.shape[1] < 9 * (17 * 17)
    boxes = torch.tensor([[[-0.5, -0.5, 0.0, 0.2]], [[0.0, 0.0, 0.0, 0.0]]])
    RetinaLoss()(output, boxes, torch.tensor([[2], [0]])).backward()
    assert all(p.grad is not None for p in net.pyramid.parameters())
    assert anchors.shape == (2, logits.shape[1], 4)


def test_pictures_of_other_channels_and_models_of_timm():
    net = create_detection_model("squeezenet1_1", 1, pretrained=False, n_in=1, width=16)
    assert net(torch.zeros(1, 1, 64, 64))[0].shape[-1] == 1
    pytest.importorskip("timm")
    net = create_detection_model("timm/resnet10t", 4, pretrained=False, width=16)
    assert net(torch.zeros(1, 3, 64, 64))[0].shape[-1] == 4


def test_its_layers_are_summarised():
    shown = repr(module_summary(RetinaNet(small_body(), 2, width=16), torch.zeros(1, 3, 64, 64)))
    assert "RetinaNet" in shown


def test_a_compiled_model_and_a_traced_one_say_the_same():
    net = RetinaNet(small_body(), 2, width=16).eval()
    picture = torch.randn(1, 3, 64, 64)
    program = torch.export.export(net, (picture,)).module()
    for found, expected in zip(program(picture), net(picture), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n_classes": 0}, "one at least"),
        ({"n_classes": 2, "prior": 1.0}, "below 1"),
    ],
    ids=["no class", "no doubt"],
)
def test_wrong_settings_are_told(wrong, told):
    with pytest.raises(ValueError, match=told):
        RetinaNet(small_body(), **wrong)
    with pytest.raises(TypeError, match="Did you mean 'anchors'"):
        RetinaNet(small_body(), 2, ancors=None)  # type: ignore[call-arg]  # misspelt
