"""The transformer against Llama, which is built in the same way, and its memory."""

from typing import Any

import pytest
import torch

from layerwise.text.models import TextTransformer
from layerwise.text.models.transformer import _rotated, _rotations


@pytest.fixture
def transformers():
    """The library; it imports torchvision where that is installed, working or not."""
    zoo = pytest.importorskip("layerwise.vision.models.zoo")
    zoo.stand_in_for_operators()
    return pytest.importorskip("transformers")


def test_it_says_what_llama_of_hugging_face_says(transformers):
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=85, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, rms_norm_eps=torch.finfo(torch.float32).eps,
        rope_theta=10_000.0, pad_token_id=1,
    )  # fmt: skip
    llama = transformers.LlamaModel(config).eval()
    model: Any = TextTransformer(40, emb_sz=32, n_layers=2, n_heads=4).eval()
    with torch.no_grad():
        for weight in llama.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
        model.encoder.weight.copy_(llama.embed_tokens.weight)
        model.norm.weight.copy_(llama.norm.weight)
        for ours, theirs in zip(model.blocks, llama.layers, strict=True):
            ours.attention_norm.weight.copy_(theirs.input_layernorm.weight)
            ours.ffn_norm.weight.copy_(theirs.post_attention_layernorm.weight)
            attention, ffn = theirs.self_attn, theirs.mlp
            parts = (attention.q_proj, attention.k_proj, attention.v_proj)
            ours.attention.into.weight.copy_(torch.cat([part.weight for part in parts]))
            ours.attention.mix.weight.copy_(attention.o_proj.weight)
            ours.ffn.up.weight.copy_(torch.cat([ffn.up_proj.weight, ffn.gate_proj.weight]))
            ours.ffn.down.weight.copy_(ffn.down_proj.weight)
    tokens = torch.randint(2, 40, (2, 17))
    expected = llama(tokens).last_hidden_state
    torch.testing.assert_close(model(tokens), expected, atol=1e-4, rtol=1e-4)


def test_a_turned_pair_depends_on_the_distance_alone():
    query, key = torch.randn(2, 1, 1, 1, 8)
    scores = []
    for start in (0, 5, 100):
        turns = _rotations(start, start + 4, 8, 10_000.0, query)
        queries, keys = (_rotated(x.expand(1, 1, 4, 8), turns) for x in (query, key))
        scores.append((queries[0, 0, 3] * keys[0, 0, 1]).sum())
    torch.testing.assert_close(scores[1], scores[0])
    torch.testing.assert_close(scores[2], scores[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("cuts", [[4], [1, 2, 3], [9], [5, 6]])
def test_with_its_memory_it_reads_in_parts_what_it_reads_at_once(cuts):
    model = TextTransformer(20, emb_sz=16, n_layers=2, n_heads=2).eval()
    tokens = torch.randint(20, (3, 10))
    whole = model(tokens)
    model.remember()
    parts = torch.cat([model(part) for part in torch.tensor_split(tokens, cuts, dim=1)], dim=1)
    torch.testing.assert_close(parts, whole)
    model.reset()
    torch.testing.assert_close(model(tokens), whole)
    assert model.memory is None


def test_rows_of_the_memory_can_be_selected():
    model = TextTransformer(20, emb_sz=16, n_layers=2, n_heads=2).eval()
    tokens = torch.randint(20, (3, 6))
    whole = model(tokens)
    model.remember()
    model(tokens[:, :4])
    model.select_rows(torch.tensor([2, 0]))
    torch.testing.assert_close(model(tokens[[2, 0], 4:]), whole[[2, 0], 4:])


def test_heads_divide_the_width_into_even_parts():
    with pytest.raises(ValueError, match="multiple of 10"):
        TextTransformer(20, emb_sz=32, n_heads=5)


def test_torch_compile_follows_it_without_a_break():
    model = TextTransformer(20, emb_sz=16, n_layers=2, n_heads=2).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    tokens = torch.randint(20, (2, 6))
    torch.testing.assert_close(compiled(tokens), model(tokens))
