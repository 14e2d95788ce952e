"""Parameter groups, against the names that weights have in each kind of model."""

import pytest

from layerwise.text.hugging_face.adapter import HuggingFaceModel
from layerwise.text.hugging_face.groups import hugging_face_lm_split, hugging_face_split
from layerwise.text.hugging_face.writer import HuggingFaceWriter

# The beginnings of the names in the embeddings, in a block, and in the head.
NAMES = {
    "bert": ("bert.embeddings", "bert.encoder.layer.{}", "bert.pooler classifier"),
    "distilbert": ("distilbert.embeddings", "distilbert.transformer.layer.{}",
                   "pre_classifier classifier"),
    "roberta": ("roberta.embeddings", "roberta.encoder.layer.{}", "classifier"),
    "deberta-v2": ("deberta.embeddings deberta.encoder.rel_embeddings", "deberta.encoder.layer.{}",
                   "deberta.encoder.LayerNorm pooler classifier"),
    "gpt2": ("transformer.wte transformer.wpe", "transformer.h.{}", "transformer.ln_f score"),
    "modernbert": ("model.embeddings", "model.layers.{}", "model.final_norm head classifier"),
    "llama": ("model.embed_tokens", "model.layers.{}", "model.norm score"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_groups_are_embeddings_blocks_and_head(model_of, kind):
    model = model_of(kind)
    first, block, last = NAMES[kind]
    expected = [first.split(), [block.format(0)], [block.format(1)], last.split()]
    names = {id(p): name for name, p in model.named_parameters()}
    groups = hugging_face_split(HuggingFaceModel(model, 0))
    assert sum(map(len, groups)) == len(names)
    for group, starts in zip(groups, expected, strict=True):
        own = [names[id(p)] for p in group]
        assert all(any(name.startswith(f"{s}.") for s in starts) for name in own)
        assert all(any(name.startswith(f"{s}.") for name in own) for s in starts)


def test_the_head_of_a_language_model_is_with_the_embeddings(model_of):
    model = model_of("gpt2", "CausalLM")
    groups = hugging_face_lm_split(HuggingFaceWriter(model))
    assert len(groups) == 3
    assert any(p is model.lm_head.weight for p in groups[-1])
    assert sum(map(len, groups)) == len(list(model.parameters()))
