"""spaCy behind our calls."""

import pickle
import sys

import pytest

from layerwise.core.errors import MissingDependencyError
from layerwise.core.settings import settings_of
from layerwise.text.tokenizers.spacy_words import SpacyTokenizer, WordTokenizer

spacy = pytest.importorskip("spacy")


def test_tokens_are_those_of_spacy():
    text = "Der Zug kam z.B. um 8 Uhr."
    wanted = [token.text for token in spacy.blank("de")(text)]
    assert list(SpacyTokenizer("de")([text])) == [wanted]


def test_special_tokens_stay_whole():
    assert list(SpacyTokenizer(special_toks=["<sep>"])(["a <sep>"])) == [["a", "<sep>"]]


def test_an_unknown_language_is_told():
    with pytest.raises(ValueError, match="no language 'zzz'"):
        list(SpacyTokenizer("zzz")(["a"]))


def test_it_can_be_pickled_and_made_again():
    tok = SpacyTokenizer("en", buf_sz=7)
    assert list(tok(["isn't"])) == [["is", "n't"]]
    again = pickle.loads(pickle.dumps(tok))
    assert "_tokenizer" not in vars(again)
    assert list(SpacyTokenizer(**settings_of(again))(["isn't"])) == [["is", "n't"]]
    assert WordTokenizer is SpacyTokenizer


def test_without_spacy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spacy'"):
        list(SpacyTokenizer()(["a"]))
