"""The residual net for tables, against the formula of its paper."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from layerwise.tabular.models import TabularResNet


def test_a_batch_follows_the_formula_of_the_paper():
    torch.manual_seed(0)
    model = TabularResNet([(4, 3)], 2, 5, width=8, blocks=3, hidden_p=0, unknown_p=0)
    x_cat, x_cont = torch.randint(4, (9, 1)), torch.randn(9, 2)

    def norm(x, layer):
        return F.batch_norm(x, None, None, layer.weight, layer.bias, training=True)

    def linear(x, layer):
        return x @ layer.weight.T + layer.bias

    x = torch.cat([model.embeds[0].weight[x_cat[:, 0]], x_cont], 1)
    x = linear(x, model.first)
    for block in model.blocks:
        bn, into, _, _, out, _ = block.layers
        assert into.weight.shape == (16, 8)
        x = x + linear(linear(norm(x, bn), into).relu(), out)
    bn, _, last = model.head
    torch.testing.assert_close(model(x_cat, x_cont), linear(norm(x, bn).relu(), last))


def test_shares_of_dropout_are_where_the_paper_has_them():
    model = TabularResNet([], 2, 1, width=8, blocks=2, hidden_p=0.25, residual_p=0.5)
    found = [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)]
    assert found == [0.25, 0.5] * 2


@pytest.mark.parametrize(("width", "blocks", "factor"), [(192, 2, 2.0), (10, 1, 1.5)])
def test_parameters_are_those_of_the_description(width, blocks, factor):
    hidden = int(width * factor)
    embedded, table = 3 + 2, 4 * 3
    block = 2 * width + (width + 1) * hidden + (hidden + 1) * width
    expected = table + (embedded + 1) * width + blocks * block + 2 * width + (width + 1) * 5
    model = TabularResNet([(4, 3)], 2, 5, width=width, blocks=blocks, hidden_factor=factor)
    assert sum(p.numel() for p in model.parameters()) == expected
