"""A language model that learns to count, and then goes on counting."""

import tarfile

import pytest
import torch

from layerwise.core.callback.rnn import rnn_cbs
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.metrics import accuracy
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.text.generate import generate
from layerwise.text.models import AWD_LSTM, GRUEncoder, TextTransformer, get_language_model

BS, BPTT = 16, 32


def numbers(mirror):
    """The words of all numbers up to 9,999, each with a dot behind it, and the vocabulary."""
    with tarfile.open(mirror / "human_numbers.tgz") as packed:
        parts = [packed.extractfile(f"human_numbers/{name}.txt") for name in ("train", "valid")]
        lines = [line for part in parts for line in part.read().decode().splitlines()]
    words = [word for line in lines if line.strip() for word in (*line.split(), ".")]
    return words, ["xxunk", "xxpad", *sorted(set(words))]


def streams(tokens, bs=BS):
    length = (len(tokens) - 1) // bs // BPTT * BPTT
    rows = torch.stack([tokens[i * length : (i + 1) * length + 1] for i in range(bs)])
    return [(rows[:, i : i + BPTT], rows[:, i + 1 : i + BPTT + 1]) for i in range(0, length, BPTT)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "settings", "rate", "penalty", "least"),
    [
        (AWD_LSTM, {"emb_sz": 64, "n_hid": 128, "n_layers": 2}, 1e-2, (2, 1), 0.7),
        (GRUEncoder, {"emb_sz": 64, "n_hid": 128, "n_layers": 2}, 1e-2, (2, 1), 0.7),
        (
            TextTransformer,
            {"emb_sz": 64, "n_layers": 2, "n_heads": 4},
            1e-2,
            (),
            0.6,
        ),  # sees 32 words and no more
    ],
)
def test_it_learns_to_count(mirror, arch, settings, rate, penalty, least):
    words, vocab = numbers(mirror)
    number = {word: i for i, word in enumerate(vocab)}
    tokens = torch.tensor([number[word] for word in words])
    cut = len(tokens) * 4 // 5
    torch.manual_seed(0)
    model = get_language_model(arch, len(vocab), settings, drop_mult=0.2)
    dls = DataLoaders(streams(tokens[:cut]), streams(tokens[cut:], 16))
    learn = Learner(
        dls, model, loss_func=CrossEntropyLossFlat(), metrics=accuracy, cbs=rnn_cbs(*penalty)
    )
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(6, rate)
    assert learn.recorder.values[-1][-1] > least
    ends = ("two", "three", "four", "five", "six", "seven")
    start = [number[word] for n in ends for word in ("one", "hundred", n, ".")]
    text = [vocab[i] for i in generate(model, start, 5, temperature=0)[0]]
    assert "." in text
    if arch is not TextTransformer:  # which has not learnt yet to look so far back
        assert text[0] == "one"
        assert text[1] in ("hundred", "thousand")
