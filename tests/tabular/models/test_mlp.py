"""The multilayer perceptron, against numbers worked out by hand and plain functions of torch."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from layerwise.tabular.models import TabularModel, tabular_config


def test_two_rows_by_hand():
    model = TabularModel(
        [(2, 1)], 1, 1, [2], use_bn=False, bn_cont=False, y_range=(0, 4), unknown_p=0
    )
    hidden, last, _ = model.layers
    with torch.no_grad():
        model.embeds[0].weight.copy_(torch.tensor([[-4.0], [2.0]]))
        hidden[0].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, 1.0]]))
        hidden[0].bias.zero_()
        last[0].weight.copy_(torch.tensor([[1.0, -1.0]]))
        last[0].bias.fill_(0.5)
    predicted = model(torch.tensor([[1], [0]]), torch.tensor([[3.0], [3.0]]))
    # (2, 3) -> relu(5, 1) -> 5 - 1 + 0.5, and (-4, 3) -> relu(-1, 7) -> 0 - 7 + 0.5.
    expected = [4 / (1 + math.exp(-4.5)), 4 / (1 + math.exp(6.5))]
    assert predicted[:, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("lin_first", [True, False])
@pytest.mark.parametrize("bn_final", [True, False])
def test_a_batch_follows_the_formula_in_training(lin_first, bn_final):
    torch.manual_seed(0)
    model = TabularModel(
        [(4, 3), (5, 2)], 2, 3, [7, 6], unknown_p=0, lin_first=lin_first, bn_final=bn_final
    )
    x_cat = torch.stack([torch.randint(4, (9,)), torch.randint(5, (9,))], 1)
    x_cont = 5 + 3 * torch.randn(9, 2)

    def norm(x, layer):
        centred = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
        return centred * layer.weight + layer.bias

    def only(kind, block):
        return next((layer for layer in block if isinstance(layer, kind)), None)

    x = torch.cat(
        [model.embeds[0].weight[x_cat[:, 0]], model.embeds[1].weight[x_cat[:, 1]],
         norm(x_cont, model.bn_cont)], 1,
    )  # fmt: skip
    for i, block in enumerate(model.layers):
        linear, bn = only(nn.Linear, block), only(nn.BatchNorm1d, block)
        assert (bn is None) == (i == 2 and not bn_final)
        if bn is not None and not lin_first:
            x = norm(x, bn)
        x = F.linear(x, linear.weight, linear.bias)
        x = x.relu() if i < 2 else x
        if bn is not None and lin_first:
            x = norm(x, bn)
    torch.testing.assert_close(model(x_cat, x_cont), x)


def test_the_parts_have_the_known_names():
    model = TabularModel([(4, 3), (5, 2)], 2, 3, [7, 6], ps=[0.1, 0.2], embed_p=0.3)
    names = [name for name, _ in model.named_children()]
    assert names == ["embeds", "emb_drop", "bn_cont", "layers"]
    assert model.embeds[1].weight.shape == (5, 2)
    assert model.emb_drop.p == 0.3
    assert model.bn_cont.num_features == 2
    found = [layer.p for layer in model.layers.modules() if isinstance(layer, nn.Dropout)]
    assert found == [0.1, 0.2]
    assert {"embeds.0.weight", "bn_cont.weight", "layers.0.0.weight", "layers.2.0.bias"} <= set(
        model.state_dict()
    )


def test_one_share_serves_all_layers():
    model = TabularModel([], 2, 3, [7, 6], ps=0.25)
    found = [layer.p for layer in model.layers.modules() if isinstance(layer, nn.Dropout)]
    assert found == [0.25, 0.25]


def test_shares_that_do_not_fit_the_layers_are_refused():
    with pytest.raises(ValueError, match="3 shares in ps for 2 hidden layers"):
        TabularModel([], 2, 3, [7, 6], ps=[0.1, 0.1, 0.1])


def test_no_hidden_layer_is_a_linear_model():
    model = TabularModel([], 2, 1, [], bn_cont=False)
    x = torch.randn(5, 2)
    linear = model.layers[0][0]
    torch.testing.assert_close(model(None, x), F.linear(x, linear.weight, linear.bias))


@pytest.mark.parametrize("act_cls", [nn.SiLU, nn.SiLU()])
def test_each_layer_has_an_activation_of_its_own(act_cls):
    model = TabularModel([], 2, 3, [7, 6], act_cls=act_cls)
    found = [layer for layer in model.layers.modules() if isinstance(layer, nn.SiLU)]
    assert len(found) == 2  # modules() gives a shared one once
    assert act_cls not in found


def test_embedded_numbers_are_dropped_and_others_are_not():
    torch.manual_seed(0)
    model = TabularModel([(4, 50)], 50, 1, [8], embed_p=0.5, bn_cont=False)
    seen = []
    model.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.zeros(20, 1, dtype=torch.long), torch.ones(20, 50))
    assert 0.4 < (seen[0][:, :50] == 0).float().mean() < 0.6
    assert (seen[0][:, 50:] == 1).all()


def test_config_gives_back_what_it_knows():
    config = tabular_config(ps=[0.1, 0.2], bn_cont=False, unknown_p=0.05)
    assert config == {"ps": [0.1, 0.2], "bn_cont": False, "unknown_p": 0.05}
    model = TabularModel([(3, 2)], 1, 1, [4, 4], **config)
    assert model.bn_cont is None
    assert model.embeds.unknown_p == 0.05
    assert tabular_config() == {}


def test_config_names_the_nearest_of_what_it_does_not_know():
    with pytest.raises(TypeError, match=r"unknown keyword 'embed_drop'.* Did you mean 'embed_p'"):
        tabular_config(embed_drop=0.1)  # type: ignore[call-arg]  # the point
