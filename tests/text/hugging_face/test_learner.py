"""Models of transformers from files of text: the same calls as for recurrent models."""

import pytest
import torch

from layerwise.core.data.block import DataBlock, MultiCategoryBlock, RegressionBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.text import Perplexity
from layerwise.core.named import reference_to
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.train.checkpoint import ModelFileError
from layerwise.text.blocks import TextBlock
from layerwise.text.data import TextDataLoaders
from layerwise.text.hugging_face.adapter import HuggingFaceModel
from layerwise.text.hugging_face.writer import HuggingFaceWriter
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.lm_learner import continue_text
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

needs_names = pytest.mark.skipif(
    reference_to(HuggingFaceModel) is None or reference_to(HuggingFaceWriter) is None,
    reason="the names are not in the record of text yet",
)


@pytest.fixture(autouse=True)
def _seeded():
    set_seed(0)


@pytest.fixture
def tok(wordpiece):
    return HuggingFaceTokenizer(wordpiece, max_len=30)


@pytest.fixture
def dls(films, tok):
    return TextDataLoaders.from_folder(films, valid="test", tok_tfm=tok, bs=16)


def test_vocabulary_padding_and_cutting_are_those_of_the_tokeniser(films, tok, wordpiece):
    short = HuggingFaceTokenizer(wordpiece, max_len=6)
    dls = TextDataLoaders.from_folder(films, valid="test", tok_tfm=short, bs=40)
    assert dls.vocab[0] == tok.vocab
    tokens = dls.valid.one_batch()[0]
    wordpiece.enable_truncation(6)
    wordpiece.enable_padding()
    texts = [file.read_text() for file in dls.valid_ds.items]
    encoded = sorted(tuple(e.ids) for e in wordpiece.encode_batch(texts))
    wordpiece.no_truncation()
    wordpiece.no_padding()
    assert sorted(map(tuple, tokens.tolist())) == encoded


def test_texts_of_a_language_model_are_not_cut(films, wordpiece):
    short = HuggingFaceTokenizer(wordpiece, max_len=4)
    dls = TextDataLoaders.from_folder(films, valid="test", tok_tfm=short, bs=4, is_lm=True)
    lengths = [len(wordpiece.encode(f.read_text()).ids) for f in dls.train_ds.items]
    assert sum(lengths) == dls.train.corpus.size


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "modernbert"])
def test_a_classifier_learns(dls, config_of, kind, capsys):
    learn = text_classifier_learner(dls, config_of(kind), metrics=accuracy)
    learn.fit_one_cycle(12, 5e-3)
    assert learn.validate()[1] > 0.95
    label, number, probabilities = learn.predict("it was a very good film")
    assert (label, number.item()) == ("pos", 1)
    assert probabilities[1] > 0.8
    assert [label for label, *_ in learn.predict(["bad film", "the good plot"])] == ["neg", "pos"]
    learn.show_results(max_n=2)
    assert "prediction" in capsys.readouterr().out


def test_fine_tuning_freezes_all_but_the_head_first(dls, config_of):
    learn = text_classifier_learner(dls, config_of("bert", num_hidden_layers=3))
    learn.freeze()
    frozen = {name for name, p in learn.model.model.named_parameters() if not p.requires_grad}
    assert any("word_embeddings" in name for name in frozen)
    assert not any("classifier" in name or "pooler" in name for name in frozen)
    learn.fine_tune(1)
    rates = [hyper["lr"] for hyper in learn.opt.hypers]
    assert len(rates) == 5
    assert rates == sorted(rates)
    used = learn.recorder.lrs
    assert max(used) == pytest.approx(1e-4, rel=0.01)


def test_rates_are_those_of_what_is_trained(dls, config_of, model_of):
    settings = {"vocab_size": len(dls.vocab[0])}
    assert text_classifier_learner(dls, config_of("bert")).lr == 1e-3
    assert text_classifier_learner(dls, model_of("bert", **settings)).lr == 5e-5
    assert text_classifier_learner(dls, config_of("bert"), lr=0.1).lr == 0.1


@needs_names
@pytest.mark.parametrize("kind", ["bert", "roberta", "deberta-v2", "gpt2", "modernbert"])
def test_a_classifier_predicts_the_same_after_loading(dls, config_of, kind, monkeypatch):
    learn = text_classifier_learner(dls, config_of(kind))
    texts = ["a good film", "bad", "unseen words, and more of them than before"]
    before = learn.predict(texts)
    file = learn.export("films.lw")
    loaded = load_learner(file)
    for (label, _, old), (same, _, new) in zip(before, loaded.predict(texts), strict=True):
        assert label == same
        torch.testing.assert_close(old, new)


