"""Weights of other vocabularies and programs."""

import pickle
from collections import OrderedDict

import pytest
import torch
from torch import nn

from layerwise.core.train.checkpoint import ModelFileError, save_model
from layerwise.text.models import (
    AWD_LSTM,
    clean_raw_keys,
    get_language_model,
    load_ignore_keys,
    load_model_text,
    load_pretrained_weights,
    match_embeds,
    read_vocab,
)

SMALL = {"emb_sz": 4, "n_hid": 6, "n_layers": 2}
OLD = ["xxunk", "xxpad", "the", "cat", "sat"]


def published(folder, *, copies):
    """Files of the layout of the weights that fast.ai publishes, written by torch and pickle."""
    n = len(OLD)
    table = torch.randn(n, 4)
    weights = OrderedDict({"0.encoder.weight": table, "0.encoder_dp.emb.weight": table})
    for i, (n_in, n_out) in enumerate([(4, 6), (6, 4)]):
        weights[f"0.rnns.{i}.weight_hh_l0_raw"] = torch.randn(4 * n_out, n_out)
        weights[f"0.rnns.{i}.module.weight_ih_l0"] = torch.randn(4 * n_out, n_in)
        if copies:
            weights[f"0.rnns.{i}.module.weight_hh_l0"] = torch.randn(4 * n_out, n_out)
        weights[f"0.rnns.{i}.module.bias_ih_l0"] = torch.randn(4 * n_out)
        weights[f"0.rnns.{i}.module.bias_hh_l0"] = torch.randn(4 * n_out)
    weights["1.decoder.weight"] = table
    weights["1.decoder.bias"] = torch.randn(n)
    torch.save(weights, folder / "lstm_fwd.pth")
    (folder / "itos_wt103.pkl").write_bytes(pickle.dumps(OLD, protocol=3))
    return weights


@pytest.mark.parametrize("vocab", [OLD, {word: i for i, word in enumerate(OLD)}])
def test_known_words_keep_their_rows_and_new_ones_get_the_mean(vocab):
    table, bias = torch.randn(5, 3), torch.randn(5)
    old = {"0.encoder.weight": table, "1.decoder.weight": table, "1.decoder.bias": bias}
    old["0.rnns.0.bias"] = torch.ones(2)
    new = match_embeds(old, vocab, ["cat", "dog", "the"])
    expected = torch.stack([table[3], table.mean(0), table[2]])
    torch.testing.assert_close(new["0.encoder.weight"], expected)
    torch.testing.assert_close(new["1.decoder.weight"], expected)
    torch.testing.assert_close(new["1.decoder.bias"], torch.stack([bias[3], bias.mean(), bias[2]]))
    assert new["0.rnns.0.bias"] is old["0.rnns.0.bias"]
    assert old["0.encoder.weight"] is table


def test_of_a_word_that_stands_twice_the_first_counts():
    old = {"0.encoder.weight": torch.arange(4.0)[:, None]}
    assert match_embeds(old, ["a", "b", "a", "x"], ["a"])["0.encoder.weight"].item() == 0


def test_a_vocabulary_of_other_weights_is_refused():
    with pytest.raises(ValueError, match="2 rows and the vocabulary 5 words"):
        match_embeds({"0.encoder.weight": torch.zeros(2, 1)}, OLD, OLD)
    with pytest.raises(ValueError, match="no language model"):
        match_embeds({"fc.weight": torch.zeros(2, 1)}, OLD, OLD)


@pytest.mark.parametrize("copies", [False, True])
def test_published_weights_load_with_their_words(tmp_path, copies):
    weights = published(tmp_path, copies=copies)
    vocab = ["xxunk", "xxpad", "sat", "dog"]
    model = get_language_model(AWD_LSTM, 4, SMALL)
    load_pretrained_weights(model, tmp_path / "lstm_fwd.pth", tmp_path / "itos_wt103.pkl", vocab)
    state = model.state_dict()
    for name in state:
        if "rnns" in name:
            assert torch.equal(state[name], weights[name])
    table = weights["0.encoder.weight"]
    expected = torch.stack([table[0], table[1], table[4], table.mean(0)])
    torch.testing.assert_close(state["0.encoder.weight"], expected)
    assert state["1.decoder.weight"].data_ptr() == state["0.encoder.weight"].data_ptr()


