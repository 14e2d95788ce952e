"""From a language model to a classifier: what is learnt, kept, loaded and written."""

import pickle
from functools import partial

import pytest
import torch
from torch import nn

from layerwise.core.callback.rnn import ModelResetter, RNNRegularizer
from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.text import Perplexity
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.random import set_seed
from layerwise.core.train.checkpoint import ModelFileError
from layerwise.text.blocks import TextBlock
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.lm_learner import LMLearner, continue_text
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.language_model import get_language_model
from layerwise.text.models.transformer import TextTransformer
from layerwise.text.text_learner import TextLearner

SMALL = {"emb_sz": 12, "n_hid": 16, "n_layers": 2}
TINY = {"emb_sz": 16, "n_layers": 1, "n_heads": 2}

# Sentences that always go on in one way: the third word follows from the first two.
SENTENCES = [
    "the cat sat on the mat .", "a dog ran in the park .", "one bird flew over a tree .",
] * 12  # fmt: skip
FILMS = [("a good and fine film", "pos"), ("a bad and dull film", "neg"),
         ("so good , so fine", "pos"), ("so bad , so dull", "neg")] * 10  # fmt: skip


@pytest.fixture(autouse=True)
def _seed():
    set_seed(3)


def lm_loaders(path, texts=SENTENCES, **settings):
    block = DataBlock(TextBlock(is_lm=True, min_freq=1, **settings), splitter=IndexSplitter([0, 1]))
    return block.dataloaders(texts, bs=4, val_bs=2, seq_len=10, path=path)


def film_loaders(path, **settings):
    block = DataBlock(
        (TextBlock(min_freq=1, **settings), CategoryBlock), get_x=ItemGetter(0),
        get_y=ItemGetter(1), splitter=IndexSplitter(range(8)),
    )  # fmt: skip
    return block.dataloaders(FILMS, bs=8, path=path)


lm_learner = partial(language_model_learner, arch=AWD_LSTM, config=SMALL, pretrained=False)
classifier = partial(text_classifier_learner, arch=AWD_LSTM, config=SMALL, pretrained=False)


def test_a_language_model_learns_sentences_and_goes_on_with_them(tmp_path):
    dls = lm_loaders(tmp_path)
    learn = lm_learner(dls, drop_mult=0.0, metrics=[accuracy, Perplexity()])
    assert type(learn) is LMLearner
    with learn.no_logging():
        learn.fit_one_cycle(25, 2e-2)
    loss, right, perplexity = learn.validate()
    assert right > 0.7
    assert perplexity == pytest.approx(torch.tensor(loss).exp().item(), rel=1e-3)
    assert learn.predict("The cat", 5, temperature=0) == "The cat sat on the mat ."
    both = learn.predict(["One bird", "A dog"], 5, temperature=0)
    assert both == ["One bird flew over a tree .", "a dog ran in the park ."]
    assert learn.predict("the cat", 3, beam=2) == "the cat sat on the"
    assert continue_text(learn, "the cat", 1, top_k=1) == "the cat sat"


def test_equal_seeds_write_equal_texts_without_the_unknown(tmp_path):
    learn = lm_learner(lm_loaders(tmp_path))
    one, two = (learn.predict("the cat", 30, seed=1) for _ in range(2))
    assert one == two
    assert one != learn.predict("the cat", 30, seed=2)
    many = learn.predict("the cat", 300, temperature=100, seed=0)
    assert not {"xxunk", "xxpad", "xxfake"} & set(many.split())
    assert "xxunk" in learn.predict("the cat", 300, no_unk=False, temperature=100, seed=0)


def test_a_model_that_reads_backwards_writes_what_stands_before(tmp_path):
    dls = lm_loaders(tmp_path, backwards=True)
    learn = lm_learner(dls, drop_mult=0.0, backwards=True)
    with learn.no_logging():
        learn.fit_one_cycle(25, 2e-2)
    assert learn.predict("mat .", 5, temperature=0) == "the cat sat on the mat ."


