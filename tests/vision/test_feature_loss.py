"""`FeatureLoss` against sums written out, and in an export."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.described import to_description
from layerwise.core.metrics.loss import LossMetrics
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS
from layerwise.vision.feature_loss import FeatureLoss, gram_matrix
from layerwise.vision.models.zoo import torchvision_model


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))


@pytest.fixture
def pictures():
    draw = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, 9, 8, generator=draw), torch.rand(2, 3, 9, 8, generator=draw)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_a_gram_matrix_is_the_mean_product_of_channels(b, c, h, w):
    x = torch.randn(b, c, h, w, generator=torch.Generator().manual_seed(b + c + h + w))
    expected = torch.einsum("bihw,bjhw->bij", x, x) / (c * h * w)
    torch.testing.assert_close(gram_matrix(x), expected, rtol=1e-4, atol=1e-5)


def test_a_gram_matrix_does_not_overflow_in_half_precision():
    x = torch.full((1, 2, 64, 64), 200.0, dtype=torch.float16)
    with torch.autocast("cpu", torch.bfloat16):
        assert gram_matrix(x).tolist() == [[[20000.0, 20000.0], [20000.0, 20000.0]]]


def test_the_loss_is_the_sum_of_its_parts(net, pictures):
    output, target = pictures
    loss = FeatureLoss(net, [1, "3"], [2.0, 0.5], gram_wgt=10.0)
    net.eval()
    first = [net[:2](x) for x in pictures]
    second = [net(x) for x in pictures]
    expected = F.l1_loss(output, target)
    expected += 2 * F.l1_loss(*first) + 0.5 * F.l1_loss(*second)
    expected += 4 * 10 * F.l1_loss(*map(gram_matrix, first))
    expected += 0.25 * 10 * F.l1_loss(*map(gram_matrix, second))
    torch.testing.assert_close(loss(output, target), expected)
    torch.testing.assert_close(loss.pixel, F.l1_loss(output, target))
    torch.testing.assert_close(loss.feat_1, 0.5 * F.l1_loss(*second))
    torch.testing.assert_close(loss.gram_0, 40 * F.l1_loss(*map(gram_matrix, first)))
    assert [m.name for m in LossMetrics(loss.metric_names)] == [
        "pixel", "feat_0", "feat_1", "gram_0", "gram_1",
    ]  # fmt: skip


def test_the_loss_of_each_item_is_that_of_a_batch_of_it(net, pictures):
    loss = FeatureLoss(net, [1], [1.0], base_loss=F.mse_loss)
    each = loss(*pictures, reduction="none")
    alone = torch.stack([loss(pictures[0][i : i + 1], pictures[1][i : i + 1]) for i in (0, 1)])
    torch.testing.assert_close(each, alone)
    torch.testing.assert_close(loss(*pictures), each.mean())
    torch.testing.assert_close(loss(*pictures, reduction="sum"), each.sum())


def test_pictures_are_normalised_for_the_network_alone(net, pictures):
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    shift, scale = (torch.tensor(s).view(1, 3, 1, 1) for s in (mean, std))
    normed = [(x - shift) / scale for x in pictures]
    given = FeatureLoss(net, [1], [1.0], stats=(mean, std))
    by_hand = FeatureLoss(net, [1], [1.0])
    difference = given(*pictures) - by_hand(*normed)
    expected = F.l1_loss(*pictures) - F.l1_loss(*normed)
    torch.testing.assert_close(difference, expected, rtol=1e-4, atol=1e-4)


def test_the_network_is_neither_trained_nor_changed(net, pictures):
    before = {k: v.clone() for k, v in net.state_dict().items()}
    loss = FeatureLoss(net, [1], [1.0])
    output = pictures[0].clone().requires_grad_()
    loss(output, pictures[1]).backward()
    assert output.grad.abs().sum() > 0
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert not net[1]._forward_hooks


def test_an_export_holds_the_weights_of_the_network():
    torch.manual_seed(0)
    net = torchvision_model("squeezenet1_1")
    loss = FeatureLoss(net, ["features.4", "features.7"], [1.0, 0.5])
    arrays: dict[str, torch.Tensor] = {}
    plain = to_description(loss, arrays, "the loss")
    again = from_description(plain, arrays, KINDS | {"torch"})
    x, y = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(again(x, y), loss(x, y))


def test_layers_that_are_not_there_are_refused(net):
    with pytest.raises(ValueError, match="layer 9 of 4 children of Sequential"):
        FeatureLoss(net, [9], [1.0])
    with pytest.raises(ValueError, match="no module 'feature'"):
        FeatureLoss(net, ["feature"], [1.0])
    with pytest.raises(ValueError, match="2 layer_ids and 1 layer_wgts"):
        FeatureLoss(net, [0, 1], [1.0])
