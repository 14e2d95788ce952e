"""Rules and tokenisers together, in one process and in several."""

import csv
import io
import pickle
import tarfile
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layerwise.core.items import L
from layerwise.text.rules import replace_space, text_proc_rules
from layerwise.text.tokenizers import with_rules
from layerwise.text.tokenizers.base import BaseTokenizer
from layerwise.text.tokenizers.regex import RegexTokenizer
from layerwise.text.tokenizers.spacy_words import SpacyTokenizer
from layerwise.text.tokenizers.with_rules import TokenizeWithRules, parallel_tokenize, tokenize1

TEXT = "This isn't the problem.<br /><br />The  DOG!!!!"
TOKENS = [
    "xxbos", "xxmaj", "this", "is", "n't", "the", "problem", ".", "\n\n", "xxmaj", "the", "dog",
    "xxrep", "4", "!",
]  # fmt: skip


def one_by_one(text):
    """The rules one after the other, then the tokeniser: what the way by words has to equal."""
    for rule in text_proc_rules:
        text = rule(text)
    return next(iter(RegexTokenizer()([text])))


def test_tokens_are_what_rules_and_tokeniser_make_of_the_text():
    wanted = TOKENS.copy()
    wanted.insert(11, "xxup")
    # The marks at its end keep a word from counting as all in capitals once they are apart.
    assert tokenize1(TEXT.replace("!!!!", " !!!!")) == wanted
    assert isinstance(tokenize1(TEXT), L)


def test_spacy_makes_the_same_of_it():
    pytest.importorskip("spacy")
    assert tokenize1(TEXT, SpacyTokenizer()) == tokenize1(TEXT)


_WORDS = st.sampled_from(
    ["a", "A", "a.", "aaa", "AAA", "333", "3", "!!!", "a!!!", "!!!a", "***a***", "b\na", "a\n", "/",
     "a/b", "#1", "\\n", "Don't", "USA", "U.S.", "...", "....", "<br />", "&amp;", "É", "", "\t",
     "it's", "ΑΣ", "Σ'", "\n\n", "x\na\na", "\u202e", "000 0"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=12))
def test_the_way_by_words_is_the_way_of_all_rules(words):
    text = " ".join(words)
    assert list(TokenizeWithRules(RegexTokenizer())([text])) == [one_by_one(text)]


@given(st.text(max_size=40))
def test_the_way_by_words_is_the_way_of_all_rules_for_any_text(text):
    assert list(TokenizeWithRules(RegexTokenizer())([text])) == [one_by_one(text)]


@given(st.lists(_WORDS, max_size=40))
@example(["aaa", "aaa", "aaa", "a", "a"])
def test_a_long_text_is_parted_where_no_rule_notices(words):
    text = " ".join(words)
    before, with_rules._LONG = with_rules._LONG, 7
    try:
        assert list(TokenizeWithRules(RegexTokenizer())([text])) == [one_by_one(text)]
    finally:
        with_rules._LONG = before


def test_other_rules_and_no_rules():
    assert tokenize1("A b", rules=[str.upper]) == ["A", "B"]
    assert tokenize1("A b", rules=[], post_rules=[str.upper, replace_space]) == ["A", "B"]


def test_a_tokeniser_says_which_rules_it_wants():
    class Own(BaseTokenizer):
        default_rules = [str.swapcase]
        default_post_rules = []

    assert tokenize1("Ab c", Own()) == ["aB", "C"]
    assert tokenize1("Ab c", Own(), rules=[]) == ["Ab", "c"]


@pytest.mark.parametrize("item", [None, float("nan"), 3, ["a"]])
def test_an_item_that_is_no_text_is_refused(item):
    for tok in (RegexTokenizer(), BaseTokenizer()):
        with pytest.raises(TypeError, match=r"no text; leave such items out"):
            list(TokenizeWithRules(tok)([item]))


def test_it_can_be_pickled():
    run = pickle.loads(pickle.dumps(TokenizeWithRules(RegexTokenizer())))
    assert list(run([TEXT])) == [one_by_one(TEXT)]


@pytest.mark.parametrize("workers", [0, 1, 3, None])
def test_tokens_and_their_order_are_the_same_for_any_number_of_workers(workers):
    texts = [f"Text number {i}, isn't it?" for i in range(200)]
    assert list(parallel_tokenize(texts, n_workers=workers)) == [one_by_one(t) for t in texts]


def test_no_texts_have_no_tokens():
    assert list(parallel_tokenize([])) == []
    assert list(parallel_tokenize([], n_workers=2)) == []


def test_the_item_that_is_no_text_is_named_from_another_process():
    with pytest.raises(TypeError, match="no text") as raised:
        list(parallel_tokenize(["a", None, "b"], n_workers=2))  # type: ignore[list-item]
    assert any("item 1 was worked on: None" in note for note in raised.value.__notes__)


class Learns(BaseTokenizer):
    def __init__(self):
        super().__init__()
        self.seen = []

    def setup(self, items, rules):
        self.seen = [list(items), [rule.__name__ for rule in rules]]


def test_a_tokeniser_that_learns_is_set_up_before():
    tok = Learns()
    assert list(parallel_tokenize(["a b"], tok, [str.lower], n_workers=0)) == [["a", "b"]]
    assert tok.seen == [["a b"], ["lower"]]
    with pytest.raises(TypeError, match="can be read once"):
        parallel_tokenize(iter(["a"]), Learns())


def test_a_line_of_many_megabytes_takes_time_in_proportion():
    text = "An ordinary (and not so short) sentence, isn't it? " * 40_000  # 2 MB
    start = time.process_time()
    tokens = next(iter(TokenizeWithRules(RegexTokenizer())([text])))
    assert time.process_time() - start < 20
    assert len(tokens) == 1 + 40_000 * 15


def test_reviews_are_cut_as_with_spacy(mirror):
    pytest.importorskip("spacy")
    archive = mirror / "imdb_sample.tgz"
    if not archive.is_file():
        pytest.skip("no imdb_sample.tgz")
    with tarfile.open(archive) as packed:
        file = packed.extractfile("imdb_sample/texts.csv")
        assert file is not None
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf8")))[:200]
    texts = [row["text"] for row in rows]
    ours = list(TokenizeWithRules(RegexTokenizer())(texts))
    theirs = list(TokenizeWithRules(SpacyTokenizer())(texts))
    assert ours == [one_by_one(text) for text in texts]
    # Texts as a whole: one token that differs is a text that differs.
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) > 170
