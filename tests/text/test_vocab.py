"""Vocabularies by hand, and numbers there and back."""

import pickle
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.dataset import TfmdLists
from layerwise.core.settings import settings_of
from layerwise.text.tokens import text_spec_tok
from layerwise.text.types import TensorText
from layerwise.text.vocab import Numericalize, make_vocab, reverse_text


def test_a_vocabulary_is_special_tokens_then_the_frequent_ones_up_to_a_multiple_of_eight():
    counts = Counter({"the": 9, "cat": 3, "dog": 3, "ox": 2, "xxbos": 50})
    vocab = make_vocab(counts)
    assert vocab == [*text_spec_tok, "the", "cat", "dog", *["xxfake"] * 4]


def test_the_largest_size_counts_special_tokens_and_no_fillings():
    counts = {chr(97 + i): 5 for i in range(20)}
    assert make_vocab(counts, max_vocab=12)[9:] == ["a", "b", "c", *["xxfake"] * 4]
    assert len(make_vocab(counts, max_vocab=16)) == 16
    assert make_vocab(counts, max_vocab=3) == [*text_spec_tok, *["xxfake"] * 7]


def test_special_tokens_can_be_others():
    assert make_vocab({"a": 3}, special_toks=["xxunk", "xxpad", "<s>"])[:4] == [
        "xxunk", "xxpad", "<s>", "a",
    ]  # fmt: skip


@given(st.lists(st.sampled_from("abcdefg"), max_size=50))
def test_a_vocabulary_depends_on_counts_and_not_on_their_order(tokens):
    assert make_vocab(Counter(tokens), 1) == make_vocab(Counter(reversed(tokens)), 1)


def test_tokens_become_numbers_and_unknown_ones_the_unknown():
    tfm = Numericalize(min_freq=1)
    tfm.setup([["a", "b", "a"], ["b", "c"]])
    numbers = tfm(["a", "zz", "c", "xxfake"])
    assert type(numbers) is TensorText
    assert numbers.dtype == torch.int64
    assert numbers.tolist() == [9, 0, 11, 0]
    assert tfm.decode(numbers) == ["a", "xxunk", "c", "xxunk"]


def test_fillings_are_left_out_of_what_is_decoded():
    tfm = Numericalize([*text_spec_tok, "a"])
    assert tfm.decode(TensorText(torch.tensor([9, 9, 1, 1]))) == ["a", "a"]


def test_an_empty_text_has_no_numbers():
    tfm = Numericalize(["xxunk", "xxpad"])
    assert tfm([]).shape == (0,)
    assert tfm([]).dtype == torch.int64


def test_the_vocabulary_is_learnt_from_the_training_split():
    tl = TfmdLists([["a"], ["b"]], [Numericalize(min_freq=1)], splits=[[0], [1]])
    assert "a" in tl.vocab
    assert "b" not in tl.vocab


def test_without_a_stand_in_an_unknown_token_is_an_error():
    with pytest.raises(KeyError, match="'zz' is not in the vocabulary"):
        Numericalize(["[PAD]", "a"])(["zz"])


@pytest.mark.parametrize("vocab", ["xxunk", [["xxunk", "a"], ["bad", "good"]], [0, 1]])
def test_a_vocabulary_of_anything_but_tokens_is_refused(vocab):
    with pytest.raises(TypeError, match=r"a vocabulary is a list of tokens"):
        Numericalize(vocab)


def test_a_text_that_was_not_cut_is_refused():
    with pytest.raises(TypeError, match="put a Tokenizer before"):
        Numericalize(["xxunk"])("a text")
    with pytest.raises(ValueError, match="no vocabulary yet"):
        Numericalize()(["a"])


def test_settings_and_pickles_make_an_equal_one():
    tfm = Numericalize(min_freq=1)
    tfm.setup([["a", "b"]])
    for again in (Numericalize(**settings_of(tfm)), pickle.loads(pickle.dumps(tfm))):
        assert again.vocab == tfm.vocab
        assert again(["b", "zz"]).tolist() == [10, 0]


def test_it_says_how_large_it_is():
    assert repr(Numericalize(["xxunk"])) == "Numericalize(vocab of 1 tokens)"
    assert repr(Numericalize()) == "Numericalize(min_freq=3, max_vocab=60000)"


def test_a_text_is_reversed():
    assert reverse_text(torch.tensor([1, 2, 3])).tolist() == [3, 2, 1]
