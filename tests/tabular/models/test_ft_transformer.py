"""The transformer over columns, against the formulas of its paper and torch's own attention."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from layerwise.core.optim.algorithms import Adam
from layerwise.tabular.models import FTTransformer, tokenizer_split


def linear(x, layer):
    return x @ layer.weight.T + layer.bias


def attention(layer, x):
    """What torch's own module makes of the same weights."""
    own = nn.MultiheadAttention(x.shape[-1], layer.heads, batch_first=True)
    parts = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        own.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        own.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        own.out_proj.weight.copy_(layer.out.weight)
        own.out_proj.bias.copy_(layer.out.bias)
        return own(x, x, x)[0]


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_batch_follows_the_formulas_of_the_paper(blocks):
    torch.manual_seed(0)
    model = FTTransformer([(4, 99), (6, 99)], 3, 5, width=12, heads=3, blocks=blocks).eval()
    x_cat = torch.stack([torch.randint(4, (7,)), torch.randint(6, (7,))], 1)
    x_cont = torch.randn(7, 3)
    with torch.no_grad():
        predicted = model(x_cat, x_cont)
        tokenizer = model.tokenizer
        tokens = [tokenizer.first.expand(7, 12)]
        tokens += [model.embeds[i].weight[x_cat[:, i]] + tokenizer.bias[i] for i in range(2)]
        tokens += [
            x_cont[:, i, None] * tokenizer.weight[i] + tokenizer.bias[2 + i] for i in range(3)
        ]
        x = torch.stack(tokens, 1)
        for i, block in enumerate(model.blocks):
            norm = block.attention_norm
            normed = x if i == 0 else F.layer_norm(x, (12,), norm.weight, norm.bias)
            x = x + attention(block.attention, normed)
            norm = block.ffn_norm
            inner = linear(F.layer_norm(x, (12,), norm.weight, norm.bias), block.ffn.into)
            assert inner.shape == (7, 6, 2 * 16)  # 4/3 of 12, twice
            x = x + linear(inner[..., :16] * inner[..., 16:].clamp(min=0), block.ffn.out)
        norm, _, last = model.head
        x = F.layer_norm(x[:, 0], (12,), norm.weight, norm.bias)
        torch.testing.assert_close(predicted, linear(x.relu(), last))


def test_tokens_start_within_the_bound_of_the_paper():
    torch.manual_seed(0)
    model = FTTransformer([(50, 1)], 20, 1, width=64)
    for parameter in model.tokenizer.parameters():
        assert parameter.abs().max() <= 1 / 8
        # A uniform distribution up to 1/8 has this deviation.
        assert parameter.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.2)


def test_the_width_of_a_size_is_not_asked_for():
    torch.manual_seed(0)
    first = FTTransformer([(4, 3)], 0, 1, width=16)
    torch.manual_seed(0)
    second = FTTransformer([(4, 600)], 0, 1, width=16)
    shapes = [[tuple(p.shape) for p in model.parameters()] for model in (first, second)]
    assert shapes[0] == shapes[1]
    assert first.embeds[0].weight.shape == (4, 16)


def test_the_default_of_the_paper_has_its_size():
    model = FTTransformer(
        [], 8, 1, width=192, blocks=3, attention_p=0.2, ffn_p=0.1
    )  # California housing
    attention = 4 * (192 * 192 + 192)
    ffn = 192 * 512 + 512 + 256 * 192 + 192
    norms = 5 * 2 * 192  # two a block but for the first of all
    tokens = 192 * (8 + 8 + 1)
    expected = 3 * (attention + ffn) + norms + tokens + 2 * 192 + 192 + 1
    assert sum(p.numel() for p in model.parameters()) == expected
    assert 850_000 < expected < 950_000  # "about 900 thousand"


def test_dropout_hides_attention_in_training_alone():
    torch.manual_seed(0)
    model = FTTransformer([], 4, 1, width=16, attention_p=0.9, ffn_p=0, residual_p=0)
    x = torch.randn(8, 4)
    assert not torch.equal(model(None, x), model(None, x))
    model.eval()
    assert torch.equal(model(None, x), model(None, x))


def test_heads_share_the_width():
    with pytest.raises(ValueError, match="width=100 for 8 heads; give a multiple of 8"):
        FTTransformer([], 2, 1, width=100)


def test_the_tokenizer_can_be_spared_weight_decay():
    torch.manual_seed(0)
    model = FTTransformer([(4, 1)], 2, 1, width=16, unknown_p=0)
    groups = tokenizer_split(model)
    assert sum(map(len, groups)) == len(list(model.parameters()))
    optimizer = partial(Adam, wd=[0.0, 0.5])(groups, lr=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer.step()
    for name, parameter in model.named_parameters():
        # Without a gradient a step only shrinks, by lr * wd.
        factor = 1.0 if name.startswith("tokenizer") else 0.95
        torch.testing.assert_close(parameter.detach(), before[name] * factor)
