"""The maps of a body, the last of each size."""

import copy

import pytest
import torch
from torch import nn

from layerwise.vision.models.bodies import features_of, run_noise
from layerwise.vision.models.head import create_body
from layerwise.vision.models.meta import meta_of
from layerwise.vision.models.stages import MapsOf, Stages, map_shapes, stages_of
from layerwise.vision.models.torchvision_models import (
    densenet121,
    mobilenet_v2,
    resnet18,
    squeezenet1_1,
)
from layerwise.vision.models.xresnet import xresnet18

# Channels at half the size of the picture, at a quarter, and so on, as in the papers.
CHANNELS = {
    resnet18: [64, 64, 128, 256, 512],
    xresnet18: [64, 64, 128, 256, 512],
    squeezenet1_1: [64, 128, 256, 512],
    mobilenet_v2: [16, 24, 32, 96, 1280],
    densenet121: [64, 128, 256, 512, 1024],
}


@pytest.mark.parametrize("arch", CHANNELS, ids=lambda arch: arch.__name__)
def test_the_maps_of_known_bodies(arch):
    body = create_body(arch(), cut=meta_of(arch).cut)
    stages = stages_of(body).eval()
    picture, *shapes = map_shapes(stages)
    assert picture == (1, 3, 128, 128)
    assert [shape[1] for shape in shapes] == CHANNELS[arch]
    x = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        torch.testing.assert_close(stages(x)[-1], body.eval()(x))
    assert {id(p) for p in stages.parameters()} == {id(p) for p in body.parameters()}


def row():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.Sequential(nn.ReLU())), nn.Conv2d(8, 8, 1),
    )  # fmt: skip


def test_rows_are_cut_where_maps_halve_and_not_where_padding_lacks():
    assert [len(stage) for stage in stages_of(row()).stages] == [3, 1, 3]


class Net(nn.Module):
    """The row as a class with a forward of its own, and something beside."""

    def __init__(self):
        super().__init__()
        self.first, self.rest = row()[:4], nn.ModuleList(row()[4:])

    def forward(self, x):
        x = self.first(x) * 2
        for layer in self.rest:
            x = layer(x)
        return x


def test_modules_with_their_own_forward_are_looked_into():
    net = Net().eval()
    found = stages_of(net)
    assert isinstance(found, MapsOf)
    assert found.at == ["first.2", "first.3", "rest.1"]
    x = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        maps = found(x)
        torch.testing.assert_close(maps[-1], net(x))
        torch.testing.assert_close(maps[0], net.first[:3](x))
    assert not any(m._forward_hooks for m in net.modules()), "no hook stays behind"


def test_a_copy_looks_into_itself():
    found = stages_of(Net())
    other = copy.deepcopy(found)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
        assert all((m == 0).all() for m in other.eval()(torch.rand(1, 3, 40, 40)))


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.rest = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        return [x, x + 1, self.rest(x)]


class ChannelsLast(nn.Module):
    """Halves a map (B, h, w, F)."""

    def forward(self, x):
        return x[:, ::2, ::2]


class Permute(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


def test_of_a_list_of_maps_the_last_of_each_size_is_taken():
    found = stages_of(Several())
    assert found.at == [1, 2]
    assert [tuple(m.shape) for m in found(torch.rand(1, 3, 8, 8))] == [(1, 4, 4, 4), (1, 6, 2, 2)]


@pytest.mark.parametrize("size", [None, (64, 64), (64, 96)], ids=str)
def test_maps_with_their_channels_last_are_turned(size):
    body = nn.Sequential(
        Several().stem, Permute(0, 2, 3, 1), ChannelsLast(), nn.LayerNorm(4), Permute(0, 3, 1, 2)
    )
    found = stages_of(body, size)
    assert isinstance(found, Stages)
    assert found.turned == [0]
    x = torch.rand(1, 3, 24, 16)
    half, quarter = found(x)
    torch.testing.assert_close(half, body[0](x))
    torch.testing.assert_close(quarter, body(x))


class Parallel(nn.Module):
    """Children that do not run in the order in which they stand."""

    def __init__(self):
        super().__init__()
        self.late, self.early = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.late(self.early(x))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), r"returns \(1, 63504\) and no map"),
        (Parallel(), "do not run one after the other"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 5)), "fails for pictures up to 2048"),
    ],
    ids=["rows", "other order", "fails"],
)
def test_bodies_without_maps_say_what_to_give(body, told):
    with pytest.raises(ValueError, match=told):
        stages_of(body)


def test_what_a_body_gives():
    assert features_of(row()) == (8, True)
    assert features_of(nn.Sequential(row(), nn.AdaptiveAvgPool2d(1), nn.Flatten())) == (8, False)
    with pytest.raises(ValueError, match=r"gives a tensor \(1, 8, 196\).*give cut="):
        features_of(nn.Sequential(row(), nn.Flatten(2)), 60)
    assert run_noise(nn.Sequential(nn.Conv2d(3, 2, 99))).shape == (1, 2, 30, 30)