@pytest.mark.parametrize(("arch", "config"), [(AWD_LSTM, SMALL), (TextTransformer, TINY)])
def test_an_encoder_goes_from_language_model_to_classifier(tmp_path, arch, config):
    texts = [text for text, _ in FILMS]
    learn = language_model_learner(
        lm_loaders(tmp_path, texts), arch, config=config, pretrained=False, drop_mult=0.0
    )
    with learn.no_logging():
        learn.fit_one_cycle(2, 1e-2)
    path = learn.save_encoder("finetuned")
    assert path == tmp_path / "models" / "finetuned.safetensors"
    dls = film_loaders(tmp_path, vocab=learn.dls.vocab)
    classify = text_classifier_learner(
        dls, arch, config=config, pretrained=False, drop_mult=0.0, metrics=accuracy
    )
    head = classify.model[1].layers[0][1].weight.clone()
    classify.load_encoder("finetuned")
    for name, weight in classify.encoder.state_dict().items():
        assert torch.equal(weight, learn.encoder.state_dict()[name]), name
    matrices = [[p for p in group if p.ndim > 1] for group in classify.opt.param_lists]
    frozen = [all(not p.requires_grad for p in group) for group in matrices]  # but for norms
    assert frozen == [True] * (len(frozen) - 1) + [False]
    assert torch.equal(head, classify.model[1].layers[0][1].weight)
    with classify.no_logging():
        classify.fit_one_cycle(3, 2e-2)
        classify.freeze_to(-2)
        classify.fit_one_cycle(3, slice(1e-2 / 2.6**4, 1e-2))
        classify.unfreeze()
        classify.fit_one_cycle(8, slice(1e-2 / 2.6**4, 2e-2))
    assert classify.validate()[1] == 1.0
    label, number, probabilities = classify.predict("so good , so fine")
    assert (label, int(number)) == ("pos", 1)
    assert probabilities.sum() == pytest.approx(1)


def test_words_of_both_vocabularies_keep_their_embedding(tmp_path):
    learn = lm_learner(lm_loaders(tmp_path))
    learn.save_encoder("encoder")
    dls = film_loaders(tmp_path)
    old, new = learn.dls.vocab, dls.vocab[0]
    assert old != new
    classify = classifier(dls)
    classify.load_encoder("encoder")
    before, after = learn.encoder.encoder.weight, classify.encoder.encoder.weight
    assert torch.equal(after[new.index("a")], before[old.index("a")])
    torch.testing.assert_close(after[new.index("film")], before.mean(0))
    rnn = "rnns.0.weight_hh_l0_raw"
    assert torch.equal(classify.encoder.state_dict()[rnn], learn.encoder.state_dict()[rnn])


def test_an_encoder_of_another_architecture_is_refused_and_nothing_changes(tmp_path):
    learn = lm_learner(lm_loaders(tmp_path))
    learn.save_encoder("encoder")
    other = text_classifier_learner(
        film_loaders(tmp_path), AWD_LSTM, config={**SMALL, "n_hid": 20}, pretrained=False
    )
    before = {k: v.clone() for k, v in other.model.state_dict().items()}
    with pytest.raises(ModelFileError, match="does not fit this encoder, a AWD_LSTM: rnns"):
        other.load_encoder("encoder")
    assert all(torch.equal(v, before[k]) for k, v in other.model.state_dict().items())
    with pytest.raises(ModelFileError, match="there is no model file"):
        other.load_encoder("encodr")


# -- weights of others ------------------------------------------------------------------------


def published(folder, words):
    """Files laid out as those that fast.ai publishes: a pickle of words, and weights."""
    model = get_language_model(AWD_LSTM, len(words), SMALL)
    torch.save(model.state_dict(), folder / "lstm_fwd.pth")
    (folder / "itos.pkl").write_bytes(pickle.dumps(words))
    return model


WORDS = ["xxunk", "xxpad", "xxbos", "the", "good", "bad", "unheard"]


def test_published_weights_start_a_language_model(tmp_path):
    (tmp_path / "models").mkdir()
    model = published(tmp_path / "models", WORDS)
    dls = lm_loaders(tmp_path)
    learn = language_model_learner(
        dls, AWD_LSTM, config=SMALL, pretrained_fnames=["lstm_fwd", "itos"]
    )
    own = learn.model.state_dict()
    row = own["0.encoder.weight"][dls.vocab.index("the")]
    assert torch.equal(row, model.state_dict()["0.encoder.weight"][WORDS.index("the")])
    trained = [any(p.requires_grad for p in group) for group in learn.opt.param_lists]
    assert trained == [False, False, True]


def test_published_weights_start_a_classifier(tmp_path):
    model = published(tmp_path, WORDS)
    dls = film_loaders(tmp_path)
    learn = text_classifier_learner(
        dls, AWD_LSTM, config=SMALL,
        pretrained_fnames=[tmp_path / "lstm_fwd.pth", tmp_path / "itos.pkl"],
    )  # fmt: skip
    row = learn.encoder.encoder.weight[dls.vocab[0].index("good")]
    assert torch.equal(row, model.state_dict()["0.encoder.weight"][WORDS.index("good")])
    with pytest.raises(ModelFileError, match="there is no file of words"):
        learn.load_pretrained(tmp_path / "lstm_fwd.pth", tmp_path / "itso.pkl")


def test_without_files_it_is_said_that_nothing_is_trained(tmp_path):
    dls = film_loaders(tmp_path)
    with pytest.warns(UserWarning, match="no weights are fetched"):
        learn = text_classifier_learner(dls, AWD_LSTM, config=SMALL)
    assert all(p.requires_grad for p in learn.model.parameters())


# -- settings ---------------------------------------------------------------------------------


