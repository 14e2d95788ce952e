"""Generation by every architecture: exact, repeatable, one step a token."""

from itertools import product

import pytest
import torch
from torch import nn

from layerwise.text.beam import beam_search
from layerwise.text.generate import generate, stream
from layerwise.text.models import (
    AWD_LSTM,
    GRUEncoder,
    LSTMEncoder,
    SequentialRNN,
    TextEncoder,
    TextTransformer,
    get_language_model,
)

ARCHS = [AWD_LSTM, GRUEncoder, LSTMEncoder, TextTransformer]


def some_model(arch, words=12):
    torch.manual_seed(1)
    narrow = {} if arch is TextTransformer else {"n_hid": 20}
    model = get_language_model(arch, words, {"emb_sz": 16, "n_layers": 2, **narrow})
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)  # scores that differ
    return model


@pytest.fixture(params=ARCHS, ids=lambda arch: arch.__name__)
def model(request):
    return some_model(request.param)


def greedy(model, prompt, n):
    """The likeliest token again and again, with the whole text read each time."""
    model.eval()
    tokens = list(prompt)
    for _ in range(n):
        model.reset()
        tokens.append(model(torch.tensor([tokens]))[0][0, -1].argmax().item())
    model.reset()
    return tokens[len(prompt) :]


def test_steps_say_what_the_whole_text_says(model):
    expected = greedy(model, [3, 4, 5], 10)
    assert generate(model, [3, 4, 5], 10, temperature=0) == [expected]
    assert generate(model, torch.tensor([3, 4, 5]), 10, temperature=0) == [expected]


def test_a_token_more_reads_one_token_more(model):
    read = []
    model[0].register_forward_pre_hook(lambda module, args: read.append(tuple(args[0].shape)))
    generate(model, [[3, 4, 5], [4, 5, 6]], 4)
    assert read == [(2, 3), (2, 1), (2, 1), (2, 1)]


def test_equal_seeds_give_equal_texts(model):
    texts = generate(model, [[3, 4]] * 4, 12, seed=5)
    assert generate(model, [[3, 4]] * 4, 12, seed=5) == texts
    assert generate(model, [[3, 4]] * 4, 12, seed=6) != texts
    assert len({tuple(text) for text in texts}) == 4
    torch.manual_seed(2)
    first = generate(model, [3, 4], 12)
    torch.manual_seed(2)
    assert generate(model, [3, 4], 12) == first


def test_a_prompt_gets_the_same_among_others_of_any_length(model):
    prompts = [[3, 4], [5], [6, 7, 8], [9, 2]]
    texts = generate(model, prompts, 9, seed=3, temperature=1.5)
    assert generate(model, prompts[:2], 9, seed=3, temperature=1.5) == texts[:2]
    others = [prompts[0], [2, 3, 4], *prompts[2:]]
    assert generate(model, others, 9, seed=3, temperature=1.5)[2:] == texts[2:]


def test_a_stream_gives_the_same_one_by_one(model):
    expected = generate(model, [3, 4], 8, seed=3)[0]
    tokens = stream(model, [3, 4], 8, seed=3)
    assert next(tokens) == expected[0]
    assert torch.is_grad_enabled()
    assert list(tokens) == expected[1:]


def test_it_ends_where_it_is_told_to_in_each_text(model):
    free = generate(model, [[3], [4], [5], [6]], 30, seed=1)
    ended = generate(model, [[3], [4], [5], [6]], 30, seed=1, stop=[7])
    for with_stop, without in zip(ended, free, strict=True):
        end = without.index(7) if 7 in without else len(without)
        assert with_stop == without[:end]
    assert len({len(text) for text in ended}) > 1


def test_banned_tokens_and_repetitions_never_come(model):
    texts = generate(model, [[3, 4]] * 5, 40, seed=1, banned=[0, 1], no_repeat=2)
    for text in texts:
        assert not {0, 1} & set(text)
        pairs = list(zip([4, *text], text, strict=False))
        assert len(set(pairs)) == len(pairs)


