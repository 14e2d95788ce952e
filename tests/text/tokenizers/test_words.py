"""Words cut as spaCy cuts them."""

import csv
import io
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.text.rules import fix_html
from layerwise.text.tokenizers.words import split_word


@pytest.mark.parametrize(
    "tokens",
    [
        "do n't", "it 's", "I 'm", "they 'd 've", "would n't 've", "it ’s", "can not",
        "gon na", "do nt", "i m", "well", "its", "ma'am", "o'clock", "rock'n'roll", "bobs '",
        "well - known", "sci - fi ,", "a -- b", "mid-1980s", "20 - something", "and/or", "a / b",
        "Mr.", "mr .", "e.g.", "U.S.", "J.", "( e.g.", "10 a.m.", "a.", "the .", "end . The",
        "10 %", "$ 10.50", "1,000", "3.5", "10/10", "1980 's", "5 kg", "7:30pm",
        ":-)", ":)", ";-)", "<3", "xD", "^_^", "o_O", "lol !", "8)",
        "...", "a ...", "... a", "a .... b", "…", "! ! !", "? ! ?", '" hello "', "'' hello ''",
        "http://a.com/b?c=d", "www.a.com", "imdb.com ,", "me@a.com", "( www.a.com )", "# 1", "R&B",
        "* a *", "_ a _", "a_b", "★ a", "a 😀", "“ naïve ”", "日本 。",
    ],
)  # fmt: skip
def test_a_word_is_cut_as_spacy_cuts_it(tokens):
    wanted = tokens.split(" ")
    spacy = pytest.importorskip("spacy")
    assert split_word("".join(wanted)) == wanted
    assert [token.text for token in spacy.blank("en").tokenizer("".join(wanted))] == wanted


@pytest.mark.parametrize("tokens", ["DO N'T", "bob 'll", "' em !"])
def test_endings_are_cut_in_any_word(tokens):
    assert split_word(tokens.replace(" ", "")) == tokens.split(" ")


@given(st.text(st.characters(exclude_categories=["Zs", "Cc", "Cs"]), max_size=30))
def test_nothing_is_lost_and_no_token_is_empty(word):
    tokens = split_word(word)
    assert "".join(tokens) == word
    assert all(tokens)


@pytest.mark.parametrize("part", ["a", "(", ".", "'", "-", "a-", "a.", ")", "1", ":", "'s", "a@"])
def test_time_is_in_proportion_to_the_length(part):
    word = part * (200_000 // len(part))
    start = time.process_time()
    assert sum(map(len, split_word(word))) == len(word)
    assert time.process_time() - start < 4


def test_tokens_agree_with_spacy_on_reviews(mirror):
    spacy = pytest.importorskip("spacy")
    archive = mirror / "imdb_sample.tgz"
    if not archive.is_file():
        pytest.skip("no imdb_sample.tgz")
    with tarfile.open(archive) as packed:
        file = packed.extractfile("imdb_sample/texts.csv")
        assert file is not None
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf8")))[:300]
    cut = spacy.blank("en").tokenizer
    same = total = 0
    for row in rows:
        for word in fix_html(row["text"]).split():
            ours, theirs = _spans(split_word(word)), _spans([token.text for token in cut(word)])
            same += len(ours & theirs)
            total += max(len(ours), len(theirs))
    assert total > 70_000
    assert same / total > 0.999


def _spans(tokens):
    found, start = set(), 0
    for token in tokens:
        found.add((start, start + len(token)))
        start += len(token)
    return found
