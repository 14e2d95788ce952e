"""Dropouts of recurrent language models."""

import copy

import pytest
import torch
from torch import nn

from layerwise.core.random import no_random
from layerwise.text.models import EmbeddingDropout, RNNDropout, WeightDropout, dropout_mask
from layerwise.text.models.recurrence import _in_one_piece


def test_a_mask_keeps_the_expected_share_and_the_mean():
    mask = dropout_mask(torch.zeros(1, dtype=torch.float64), (200, 500), 0.3)
    assert mask.dtype == torch.float64
    torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / 0.7], dtype=torch.float64))
    assert mask.mean().item() == pytest.approx(1, abs=0.02)
    assert not dropout_mask(mask, (5,), 1.0).any()


def test_features_are_hidden_at_all_times_or_at_none():
    x = torch.rand(4, 7, 50) + 1
    seen = RNNDropout(0.5)(x)
    hidden = seen == 0
    assert (hidden == hidden[:, :1]).all()
    assert 0.3 < hidden.float().mean() < 0.7
    torch.testing.assert_close(seen[~hidden], 2 * x[~hidden])
    assert not torch.equal(hidden[0], hidden[1])


@pytest.mark.parametrize("layer", [RNNDropout(0.5).eval(), RNNDropout(0.0)])
def test_nothing_is_hidden_outside_of_training(layer):
    x = torch.rand(2, 3, 4)
    assert layer(x) is x


def test_words_are_hidden_wherever_they_stand():
    emb = nn.Embedding(100, 6)
    words = torch.arange(100).repeat(2, 1)
    seen = EmbeddingDropout(emb, 0.4)(words)
    assert torch.equal(seen[0], seen[1])
    hidden = (seen[0] == 0).all(1)
    assert 20 < hidden.sum() < 60
    torch.testing.assert_close(seen[0][~hidden], emb.weight[~hidden] / 0.6)
    assert torch.equal(EmbeddingDropout(emb, 0.4).eval()(words), emb(words))


def test_gradients_of_words_are_those_of_a_masked_table():
    emb = nn.Embedding(20, 3)
    words = torch.randint(20, (4, 5))
    with no_random(1):
        EmbeddingDropout(emb, 0.5)(words).square().sum().backward()
    with no_random(1):
        mask = dropout_mask(emb.weight, (20, 1), 0.5)
    table = emb.weight.detach().clone().requires_grad_()
    (table * mask)[words].square().sum().backward()
    torch.testing.assert_close(emb.weight.grad, table.grad)


