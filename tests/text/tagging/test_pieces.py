"""Labels of pieces, against the alignment that transformers documents, and back to words."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.core.errors import DataError
from layerwise.text.tagging.pieces import PadPieces, TagPieces, WordPieces
from layerwise.text.tagging.sentences import Sentence
from layerwise.text.tagging.types import TaggedPieces, TensorPieces, TensorTags
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

LABELS = ["B-X", "I-X", "O"]


@pytest.fixture
def tok(wordpiece):
    return HuggingFaceTokenizer(wordpiece)


def test_only_the_first_piece_of_a_word_has_its_label(tok, transformers, wordpiece):
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=wordpiece)
    sentence = Sentence(["good", "filming", "is", "x-y"], ["B-X", "I-X", "O", "B-X"])
    encoded = fast(list(sentence.words), is_split_into_words=True)
    expected, before = [], None
    for word in encoded.word_ids():
        is_new = word is not None and word != before
        expected.append(LABELS.index(sentence.labels[word]) if is_new else -100)
        before = word
    tags = TagPieces(tok, LABELS)(sentence)
    assert type(tags) is TensorTags
    assert tags.tolist() == expected
    pieces = WordPieces(tok)(sentence)
    assert type(pieces) is TensorPieces
    plain = pieces.as_plain()
    assert torch.where(plain < 0, ~plain, plain).tolist() == encoded.input_ids
    assert (plain >= 0).tolist() == [label != -100 for label in expected]


words = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8), min_size=1, max_size=8
)


@given(words, st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_come_back_with_their_labels(tok, words, data):
    labels = [data.draw(st.sampled_from(LABELS)) for _ in words]
    sentence = Sentence(words, labels)
    to_pieces, to_tags, pad = WordPieces(tok), TagPieces(tok, LABELS), PadPieces(tok.pad_idx)
    longer = Sentence(["very"] * 30, ["O"] * 30)
    batch = pad([(to_pieces(s), to_tags(s)) for s in (sentence, longer)])
    assert batch[0][0].shape == batch[1][1].shape
    x, tagged = pad.decode(batch[0])
    assert to_tags.decode(tagged) == list(zip(words, labels, strict=True))
    assert to_pieces.decode(x) == " ".join(words)


def test_predictions_count_where_words_begin(tok):
    pieces = WordPieces(tok)(Sentence(["good", "filming"]))
    predicted = TensorTags(torch.tensor([0, 1, 0, *[0] * 20]))
    found = TagPieces(tok, LABELS).decode(TaggedPieces(pieces, predicted))
    assert found == [("good", "I-X"), ("filming", "B-X")]
    assert str(found) == "good/I-X filming/B-X"


def test_labels_are_learnt_in_their_order(tok):
    to_tags = TagPieces(tok)
    to_tags.setup([Sentence(["a", "b"], ["O", "B-X"]), Sentence(["a"], ["B-A"])])
    assert (to_tags.vocab, to_tags.c) == (["B-A", "B-X", "O"], 3)
    with pytest.raises(DataError, match=r"'B-XX' is not among the 3.*'B-X'"):
        to_tags(Sentence(["a"], ["B-XX"]))
    with pytest.raises(DataError, match="has no labels"):
        to_tags(Sentence(["a"]))


def test_texts_are_cut_at_marks(tok):
    assert (
        WordPieces(tok).decode(WordPieces(tok)("So good, isn't it?"))
        == "so good , isn ' t it [UNK]"
    )
    with pytest.raises(DataError, match="no word in '  '"):
        WordPieces(tok)("  ")
