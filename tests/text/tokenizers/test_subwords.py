"""SentencePiece behind our calls."""

import io
import pickle
import sys

import pytest

from layerwise.core.errors import MissingDependencyError
from layerwise.core.settings import settings_of
from layerwise.text.rules import text_proc_rules
from layerwise.text.tokenizers.subwords import SentencePieceTokenizer, SubwordTokenizer, eu_langs
from layerwise.text.tokenizers.with_rules import TokenizeWithRules, parallel_tokenize

library = pytest.importorskip("sentencepiece")

TEXTS = [f"The cat number {i} sat on the mat and the dogs were barking loudly" for i in range(60)]


@pytest.fixture(scope="module")
def trained():
    tok = SentencePieceTokenizer(vocab_sz=80)
    tok.setup(TEXTS, text_proc_rules)
    return tok


def test_tokens_are_those_of_the_library(trained):
    own = library.SentencePieceProcessor(model_proto=trained.sp_model)
    text = "the dogs sat"
    assert list(trained([text])) == [own.encode_as_pieces(text)]
    assert own.get_piece_size() <= 80


def test_special_tokens_are_tokens_of_their_own(trained):
    tokens = next(iter(TokenizeWithRules(trained)(["The CAT"])))
    assert tokens[:2] == ["xxbos", "xxmaj"]
    assert "xxup" in tokens
    assert trained.decode(tokens) == "xxbos xxmaj the xxup cat"


def test_the_size_is_a_quarter_of_the_words_and_a_multiple_of_eight():
    tok = SentencePieceTokenizer(max_vocab_sz=1000)
    words = [f"word{i}" for i in range(400)]
    assert tok._quarter([" ".join(words)], None) == 104
    assert SentencePieceTokenizer(max_vocab_sz=64)._quarter([" ".join(words)], None) == 64
    assert tok._quarter(["a"], None) == 32


def test_characters_covered_depend_on_the_language():
    assert SentencePieceTokenizer("de").char_coverage == 0.99999
    assert SentencePieceTokenizer("zh").char_coverage == 0.9998
    assert SentencePieceTokenizer("zh", char_coverage=0.5).char_coverage == 0.5
    assert len(eu_langs) == 24


def test_training_twice_makes_one_model_and_a_model_is_kept(trained, tmp_path):
    tok = SentencePieceTokenizer(vocab_sz=80, cache_dir=tmp_path / "kept")
    tok.setup(TEXTS, text_proc_rules)
    assert list(tok(TEXTS)) == list(trained(TEXTS))
    read = SentencePieceTokenizer(sp_model=tmp_path / "kept" / "spm.model")
    assert read.sp_model == tok.sp_model
    read.setup(["other texts"])
    assert read.sp_model == tok.sp_model


def test_settings_and_pickles_hold_the_model(trained):
    again = SentencePieceTokenizer.from_settings(**settings_of(trained))
    for tok in (again, pickle.loads(pickle.dumps(trained))):
        assert list(tok(TEXTS)) == list(trained(TEXTS))
    assert "lang='en'" in repr(trained)


def test_settings_name_no_place_on_the_disk(trained, tmp_path):
    assert "cache_dir" not in settings_of(trained)
    with pytest.raises(TypeError, match="cache_dir"):
        SentencePieceTokenizer.from_settings(
            **settings_of(trained),
            cache_dir=str(tmp_path),  # type: ignore[call-arg]
        )
    with pytest.raises(AttributeError):
        SentencePieceTokenizer.from_settings(
            **{**settings_of(trained), "sp_model": str(tmp_path / "spm.model")}
        )


def test_it_is_set_up_by_those_who_use_it():
    tok = SubwordTokenizer(vocab_sz=80)
    made = list(parallel_tokenize(TEXTS, tok, n_workers=2))
    assert made == list(TokenizeWithRules(tok)(TEXTS))


def test_before_the_setup_the_error_says_what_to_do():
    with pytest.raises(ValueError, match="no model yet; call setup"):
        list(SentencePieceTokenizer()(["a"]))


def test_an_unknown_type_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'unigram'"):
        SentencePieceTokenizer(model_type="unigramm")


def test_too_little_text_is_told():
    with pytest.raises(ValueError, match=r"cannot learn \d+ parts"):
        SentencePieceTokenizer(vocab_sz=5).setup(["a"])


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sentencepiece'"):
        SentencePieceTokenizer().setup(["a"])


def test_bytes_and_files_are_read_alike(trained, tmp_path):
    file = tmp_path / "a.model"
    file.write_bytes(io.BytesIO(trained.sp_model).getvalue())
    assert SentencePieceTokenizer(sp_model=str(file)).sp_model == trained.sp_model
