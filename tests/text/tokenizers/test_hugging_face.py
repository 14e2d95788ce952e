"""Tokenisers of Hugging Face behind our calls."""

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

    made = library.Tokenizer(WordPiece(unk_token="[UNK]"))  # noqa: S106 - no secret
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