LAYERS = {
    "lstm": lambda: nn.LSTM(5, 7, batch_first=True),
    "gru": lambda: nn.GRU(5, 7, batch_first=True),
    "lstm both ways": lambda: nn.LSTM(5, 7, batch_first=True, bidirectional=True),
    "without bias": lambda: nn.LSTM(5, 7, batch_first=True, bias=False),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_layer_is_as_torch_says_with_its_weights_masked(make):
    layer = make()
    twin = copy.deepcopy(layer)
    names = [n for n, _ in layer.named_parameters() if n.startswith("weight_hh")]
    dropped = WeightDropout(layer, 0.5, names)
    x = torch.rand(3, 4, 5)
    with no_random(7):
        output, state = dropped(x)
    with no_random(7), torch.no_grad():
        for name in names:
            weight = getattr(twin, name)
            weight.copy_(nn.functional.dropout(weight, 0.5, training=True))
    expected, expected_state = twin(x)
    torch.testing.assert_close(output, expected)
    first = expected_state[0] if isinstance(expected_state, tuple) else expected_state
    torch.testing.assert_close(state[0], first)

    output.square().sum().backward()
    expected.square().sum().backward()
    for name in names:
        raw, masked = getattr(dropped, f"{name}_raw"), getattr(twin, name)
        torch.testing.assert_close(raw.grad, masked.grad * (masked != 0) * 2)
    torch.testing.assert_close(layer.weight_ih_l0.grad, twin.weight_ih_l0.grad)


def test_outside_of_training_the_layer_is_as_it_was():
    layer = nn.LSTM(5, 7, batch_first=True)
    twin = copy.deepcopy(layer)
    dropped = WeightDropout(layer, 0.9).eval()
    x, state = torch.rand(3, 4, 5), (torch.rand(1, 3, 7), torch.rand(1, 3, 7))
    torch.testing.assert_close(dropped(x, state)[0], twin(x, state)[0])


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_one_step_without_gradients_is_a_step_of_the_layer(make):
    layer = make()
    twin = copy.deepcopy(layer)
    names = [n for n, _ in layer.named_parameters() if n.startswith("weight_hh")]
    dropped = WeightDropout(layer, 0.5, names).eval()
    x = torch.rand(3, 2, 5)
    with torch.no_grad():
        _, state = dropped(x[:, :1])
        output, state = dropped(x[:, 1:], state)
        _, between = twin(x[:, :1])
        expected, last = twin(x[:, 1:], between)
    torch.testing.assert_close(output, expected)
    for found, wanted in zip(state, last if isinstance(last, tuple) else (last,), strict=True):
        torch.testing.assert_close(found, wanted)


def test_any_module_may_have_weights_hidden():
    dropped = WeightDropout(nn.Linear(4, 200, bias=False), 0.5, "weight")
    output = dropped(torch.eye(4))
    assert 0.3 < (output == 0).float().mean() < 0.7
    output.sum().backward()
    assert dropped.weight_raw.grad is not None


def test_weights_are_hidden_anew_at_each_call():
    dropped = WeightDropout(nn.LSTM(5, 7, batch_first=True), 0.5)
    x = torch.rand(3, 4, 5)
    assert not torch.equal(dropped(x)[0], dropped(x)[0])


def test_it_is_copied_and_saved_between_a_step_and_the_next():
    dropped = WeightDropout(nn.LSTM(5, 7, batch_first=True), 0.5)
    x = torch.rand(3, 4, 5)
    dropped(x)[0].sum().backward()
    twin = copy.deepcopy(dropped)
    other = WeightDropout(nn.LSTM(5, 7, batch_first=True), 0.5)
    other.load_state_dict(dropped.state_dict())
    for each in (twin, other):
        torch.testing.assert_close(each.eval()(x)[0], dropped.eval()(x)[0])
    assert "module.weight_hh_l0" not in dropped.state_dict()


def test_torch_compile_follows_where_it_follows_a_layer():
    dropped = WeightDropout(nn.LSTM(5, 7, batch_first=True), 0.0)
    compiled = torch.compile(dropped, backend="eager")
    x = torch.rand(3, 4, 5)
    torch.testing.assert_close(compiled(x)[0], dropped(x)[0])


def test_layers_move_between_kinds_of_numbers():
    dropped = WeightDropout(nn.LSTM(5, 7, batch_first=True), 0.5).double()
    assert dropped(torch.rand(3, 4, 5, dtype=torch.float64))[0].dtype == torch.float64


def test_a_weight_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'weight_hh_l00'.*Did you mean 'weight_hh_l0'"):
        WeightDropout(nn.LSTM(5, 7), 0.5, "weight_hh_l00")


@pytest.mark.parametrize("make", [RNNDropout, lambda p: EmbeddingDropout(nn.Embedding(3, 2), p)])
@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_share_is_between_nothing_and_all(make, p):
    with pytest.raises(ValueError, match="from 0 to 1"):
        make(p)


def test_in_one_piece_weights_are_the_same_and_matrices_come_first():
    layer = nn.LSTM(3, 2, bidirectional=True)
    weights = [getattr(layer, n) for n in layer._flat_weights_names]
    placed = _in_one_piece(weights, layer)
    for before, after in zip(weights, placed, strict=True):
        assert torch.equal(before, after)
    start = placed[0].data_ptr()
    sizes = [w.numel() * 4 for w in weights]
    offsets = [p.data_ptr() - start for p in placed]
    order = [0, 1, 4, 5, 2, 3, 6, 7]  # ih, hh, ih', hh', then their biases
    expected = {i: sum(sizes[j] for j in order[:n]) for n, i in enumerate(order)}
    assert offsets == [expected[i] for i in range(8)]
    sum(p.sum() for p in placed).backward()
    assert torch.equal(layer.weight_hh_l0.grad, torch.ones(8, 2))
