"""Language models of every architecture, and the table of architectures."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from layerwise.core.registry import register
from layerwise.core.settings import recipe_of
from layerwise.text.models import (
    AWD_LSTM,
    GRUEncoder,
    LinearDecoder,
    LSTMEncoder,
    SequentialRNN,
    TextArch,
    TextEncoder,
    TextTransformer,
    get_language_model,
    text_arch,
    text_archs,
)

SMALL = {"emb_sz": 16, "n_layers": 2}
ARCHS = [AWD_LSTM, GRUEncoder, LSTMEncoder, TextTransformer]


@pytest.mark.parametrize("arch", ARCHS)
def test_it_gives_scores_and_activations_before_and_after_dropout(arch):
    model: Any = get_language_model(arch, 30, SMALL)
    tokens = torch.randint(30, (3, 7))
    decoded, raw, dropped = model(tokens)
    assert (decoded.shape, raw.shape, dropped.shape) == ((3, 7, 30), (3, 7, 16), (3, 7, 16))
    torch.testing.assert_close(model[1].decoder(dropped), decoded)
    assert not torch.equal(raw, dropped)
    model.eval()
    _, raw, dropped = model(tokens)
    assert torch.equal(raw, dropped)


@pytest.mark.parametrize("arch", ARCHS)
def test_a_word_is_not_seen_before_it_comes(arch):
    model: Any = get_language_model(arch, 30, SMALL).eval()
    tokens = torch.randint(2, 30, (1, 8))
    other = tokens.clone()
    other[0, 5] = (tokens[0, 5] + 1) % 28 + 2
    model.reset()
    first = model(tokens)[0]
    model.reset()
    second = model(other)[0]
    torch.testing.assert_close(first[:, :5], second[:, :5])
    assert not torch.allclose(first[:, 5:], second[:, 5:])


@pytest.mark.parametrize("arch", ARCHS)
def test_it_learns_a_text_by_heart(arch):
    torch.manual_seed(0)
    model: Any = get_language_model(arch, 30, {"emb_sz": 32, "n_layers": 1}, drop_mult=0.0)
    text = torch.randint(2, 30, (2, 16))
    opt = torch.optim.Adam(model.parameters(), 2e-2)
    for _ in range(150):
        model.reset()
        loss = nn.functional.cross_entropy(
            model(text[:, :-1])[0].flatten(0, 1), text[:, 1:].flatten()
        )
        loss.backward()
        opt.step()
        opt.zero_grad()
    assert loss.item() < 0.3


@pytest.mark.parametrize("arch", ARCHS)
def test_groups_cover_each_parameter_once(arch):
    known = text_arch(arch)
    model: Any = get_language_model(arch, 30, SMALL)
    groups = known.lm_split(model)
    found = [id(p) for group in groups for p in group]
    assert sorted(found) == sorted(id(p) for p in model.parameters())
    assert len(groups) == 3
    assert any(p is model[1].decoder.weight for p in groups[-1])


def test_the_weight_of_the_embedding_is_shared_unless_told_otherwise():
    model: Any = get_language_model(AWD_LSTM, 30, SMALL)
    assert model[1].decoder.weight is model[0].encoder.weight
    twin: Any = copy.deepcopy(model)
    assert twin[1].decoder.weight is twin[0].encoder.weight
    config = {**SMALL, "tie_weights": False, "out_bias": False}
    apart: Any = get_language_model(AWD_LSTM, 30, config)
    assert apart[1].decoder.weight is not apart[0].encoder.weight
    assert apart[1].decoder.weight.abs().max() <= 0.1
    assert apart[1].decoder.bias is None


def test_an_embedding_of_another_size_cannot_be_shared():
    with pytest.raises(ValueError, match="tie_weights=False"):
        LinearDecoder(10, 5, tie_encoder=nn.Embedding(10, 4))


def test_all_dropout_has_one_factor():
    model: Any = get_language_model(AWD_LSTM, 30, drop_mult=0.5)
    encoder = model[0]
    shares = (encoder.input_dp.p, encoder.hidden_dps[0].p, encoder.encoder_dp.embed_p)
    assert (*shares, encoder.rnns[0].weight_p, model[1].output_dp.p) == (
        0.125, 0.075, 0.01, 0.1, 0.05,
    )  # fmt: skip


def test_a_misspelt_setting_is_named():
    with pytest.raises(TypeError, match=r"unknown keyword 'n_hidd'. Did you mean 'n_hid'"):
        get_language_model(AWD_LSTM, 30, {"n_hidd": 3})
    with pytest.raises(TypeError, match="Did you mean 'config'"):
        get_language_model(AWD_LSTM, 30, confg={})  # type: ignore[call-arg]


def test_it_knows_the_call_that_made_it():
    recipe = recipe_of(get_language_model(AWD_LSTM, 30, SMALL))
    assert recipe.function is get_language_model
    again = recipe.function(**recipe.settings)
    assert [p.shape for p in again.parameters()] == [
        p.shape for p in get_language_model(AWD_LSTM, 30, SMALL).parameters()
    ]


class Counting(TextEncoder):
    """An encoder of somebody's own: the mean of what came before."""

    def __init__(self, vocab_sz, emb_sz=4):
        self.encoder = nn.Embedding(vocab_sz, emb_sz)

    def forward(self, inp, from_embeds=False):
        x = inp if from_embeds else self.encoder(inp)
        return x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]

    def reset(self):
        pass

    def layer_groups(self):
        return []


def test_an_encoder_of_ones_own_is_added_by_its_settings(monkeypatch):
    with pytest.raises(ValueError, match=r"Counting.*text_archs\[Counting\] = TextArch"):
        get_language_model(Counting, 30)
    lm = {"emb_sz": 4, "output_p": 0.0, "tie_weights": True, "out_bias": True}
    arch = TextArch(Counting, lm, {"emb_sz": 4, "output_p": 0.0})
    monkeypatch.setitem(text_archs, Counting, arch)
    model: Any = get_language_model(Counting, 30, {"emb_sz": 6})
    assert model(torch.randint(30, (2, 3)))[0].shape == (2, 3, 30)
    register("model", "test-of-text/counting", Counting)
    assert isinstance(get_language_model("test-of-text/counting", 30)[0], Counting)


def test_reset_reaches_each_module():
    class Told(nn.Module):
        count = 0

        def reset(self):
            self.count += 1

    model = SequentialRNN(Told(), nn.ReLU(), Told())
    model.reset()
    assert [each.count for each in (model[0], model[2])] == [1, 1]
