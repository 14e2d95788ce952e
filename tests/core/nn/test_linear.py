"""The fully connected block."""

import pytest
import torch
from torch import nn

from layerwise.core.nn import LinBnDrop


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, [nn.BatchNorm1d, nn.Linear]),
        ({"bn": False}, [nn.Linear]),
        ({"p": 0.5, "act": nn.ReLU()}, [nn.BatchNorm1d, nn.Dropout, nn.Linear, nn.ReLU]),
        (
            {"p": 0.5, "act": nn.ReLU(), "lin_first": True},
            [nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout],
        ),
    ],
)
def test_layers_come_in_the_known_order(settings, kinds):
    block = LinBnDrop(6, 3, **settings)
    assert [type(layer) for layer in block] == kinds
    assert block(torch.rand(4, 6)).shape == (4, 3)


def test_the_linear_layer_has_a_bias_only_without_normalisation():
    assert LinBnDrop(2, 2)[1].bias is None
    assert LinBnDrop(2, 2, bn=False)[0].bias is not None