FILMS = [("a good film", ["good", "film"], 4.5), ("bad", ["bad"], 1.0)] * 16


@pytest.mark.parametrize(
    ("y", "block", "y_range"), [(1, MultiCategoryBlock, None), (2, RegressionBlock, (0, 5))]
)
def test_several_labels_and_numbers_are_targets_too(tok, config_of, y, block, y_range):
    whole = DataBlock(
        (TextBlock(tok), block), get_x=ItemGetter(0), get_y=ItemGetter(y),
        splitter=IndexSplitter(range(4)),
    )  # fmt: skip
    dls = whole.dataloaders(FILMS, bs=4)
    learn = text_classifier_learner(dls, config_of("gpt2"), y_range=y_range)
    before = learn.validate()[0]
    learn.fit_one_cycle(8, 1e-2)
    assert learn.validate()[0] < before / 4
    found = learn.predict("a good film")[0]
    assert list(found) == ["film", "good"] if y == 1 else found == pytest.approx(4.5, abs=0.5)


def test_an_own_tokeniser_goes_with_a_fresh_model(films, config_of):
    dls = TextDataLoaders.from_folder(films, valid="test", bs=16)
    learn = text_classifier_learner(dls, config_of("bert"))
    assert learn.model.pad_idx == learn.model.model.config.pad_token_id == 1
    learn.fit(1)


def test_mixed_precision_and_compiling_work(dls, config_of):
    learn = text_classifier_learner(dls, config_of("bert"), compile={"backend": "eager"}).to_bf16()
    learn.fit(1)
    assert torch.isfinite(torch.tensor(learn.recorder.losses)).all()


def test_settings_of_recurrent_models_are_refused(dls, config_of):
    with pytest.raises(ValueError, match=r"seq_len, ps is a setting of the recurrent models"):
        text_classifier_learner(dls, config_of("bert"), seq_len=50, ps=[0.1])


def test_a_tokeniser_without_padding_is_told(films):
    library = pytest.importorskip("tokenizers")
    bare = library.Tokenizer(library.models.WordLevel({"a": 0}, unk_token="a"))  # noqa: S106
    with pytest.raises(ValueError, match=r"no token that fills up.*pad_token="):
        TextDataLoaders.from_folder(films, valid="test", tok_tfm=HuggingFaceTokenizer(bare))


# -- language models ---------------------------------------------------------------------------


@pytest.fixture
def lm_dls(films, tok):
    return TextDataLoaders.from_folder(
        films, valid="test", tok_tfm=tok, is_lm=True, bs=8, seq_len=20
    )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_language_model_learns_and_writes(lm_dls, config_of, kind):
    learn = language_model_learner(lm_dls, config_of(kind), metrics=Perplexity())
    before = learn.validate()[1]
    learn.fit_one_cycle(3, 1e-2)
    assert learn.validate()[1] < before / 2
    text = learn.predict("it was a", 12, seed=1)
    assert text.startswith("it was a ")
    assert text == learn.predict("it was a", 12, seed=1)
    assert "[" not in text  # no special token


@needs_names
def test_a_language_model_writes_the_same_after_loading(lm_dls, config_of):
    learn = language_model_learner(lm_dls, config_of("gpt2"))
    loaded = load_learner(learn.export("words.lw"))
    assert continue_text(loaded, "so far", 9, seed=2) == learn.predict("so far", 9, seed=2)


def test_a_classifier_takes_over_what_a_language_model_learnt(lm_dls, dls, config_of):
    words = language_model_learner(lm_dls, config_of("gpt2"))
    words.save_encoder("words")
    learn = text_classifier_learner(dls, config_of("gpt2"))
    learn.path = words.path
    learn.load_encoder("words")
    for name, weight in words.encoder.state_dict().items():
        assert torch.equal(learn.encoder.state_dict()[name], weight)
    assert not learn.encoder.wte.weight.requires_grad
    learn.fit(1)


def test_an_encoder_of_another_tokeniser_is_refused(lm_dls, films, config_of):
    words = language_model_learner(lm_dls, config_of("gpt2"))
    words.save_encoder("words")
    other = TextDataLoaders.from_folder(films, valid="test", bs=16)
    learn = text_classifier_learner(other, config_of("gpt2", pad_token_id=1))
    learn.path = words.path
    with pytest.raises(ModelFileError, match="another tokeniser"):
        learn.load_encoder("words")
