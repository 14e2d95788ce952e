"""Tokenisers of Hugging Face behind our calls."""
# ruff: noqa: S106 - tokens that are no secrets

import pickle
import sys

import pytest

from layerwise.core.errors import MissingDependencyError
from layerwise.core.settings import settings_of
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer
from layerwise.text.tokenizers.with_rules import parallel_tokenize, tokenize1
from layerwise.text.vocab import Numericalize

library = pytest.importorskip("tokenizers")

TEXTS = ["The cat sat on the mat.", "A dog's life"]


@pytest.fixture(scope="module")
def own():
    """A small tokeniser like that of BERT."""
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import WordPieceTrainer

    made = library.Tokenizer(WordPiece(unk_token="[UNK]"))
    made.normalizer = BertNormalizer()
    made.pre_tokenizer = BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made.train_from_iterator(
        TEXTS * 5, WordPieceTrainer(vocab_size=60, special_tokens=special, show_progress=False)
    )
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return made


def test_tokens_and_numbers_are_those_of_the_library(own):
    tok = HuggingFaceTokenizer(own)
    numbers = Numericalize(tok.vocab)
    for text in TEXTS:
        encoded = own.encode(text)
        tokens = tokenize1(text, tok)
        assert tokens == encoded.tokens
        assert numbers(tokens).tolist() == encoded.ids
        assert numbers.decode(numbers(tokens))[1:-1] == encoded.tokens[1:-1]


def test_a_text_comes_back(own):
    own.decoder = library.decoders.WordPiece()
    tok = HuggingFaceTokenizer(own)
    assert tok.decode(tokenize1("The cat", tok)) == "the cat"


def test_the_ends_can_be_left_out(own):
    assert tokenize1("The cat", HuggingFaceTokenizer(own, add_special_tokens=False)) == [
        "the", "cat",
    ]  # fmt: skip


def test_padding_and_cutting_that_others_switched_on_are_off(own):
    other = library.Tokenizer.from_str(own.to_str())
    other.enable_padding(length=50)
    other.enable_truncation(2)
    assert tokenize1(TEXTS[0], HuggingFaceTokenizer(other)) == own.encode(TEXTS[0]).tokens
    assert other.padding is not None


def test_it_is_made_of_a_file_its_contents_or_a_tokeniser_of_transformers(own, tmp_path):
    transformers = pytest.importorskip("transformers")
    file = tmp_path / "tokenizer.json"
    own.save(str(file))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=own)
    for given in (file, str(file), own.to_str(), fast):
        assert tokenize1(TEXTS[0], HuggingFaceTokenizer(given)) == own.encode(TEXTS[0]).tokens


def test_a_folder_says_what_pads_and_how_long_a_text_may_be(own, tmp_path):
    transformers = pytest.importorskip("transformers")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token="[PAD]", model_max_length=5
    )
    fast.save_pretrained(tmp_path)
    for tok in (HuggingFaceTokenizer(tmp_path), HuggingFaceTokenizer(fast)):
        assert (tok.pad_idx, tok.max_len) == (own.token_to_id("[PAD]"), 5)
        cut = fast(TEXTS[0], truncation=True)["input_ids"]
        assert Numericalize(tok.vocab)(tokenize1(TEXTS[0], tok)).tolist() == cut
        assert tokenize1(TEXTS[0], tok.uncut()) == own.encode(TEXTS[0]).tokens
    assert HuggingFaceTokenizer(fast, max_len=4).max_len == 4


def test_what_pads_can_be_said(own):
    assert HuggingFaceTokenizer(own).pad_idx == own.token_to_id("[PAD]")
    assert HuggingFaceTokenizer(own, pad_token="[SEP]").pad_idx == own.token_to_id("[SEP]")
    with pytest.raises(ValueError, match=r"pad_token='<pad>' is none of the .* such as '\[PAD\]'"):
        HuggingFaceTokenizer(own, pad_token="<pad>")
    bare = library.Tokenizer(library.models.WordLevel({"a": 0}, unk_token="a"))
    assert HuggingFaceTokenizer(bare).pad_idx is None


def test_special_tokens_need_room(own):
    with pytest.raises(ValueError, match="max_len=2, of which special tokens take 2"):
        HuggingFaceTokenizer(own, max_len=2)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*tokenizer\.json"):
        HuggingFaceTokenizer(tmp_path)


def test_settings_of_a_file_name_no_other_file(own, tmp_path):
    own.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="no contents of a tokenizer"):
        HuggingFaceTokenizer.from_settings(tokenizer=str(tmp_path / "tokenizer.json"))


def test_what_is_unknown_has_the_number_of_the_unknown():
    unigram = library.models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0)
    tok = HuggingFaceTokenizer(library.Tokenizer(unigram))
    assert tokenize1("aé", tok) == ["a", "<unk>"]


def test_pieces_know_their_words_as_in_transformers(own):
    transformers = pytest.importorskip("transformers")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=own)
    words = ["the", "cat", "sat", "mat's", "life", "dog."]
    encoded = fast(words, is_split_into_words=True)
    pieces = HuggingFaceTokenizer(own).pieces(words)
    assert (
        Numericalize(HuggingFaceTokenizer(own).vocab)(pieces.tokens).tolist() == encoded.input_ids
    )
    assert pieces.words == encoded.word_ids()


def test_spaces_before_words_belong_to_them():
    made = library.Tokenizer(library.models.BPE())
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.train_from_iterator(["ab cd ab cd"] * 9, library.trainers.BpeTrainer(show_progress=False))
    pieces = HuggingFaceTokenizer(made).pieces(["ab", "", "cd", "abcd"])
    assert pieces.tokens[0] == "ab"
    assert [word for word in dict.fromkeys(pieces.words) if word is not None] == [0, 2, 3]


def test_settings_and_pickles_make_an_equal_one(own):
    tok = HuggingFaceTokenizer(own, add_special_tokens=False)
    for again in (HuggingFaceTokenizer(**settings_of(tok)), pickle.loads(pickle.dumps(tok))):
        assert again.vocab == tok.vocab
        assert tokenize1(TEXTS[1], again) == tokenize1(TEXTS[1], tok)
    assert "WordPiece" in repr(tok)


def test_several_processes_make_the_same(own):
    tok = HuggingFaceTokenizer(own)
    made = list(parallel_tokenize(TEXTS * 30, tok, n_workers=2))
    assert made == [own.encode(text).tokens for text in TEXTS * 30]


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match="int is no tokeniser"):
        HuggingFaceTokenizer(3)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingDependencyError, match=r"layerwise-text\[transformers\]"):
        HuggingFaceTokenizer("{}")
