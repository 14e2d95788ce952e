"""The loss for points against torch, with and without missing ones."""

import pytest
import torch
from torch.nn import functional

from layerwise.core.nn.base_loss import NoneReduce
from layerwise.vision.point_loss import PointLossFlat

NAN = float("nan")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_without_missing_points_it_is_the_mean_squared_error(reduction):
    outputs, targets = torch.randn(4, 6), torch.randn(4, 3, 2)
    found = PointLossFlat(reduction=reduction)(outputs, targets)
    expected = functional.mse_loss(outputs, targets.flatten(1), reduction=reduction)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_missing_points_do_not_count(reduction):
    outputs, targets = torch.randn(4, 6, requires_grad=True), torch.randn(4, 3, 2)
    targets[1, 2] = NAN
    targets[3, 0] = NAN
    known = ~targets.flatten(1).isnan()
    found = PointLossFlat(reduction=reduction)(outputs, targets)
    expected = functional.mse_loss(outputs[known], targets.flatten(1)[known], reduction=reduction)
    assert torch.allclose(found, expected)
    found.backward()
    assert outputs.grad.isfinite().all()
    assert (outputs.grad != 0).tolist() == known.tolist()


def test_where_all_are_missing_the_loss_is_nought():
    outputs = torch.randn(2, 4, requires_grad=True)
    loss = PointLossFlat()(outputs, torch.full((2, 2, 2), NAN))
    loss.backward()
    assert loss.item() == 0
    assert not outputs.grad.any()


def test_each_number_has_its_loss_for_interpretation():
    targets = torch.tensor([[[1.0, NAN]]])
    with NoneReduce(PointLossFlat()) as loss:
        assert loss(torch.zeros(1, 2), targets).tolist() == [1.0, 0.0]


def test_half_precision_outputs_keep_the_target_precise():
    targets = torch.tensor([[[0.3333, NAN]]])
    outputs = torch.tensor([[0.25, 0.0]], dtype=torch.bfloat16)
    assert PointLossFlat()(outputs, targets).item() == pytest.approx((0.3333 - 0.25) ** 2, rel=1e-3)


def test_outputs_of_another_number_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        PointLossFlat()(torch.zeros(2, 5), torch.zeros(2, 3, 2))