def test_learners_train_as_ulmfit_does(tmp_path):
    learn = classifier(film_loaders(tmp_path))
    assert learn.moms == (0.8, 0.7, 0.8)
    regularizer = next(cb for cb in learn.cbs if isinstance(cb, RNNRegularizer))
    assert (regularizer.alpha, regularizer.beta) == (2.0, 1.0)
    assert len(learn.opt.param_lists) == 4  # embedding, two layers, head


def test_callbacks_that_are_given_stand_in_the_place_of_ours(tmp_path):
    learn = classifier(film_loaders(tmp_path), cbs=[RNNRegularizer(5, 0), ModelResetter()])
    found = [cb for cb in learn.cbs if isinstance(cb, RNNRegularizer)]
    assert [cb.alpha for cb in found] == [5]
    assert sum(isinstance(cb, ModelResetter) for cb in learn.cbs) == 1


def test_a_learner_saves_and_loads(tmp_path):
    dls = film_loaders(tmp_path)
    learn, other = classifier(dls), classifier(dls)
    learn.save("whole")
    other.load("whole")
    assert all(
        torch.equal(a, b)
        for a, b in zip(learn.model.parameters(), other.model.parameters(), strict=True)
    )
    torch.save(learn.model.state_dict(), tmp_path / "models" / "plain.pth")
    classifier(dls).load("plain.pth", with_opt=False)


class OwnModel(nn.Module):
    """A model of the user's, with the three results that penalties need."""

    def __init__(self, words):
        super().__init__()
        self.embed = nn.Embedding(words, 8)
        self.rnn = nn.LSTM(8, 8, batch_first=True)
        self.out = nn.Linear(8, words)

    def forward(self, x):
        raw, _ = self.rnn(self.embed(x))
        return self.out(raw), raw, raw

    def reset(self):
        """There is nothing to forget."""


def test_a_model_of_ones_own_trains_but_has_no_encoder(tmp_path):
    dls = lm_loaders(tmp_path)
    learn = TextLearner(dls, OwnModel(len(dls.vocab)), loss_func=CrossEntropyLossFlat())
    with learn.no_logging():
        learn.fit(1)
    with pytest.raises(TypeError, match="OwnModel has no encoder"):
        learn.save_encoder("own")


def test_forward_and_backward_predictions_average(tmp_path):
    forward, backward = (film_loaders(tmp_path, backwards=b) for b in (False, True))
    learners = [
        classifier(forward, drop_mult=0.0),
        classifier(backward, drop_mult=0.0, backwards=True),
    ]
    for learn in learners:
        with learn.no_logging():
            learn.fit_one_cycle(8, 2e-2)
    (one, targets), (two, same) = (learn.get_preds() for learn in learners)
    assert torch.equal(targets, same)  # in the order of the items, however they were sorted
    assert accuracy((one + two) / 2, targets) == 1.0


def test_predictions_of_a_classifier_do_not_depend_on_the_batch(tmp_path):
    learn = classifier(film_loaders(tmp_path))
    texts = ["good", "so bad and so very dull , a film so bad", "fine"]
    together = learn.predict(texts)
    for (_, _, joint), text in zip(together, texts, strict=True):
        torch.testing.assert_close(learn.predict(text)[2], joint, atol=1e-5, rtol=0)


def test_wrong_use_is_told(tmp_path):
    lm, films = lm_loaders(tmp_path), film_loaders(tmp_path)
    with pytest.raises(ValueError, match="those of a language model; make them without is_lm"):
        classifier(lm)
    with pytest.raises(ValueError, match="those of a classifier; make them with is_lm=True"):
        lm_learner(films)
    with pytest.raises(ValueError, match="backwards=True, and these loaders read from the begin"):
        classifier(films, backwards=True)
    with pytest.raises(TypeError, match="none of texts, since no Numericalize"):
        classifier(DataLoaders([1], [2]))
    with pytest.raises(TypeError, match=r"unknown keyword 'drop_mul'.*Did you mean 'drop_mult'"):
        classifier(films, drop_mul=1)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match="n_hidden"):
        text_classifier_learner(films, AWD_LSTM, config={"n_hidden": 3}, pretrained=False)
    with pytest.raises(ValueError, match="give the file of the weights and that of their words"):
        text_classifier_learner(films, AWD_LSTM, pretrained_fnames=["only"])
    with pytest.raises(ValueError, match="beam searches"):
        lm_learner(lm).predict("the", 3, beam=2, temperature=0.5)
    with pytest.raises(TypeError, match="5 is a int and no text"):
        lm_learner(lm).predict(5)


def test_a_plain_learner_of_core_takes_the_same_model(tmp_path):
    dls = lm_loaders(tmp_path)
    model = get_language_model(AWD_LSTM, len(dls.vocab), SMALL)
    learn = Learner(dls, model, loss_func=CrossEntropyLossFlat())
    assert continue_text(learn, "the cat", 2, seed=0).startswith("the cat ")