@pytest.mark.parametrize("copies", [False, True])
def test_the_layers_say_what_torch_says_with_these_weights(tmp_path, copies):
    weights = published(tmp_path, copies=copies)
    model = get_language_model(AWD_LSTM, 5, SMALL).eval()
    load_pretrained_weights(model, tmp_path / "lstm_fwd.pth", tmp_path / "itos_wt103.pkl", OLD)
    tokens = torch.tensor([[2, 3, 4]])
    x = weights["0.encoder.weight"][tokens]
    for i, (n_in, n_out) in enumerate([(4, 6), (6, 4)]):
        layer = nn.LSTM(n_in, n_out, batch_first=True)
        part = {k: v for k, v in weights.items() if k.startswith(f"0.rnns.{i}.")}
        raw = part.pop(f"0.rnns.{i}.weight_hh_l0_raw")
        own = {k.rpartition(".")[2]: v for k, v in part.items()}
        layer.load_state_dict({**own, "weight_hh_l0": raw})
        x = layer(x)[0]
    expected = x @ weights["1.decoder.weight"].T + weights["1.decoder.bias"]
    torch.testing.assert_close(model(tokens)[0], expected)


def test_weights_of_another_size_are_refused_and_nothing_is_touched(tmp_path):
    published(tmp_path, copies=False)
    model = get_language_model(AWD_LSTM, 5, {**SMALL, "n_hid": 7})
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ModelFileError, match="does not fit this model and vocabulary"):
        load_pretrained_weights(model, tmp_path / "lstm_fwd.pth", tmp_path / "itos_wt103.pkl", OLD)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("count", [0, 1, 3, 70_000])
def test_words_are_read_as_pickle_would_read_them(tmp_path, protocol, count):
    words = [f"wörd{i}" if i % 7 else "again" for i in range(count)]
    (tmp_path / "words.pkl").write_bytes(pickle.dumps(words, protocol=protocol))
    assert read_vocab(tmp_path / "words.pkl") == words


def test_words_may_stand_in_a_text(tmp_path):
    (tmp_path / "vocab.txt").write_text("xxunk\nxxpad\nthe\n")
    assert read_vocab(tmp_path / "vocab.txt") == ["xxunk", "xxpad", "the"]


class Evil:
    def __reduce__(self):
        return print, ("run!",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(["a", Evil()]),
        pickle.dumps(["a", 1]),
        pickle.dumps(["a", ["b"]]),
        pickle.dumps(("a", "b")),
        pickle.dumps({"a": 1}),
        pickle.dumps("a"),
        pickle.dumps(["a", b"b"]),
        pickle.dumps(["a", None]),
        pickle.dumps(["a", "b"])[:-1],
        pickle.dumps(["a", "b"])[:9],
        b"",
        b"not a pickle",
        b"\x80\x04]\x94h\x05e.",
        b"\x80\x04e.",
    ],
)
def test_anything_else_is_refused_and_nothing_is_run(tmp_path, content, capsys):
    file = tmp_path / "words.pkl"
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot be read as a list of words"):
        read_vocab(file)
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"itos\.pkl"):
        read_vocab(tmp_path / "itos.pkl")


def test_older_files_have_copies_that_are_left_out(tmp_path):
    weights = published(tmp_path, copies=True)
    assert len(clean_raw_keys(dict(weights))) == len(weights) - 2
    model = get_language_model(AWD_LSTM, 5, SMALL)
    load_model_text(tmp_path / "lstm_fwd.pth", model)
    name = "0.rnns.1.weight_hh_l0_raw"
    assert torch.equal(model.state_dict()[name], weights[name])
    other = get_language_model(AWD_LSTM, 6, SMALL)
    with pytest.raises(ModelFileError, match=r"0\.encoder\.weight"):
        load_model_text(tmp_path / "lstm_fwd.pth", other)
    load_model_text(tmp_path / "lstm_fwd.pth", other, strict=False)
    assert torch.equal(other.state_dict()[name], weights[name])


def test_own_files_load(tmp_path):
    model = get_language_model(AWD_LSTM, 5, SMALL)
    file = save_model(tmp_path / "model", model)
    other = get_language_model(AWD_LSTM, 5, SMALL)
    load_model_text(file, other)
    for ours, theirs in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_unknown_names_are_left_out():
    layer = nn.Linear(1, 1)
    told = load_ignore_keys(layer, {"bias": torch.ones(1), "other": torch.ones(2)})
    assert layer.bias.item() == 1
    assert (told.missing_keys, told.unexpected_keys) == (["weight"], ["other"])