def test_the_model_is_as_before_and_has_forgotten(model):
    model.train()
    model[1].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    tokens = stream(model, [3, 4], 8)
    next(tokens)
    tokens.close()
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    model.eval()
    x = torch.tensor([[3, 4]])
    first = model(x)[0]
    model.reset()
    torch.testing.assert_close(model(x)[0], first)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("arch", ARCHS)
def test_a_wide_beam_finds_the_likeliest_of_all_texts(arch):
    words, prompt, n = 5, [2, 3], 3
    model = some_model(arch, words).eval()
    logs = {}
    for text in product(range(words), repeat=n):
        model.reset()
        whole = torch.tensor([[*prompt, *text]])
        found = model(whole)[0].log_softmax(2)[0]
        logs[text] = sum(found[1 + i, token].item() for i, token in enumerate(text))
    expected = sorted(logs, key=lambda text: -logs[text])
    model.reset()
    found = beam_search(model, prompt, n, beam=words ** (n - 1))
    assert [tuple(each.tokens) for each in found[:5]] == expected[:5]
    assert found[0].log_probability == pytest.approx(logs[expected[0]], abs=1e-4)
    assert generate(model, prompt, n, beam=words ** (n - 1)) == [list(expected[0])]
    assert generate(model, prompt, n, beam=1) == [greedy(model, prompt, n)]


class Bigrams(TextEncoder):
    """What comes next depends on the last token alone, by a table of probabilities."""

    def __init__(self, table):
        self.encoder = nn.Embedding.from_pretrained(torch.tensor(table).log())

    def forward(self, inp, from_embeds=False):
        return self.encoder(inp)

    def reset(self):
        pass

    def select_rows(self, rows):
        pass


# From 0 to 1 or 2; 1 is likelier, but leads to many; 2 leads to 3, which ends it.
TABLE = [[0.0, 0.6, 0.4, 0.0], [0.3, 0.3, 0.2, 0.2], [0.0, 0.05, 0.05, 0.9], [0.25] * 4]


def test_a_beam_by_hand():
    model = SequentialRNN(Bigrams(TABLE), nn.Identity())
    assert generate(model, [0], 2, beam=1) in ([[1, 0]], [[1, 1]])
    best = beam_search(model, [0], 2, beam=2)
    assert best[0].tokens == [2, 3]
    assert best[0].log_probability == pytest.approx(torch.tensor(0.36).log().item())
    ended = beam_search(model, [0], 5, beam=2, stop=[3])
    assert ended[0].tokens == [2]
    assert ended[0].log_probability == pytest.approx(torch.tensor(0.36).log().item())
    banned = beam_search(model, [0], 2, beam=2, banned=[2])
    assert banned[0].log_probability == pytest.approx(torch.tensor(0.18).log().item())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"beam": 0}, "beam=0"),
        ({"beam": 2, "temperature": 0.5}, "temperature"),
        ({"beam": 2, "seed": 1}, "seed"),
        ({"top_k": 0}, "top_k=0"),
        ({"n": -1}, "n=-1"),
    ],
)
def test_settings_without_sense_are_named(model, settings, told):
    with pytest.raises(ValueError, match=told):
        generate(model, [3], **{"n": 2, **settings})
    with pytest.raises(TypeError, match="Did you mean 'top_k'"):
        generate(model, [3], 2, topk=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("prompt", [[], [[3], []], torch.zeros(0, dtype=torch.long)])
def test_an_empty_prompt_is_refused(model, prompt):
    with pytest.raises(ValueError, match="an empty prompt"):
        generate(model, prompt, 2)


def test_a_model_without_an_encoder_is_refused():
    with pytest.raises(TypeError, match="TextEncoder"):
        generate(nn.Linear(2, 2), [1], 2)
    with pytest.raises(ValueError, match="2 prompts"):
        stream(nn.Linear(2, 2), torch.tensor([[1], [2]]), 2)
