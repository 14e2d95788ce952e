"""Scores of adapters, against those of the models themselves for one text without padding."""

import pytest
import torch

from layerwise.core.errors import ConfigError
from layerwise.core.settings import settings_of
from layerwise.text.hugging_face.adapter import HuggingFaceModel, positions_of

KINDS = ["bert", "distilbert", "roberta", "deberta-v2", "gpt2", "modernbert", "llama"]
TEXTS = [[2, 7, 9, 11, 3], [2, 8, 3], [2, 5, 6, 7, 8, 9, 3]]


def batch(side, pad_idx):
    size = max(map(len, TEXTS))
    rows = []
    for text in TEXTS:
        filling = [pad_idx] * (size - len(text))
        rows.append(text + filling if side == "right" else filling + text)
    return torch.tensor(rows)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_texts_are_those_without_padding(model_of, kind, side):
    model = model_of(kind, num_labels=3)
    with torch.no_grad():
        found = HuggingFaceModel(model, 0).eval()(batch(side, 0))
        alone = torch.cat([model(input_ids=torch.tensor([text])).logits for text in TEXTS])
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_tokens_stay_where_the_tokens_are(model_of, kind, side):
    model = model_of(kind, "TokenClassification", num_labels=3)
    tokens = batch(side, 0)
    with torch.no_grad():
        found = HuggingFaceModel(model, 0).eval()(tokens)
        alone = torch.cat([model(input_ids=torch.tensor([text])).logits[0] for text in TEXTS])
    assert found.shape == (3, 7, 3)
    torch.testing.assert_close(found[tokens != 0], alone, atol=1e-5, rtol=1e-4)


def test_complements_are_read_as_the_numbers(model_of):
    adapter = HuggingFaceModel(model_of("bert"), 0).eval()
    tokens = batch("right", 0)
    marked = torch.where(torch.arange(7) % 2 == 0, ~tokens, tokens)
    with torch.no_grad():
        assert torch.equal(adapter(marked), adapter(tokens))


def test_an_empty_text_has_scores(model_of):
    with torch.no_grad():
        assert HuggingFaceModel(model_of("bert"), 0)(torch.zeros(2, 4).long()).isfinite().all()


def test_scores_are_squashed_into_a_range(model_of):
    adapter = HuggingFaceModel(model_of("bert", num_labels=1), 0, (1, 5))
    with torch.no_grad():
        adapter.model.classifier.bias.fill_(1e3)
        assert adapter(batch("right", 0)).tolist() == [[5.0]] * 3


def test_a_model_learns_which_token_pads_and_keeps_what_it_knew(model_of):
    model = model_of("gpt2", pad_token_id=None)
    HuggingFaceModel(model, 7)
    assert model.config.pad_token_id == 7
    with pytest.raises(ValueError, match=r"padded with token 1, and for BertFor.* token 0"):
        HuggingFaceModel(model_of("bert"), 1)


@pytest.mark.parametrize(
    ("kind", "pad", "positions"),
    [("bert", 0, 40), ("roberta", 1, 38), ("gpt2", 0, 40), ("modernbert", 0, 40)],
)
def test_what_is_too_long_is_told_with_what_to_do(model_of, kind, pad, positions):
    model = model_of(kind, pad_token_id=pad)
    assert positions_of(model) == positions
    adapter = HuggingFaceModel(model, pad)
    adapter(torch.full((1, positions), 9))
    with pytest.raises(ValueError, match=rf"max_len={positions}"):
        adapter(torch.full((1, positions + 1), 9))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_make_the_same_model_but_for_its_weights(model_of, kind):
    model = model_of(kind, "TokenClassification", num_labels=5)
    own = settings_of(HuggingFaceModel(model, 0, (0, 1)))
    again = HuggingFaceModel.from_settings(**own)
    assert type(again.model) is type(model)
    assert settings_of(again) == own
    again.model.load_state_dict(model.state_dict())
    with torch.no_grad():
        tokens = batch("left", 0)
        expected = HuggingFaceModel(model, 0, (0, 1))(tokens)
        torch.testing.assert_close(again.eval()(tokens), expected)


def test_settings_name_nothing_to_fetch(model_of):
    model = model_of("bert")
    model.config.auto_map = {"AutoModel": "somebody/model--code.Model"}
    own = settings_of(HuggingFaceModel(model, 0))
    assert "auto_map" not in own["config"]
    # Nor does what a stranger writes into them.
    own["config"] |= {"auto_map": {"AutoModel": "a/b--c.D"}, "_attn_implementation": "a/b"}
    assert HuggingFaceModel.from_settings(**own).model.config._attn_implementation == "sdpa"


def test_a_class_of_ones_own_has_no_settings(model_of):
    model = model_of("bert")
    model.__class__ = type("Mine", (type(model),), {})
    with pytest.raises(ConfigError, match="Mine is no class that transformers would make"):
        settings_of(HuggingFaceModel(model, 0))


@pytest.mark.parametrize("kind", ["bert", "gpt2", "modernbert"])
def test_it_can_be_compiled(model_of, kind):
    adapter = HuggingFaceModel(model_of(kind), 0).eval()
    tokens = batch("left", 0)
    with torch.no_grad():
        expected = adapter(tokens)
        torch.testing.assert_close(torch.compile(adapter, backend="eager")(tokens), expected)
