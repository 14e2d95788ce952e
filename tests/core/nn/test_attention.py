"""Self-attention against its formulas, written with explicit matrices."""

import pytest
import torch
import torch.nn.functional as F

from layerwise.core.nn import PooledSelfAttention2d, SelfAttention, SimpleSelfAttention


@pytest.mark.parametrize("layer", [SelfAttention(16), SimpleSelfAttention(16, sym=True)])
@pytest.mark.parametrize("space", [(7,), (4, 5), (2, 3, 4)])
def test_attention_starts_as_the_identity(layer, space):
    x = torch.rand(2, 16, *space)
    torch.testing.assert_close(layer(x), x)


def test_self_attention_follows_its_formula():
    layer = SelfAttention(16).eval()
    layer.gamma.data.fill_(0.7)
    x = torch.rand(2, 16, 4, 5)
    flat = x.view(2, 16, -1)
    query, key, value = layer.query(flat), layer.key(flat), layer.value(flat)
    weights = torch.bmm(query.transpose(1, 2), key).softmax(dim=1)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 20))
    expected = 0.7 * torch.bmm(value, weights).view_as(x) + x
    torch.testing.assert_close(layer(x), expected)


def test_pooled_attention_follows_its_formula():
    layer = PooledSelfAttention2d(16).eval()
    layer.gamma.data.fill_(0.5)
    x = torch.rand(2, 16, 4, 6)
    theta = layer.theta(x).flatten(2)
    phi = F.max_pool2d(layer.phi(x), 2).flatten(2)
    g = F.max_pool2d(layer.g(x), 2).flatten(2)
    weights = torch.einsum("bkn,bkm->bnm", theta, phi).softmax(-1)
    out = torch.einsum("bcm,bnm->bcn", g, weights).view(2, 8, 4, 6)
    torch.testing.assert_close(layer(x), 0.5 * layer.o(out) + x)


def test_pooled_attention_starts_as_the_identity():
    x = torch.rand(1, 8, 4, 4)
    torch.testing.assert_close(PooledSelfAttention2d(8)(x), x)


@pytest.mark.parametrize("sym", [False, True])
def test_simple_attention_follows_its_formula(sym):
    layer = SimpleSelfAttention(4, sym=sym).eval()
    layer.gamma.data.fill_(0.3)
    x = torch.rand(2, 4, 3, 3)
    weight, flat = layer.conv.weight[..., 0], x.flatten(2)
    weight = (weight + weight.T) / 2 if sym else weight
    expected = flat + 0.3 * torch.einsum("bcn,bdn,de,bem->bcm", flat, flat, weight, flat)
    torch.testing.assert_close(layer(x), expected.view_as(x))


def test_symmetry_needs_a_window_of_one():
    with pytest.raises(ValueError, match="needs ks=1"):
        SimpleSelfAttention(4, ks=3, sym=True)


def test_few_channels_are_enough():
    for layer in (SelfAttention(2), PooledSelfAttention2d(1), SimpleSelfAttention(2, ks=3)):
        x = torch.rand(1, 1 if isinstance(layer, PooledSelfAttention2d) else 2, 4, 4)
        layer(x).sum().backward()
        assert layer.gamma.grad is not None
