"""Language models of transformers, against reading everything anew and against their own search."""

import pytest
import torch

from layerwise.text.generate import generate, stream
from layerwise.text.hugging_face.writer import HuggingFaceWriter

PROMPTS = [[2, 7, 9], [5, 6, 7], [4, 4]]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_is_remembered_gives_the_scores_of_reading_it_all(model_of, kind):
    writer = HuggingFaceWriter(model_of(kind, "CausalLM")).eval()
    tokens = torch.randint(4, 60, (3, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = writer(tokens)
        writer.remember()
        parts = torch.cat([writer(tokens[:, :5]), writer(tokens[:, 5:6]), writer(tokens[:, 6:])], 1)
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)
        writer.reset()
        writer.remember()
        writer(tokens[:, :5])
        writer.select_rows(torch.tensor([2, 0]))
        torch.testing.assert_close(
            writer(tokens[[2, 0], 5:]), whole[[2, 0], 5:], atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_likeliest_text_is_that_of_transformers(model_of, kind):
    model = model_of(kind, "CausalLM", pad_token_id=0)
    model.generation_config.eos_token_id = None
    found = generate(HuggingFaceWriter(model), PROMPTS, 8, temperature=0)
    for prompt, made in zip(PROMPTS, found, strict=True):
        tokens = torch.tensor([prompt])
        expected = model.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=8, do_sample=False
        )
        assert made == expected[0, len(prompt) :].tolist()


def test_what_is_drawn_is_streamed(model_of):
    writer = HuggingFaceWriter(model_of("gpt2", "CausalLM"))
    assert list(stream(writer, [2, 5], 6, seed=1)) == generate(writer, [2, 5], 6, seed=1)[0]


def test_a_model_that_sees_what_it_is_to_predict_is_refused(model_of):
    with pytest.raises(ValueError, match="BertLMHeadModel sees the tokens that it is to predict"):
        HuggingFaceWriter(model_of("bert", "CausalLM", initializer_range=1.0))
    HuggingFaceWriter(model_of("bert", "CausalLM", initializer_range=1.0, is_decoder=True))


def test_what_is_too_long_is_told(model_of):
    writer = HuggingFaceWriter(model_of("gpt2", "CausalLM"))
    with pytest.raises(ValueError, match="41 tokens, and the model has positions for 40"):
        generate(writer, [2] * 35, 10)
