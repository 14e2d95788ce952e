"""Padding on either side, by chunks, and its way back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.errors import DataError
from layerwise.text.padding import (
    Pad_Chunk,
    Pad_Input,
    pad_chunk,
    pad_input,
    pad_input_chunk,
)
from layerwise.text.types import LMTensorText, TensorText

# Lists of texts without the token that pads.
texts = st.lists(st.lists(st.integers(2, 50), max_size=30), min_size=1, max_size=6)


def rows(padded):
    return [x.tolist() for x, _ in padded]


def samples_of(lists):
    return [(TensorText(torch.tensor(x, dtype=torch.int64)), i) for i, x in enumerate(lists)]


@given(texts)
def test_padding_behind_is_that_of_torch(lists):
    plain = [torch.tensor(x, dtype=torch.int64) for x in lists]
    expected = torch.nn.utils.rnn.pad_sequence(plain, batch_first=True, padding_value=1)
    assert rows(pad_input(samples_of(lists))) == expected.tolist()


def test_padding_in_front_and_backwards():
    lists = [[5, 6, 7], [8]]
    assert rows(pad_input(samples_of(lists), pad_first=True)) == [[5, 6, 7], [1, 1, 8]]
    assert rows(pad_input(samples_of(lists), backwards=True)) == [[7, 6, 5], [8, 1, 1]]
    assert rows(pad_input(samples_of(lists), pad_idx=9)) == [[5, 6, 7], [8, 9, 9]]


def test_several_fields_are_padded_each_to_its_longest():
    pairs = [(torch.tensor([2, 3]), torch.tensor([4])), (torch.tensor([5]), torch.tensor([6, 7]))]
    padded = pad_input(pairs, pad_fields=[0, 1])
    assert [[x.tolist() for x in pair] for pair in padded] == [[[2, 3], [4, 1]], [[5, 1], [6, 7]]]


def test_types_of_texts_are_kept():
    padded = pad_input([(LMTensorText([2]), 0), (LMTensorText([3, 4]), 1)])
    assert all(type(x) is LMTensorText for x, _ in padded)


def test_the_samples_that_are_given_stay_as_they_are():
    samples = samples_of([[2], [3, 4]])
    pad_input(samples)
    assert rows(samples) == [[2], [3, 4]]


@given(texts, st.integers(1, 9), st.booleans())
def test_chunks_of_padding_leave_the_text_at_the_beginning_of_a_chunk(lists, seq_len, pad_first):
    padded = pad_input_chunk(samples_of(lists), pad_first=pad_first, seq_len=seq_len)
    longest = max(map(len, lists))
    for row, text in zip(rows(padded), lists, strict=True):
        assert len(row) == longest
        assert [token for token in row if token != 1] == text
        if text:
            start = row.index(text[0])
            assert start % seq_len == 0
            assert start == 0 or pad_first
            assert longest - start - len(text) < seq_len or not pad_first


@given(texts, st.integers(1, 9), st.booleans(), st.booleans())
def test_decoding_drops_the_padding(lists, seq_len, pad_first, backwards):
    for pad in (Pad_Chunk(pad_first=pad_first, seq_len=seq_len),
                Pad_Input(pad_first=pad_first, backwards=backwards)):  # fmt: skip
        padded = pad(samples_of(lists))
        assert len({len(x) for x, _ in padded}) == 1
        assert [pad.decode(x).tolist() for x, _ in padded] == lists
        assert all(type(pad.decode(x)) is TensorText for x, _ in padded)


def test_decoding_can_keep_the_padding():
    pad = Pad_Chunk(seq_len=1, decode=False)
    assert pad.decode(TensorText([1, 1, 5])).tolist() == [1, 1, 5]


def test_samples_without_targets_are_padded_too():
    alone = [TensorText([5]), TensorText([6, 7])]
    assert [x.tolist() for x in Pad_Chunk(pad_first=False)(alone)] == [[5, 1], [6, 7]]
    assert [x.tolist() for x in pad_input(alone)] == [[5, 1], [6, 7]]


def test_wrong_use_is_told():
    with pytest.raises(DataError, match="does Numericalize stand among the transforms"):
        pad_input([(["some", "words"], 0)])
    with pytest.raises(DataError, match="member 2 of a sample"):
        pad_input(samples_of([[2]]), pad_fields=2)
    with pytest.raises(ValueError, match="pad_len=2 is less than the 3 tokens"):
        pad_chunk(torch.arange(3), pad_len=2)
    with pytest.raises(ValueError, match="seq_len=0"):
        pad_chunk(torch.arange(3), seq_len=0)
    with pytest.raises(TypeError, match="Did you mean 'pad_idx'"):
        Pad_Input(pad_id=0)  # type: ignore[call-arg]  # on purpose
