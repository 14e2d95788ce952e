"""The models of this package are one graph for `torch.compile`: nothing in them breaks it."""

import pytest
import torch
from torch._dynamo import explain

from layerwise.core.registry import find
from layerwise.vision.learner import create_vision_model
from layerwise.vision.models.xresnet import xresnet18
from layerwise.vision.unet_learner import create_unet_model

OWN = ["vision/xresnet18", "vision/xresnet50", "vision/xse_resnext18"]


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("training", [True, False])
def test_no_graph_breaks(name, training):
    model = find("model", name)(n_out=3).train(training)
    report = explain(model)(torch.rand(2, 3, 64, 64))
    assert report.graph_break_count == 0, report.break_reasons


def test_no_graph_breaks_with_the_head_of_a_learner():
    model = create_vision_model(xresnet18, 3, pretrained=False)
    report = explain(model)(torch.rand(2, 3, 64, 64))
    assert report.graph_break_count == 0, report.break_reasons


@pytest.mark.parametrize("settings", [{}, {"blur": True, "self_attention": True}], ids=str)
def test_no_graph_breaks_in_a_unet(settings):
    model = create_unet_model(xresnet18, 3, pretrained=False, **settings)
    report = explain(model)(torch.rand(2, 3, 65, 48))
    assert report.graph_break_count == 0, report.break_reasons
