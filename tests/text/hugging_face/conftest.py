"""Small models of several kinds, made of their configurations."""

import pytest

SMALL = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 40,
}  # fmt: skip
KINDS = ["bert", "distilbert", "roberta", "deberta-v2", "gpt2", "modernbert", "llama"]


def settings_of(kind):
    """Of a model of two narrow layers."""
    if kind == "distilbert":
        return {"vocab_size": 60, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32,
                "max_position_embeddings": 40}  # fmt: skip
    if kind == "gpt2":
        return {"vocab_size": 60, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40,
                "bos_token_id": 2, "eos_token_id": 3}  # fmt: skip
    if kind == "modernbert":
        ends = ("cls", "sep", "bos", "eos")
        return {**SMALL, **{f"{end}_token_id": 2 for end in ends}, "pad_token_id": 0}
    if kind == "deberta-v2":
        return {**SMALL, "relative_attention": True, "position_buckets": 8,
                "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm"}  # fmt: skip
    return SMALL


@pytest.fixture
def config_of(transformers):
    """The configuration of a small model of a kind, padded with token 0 unless told otherwise."""

    def made(kind, **settings):
        told = {"pad_token_id": 0, **settings_of(kind), **settings}
        return transformers.AutoConfig.for_model(kind, **told)

    return made


@pytest.fixture
def model_of(transformers, config_of):
    """A small model of a kind for a task."""

    def made(kind, task="SequenceClassification", **settings):
        auto = getattr(transformers, f"AutoModelFor{task}")
        return auto.from_config(config_of(kind, **settings)).eval()

    return made
