"""The built-in tokeniser."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.settings import settings_of
from layerwise.text.tokenizers import regex
from layerwise.text.tokenizers.regex import RegexTokenizer


def cut(text, **settings):
    return next(iter(RegexTokenizer(**settings)([text])))


def test_line_breaks_are_tokens_and_other_white_space_is_none():
    assert cut("on.\n\nB  c\td \n e") == ["on", ".", "\n\n", "B", "c", "d", "\n", "e"]


def test_what_cannot_be_seen_is_left_out():
    assert cut("ab\u202ecd\u2066 \x00 e\x00f \ufeffg \ud800") == ["abcd", "ef", "g"]


def test_special_tokens_stay_whole():
    assert cut("<sep> a") == ["<", "sep", ">", "a"]
    assert cut("<sep> a", special_toks=["<sep>"]) == ["<sep>", "a"]


def test_an_empty_text_has_no_tokens():
    assert cut("") == []
    assert list(RegexTokenizer()([])) == []


@given(st.text(st.sampled_from("ab.'- \n\t(0😀"), max_size=60))
def test_tokens_are_the_text_without_white_space(text):
    joined = "".join(cut(text))
    assert joined.replace("\n", "") == "".join(text.split())
    assert joined.count("\n") == text.count("\n")


def test_a_long_text_is_cut_in_blocks_into_the_same_tokens(monkeypatch):
    text = "it isn't (so) bad.\n\n" * 50
    whole = cut(text)
    monkeypatch.setattr(regex, "_BLOCK", 17)
    assert cut(text) == whole


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(regex, "_REMEMBERED", 100)
    tok = RegexTokenizer()
    words = [f"w{i}" for i in range(1000)]
    assert next(iter(tok([" ".join(words)]))) == words
    assert len(tok.cuts) <= 100
    next(iter(tok(["x" * 1000])))
    assert all(len(word) < 100 for word in tok.cuts)


def test_pickles_and_settings_make_an_equal_one():
    tok = RegexTokenizer(["<sep>"])
    assert list(pickle.loads(pickle.dumps(tok))(["<sep>"])) == [["<sep>"]]
    assert settings_of(tok) == {"special_toks": ["<sep>"]}
    assert repr(tok) == "RegexTokenizer()"
