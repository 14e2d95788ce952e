"""The programs on texts of the fastai book run after a change of the import line."""

import runpy
import tarfile
from textwrap import dedent

import pytest
import torch

# Chapter 10: a language model for film reviews, and a classifier on top of it. The settings of
# speed alone are smaller here: a small net, few reviews, no half precision on the CPU.
REVIEWS = """
    from layerwise.text.all import *
    set_seed(2)
    path = untar_data(URLs.IMDB)
    config = {"emb_sz": 32, "n_hid": 32, "n_layers": 1}

    get_imdb = partial(get_text_files, folders=['train', 'test', 'unsup'])
    dls_lm = DataBlock(
        blocks=TextBlock.from_folder(path, is_lm=True),
        get_items=get_imdb, splitter=RandomSplitter(0.1)
    ).dataloaders(path, path=path, bs=128, seq_len=80)
    dls_lm.show_batch(max_n=2)
    learn = language_model_learner(
        dls_lm, AWD_LSTM, drop_mult=0.3, config=config, pretrained=False,
        metrics=[accuracy, Perplexity()])
    learn.fit_one_cycle(1, 2e-2)
    learn.save('1epoch')
    learn = learn.load('1epoch')
    learn.unfreeze()
    learn.fit_one_cycle(1, 2e-3)
    learn.save_encoder('finetuned')
    preds = [learn.predict("I liked this movie because", 40, temperature=0.75) for _ in range(2)]
    lm = learn

    dls_clas = DataBlock(
        blocks=(TextBlock.from_folder(path, vocab=dls_lm.vocab), CategoryBlock),
        get_y=parent_label,
        get_items=partial(get_text_files, folders=['train', 'test']),
        splitter=GrandparentSplitter(valid_name='test')
    ).dataloaders(path, path=path, bs=128, seq_len=72)
    dls_clas.show_batch(max_n=3)
    learn = text_classifier_learner(dls_clas, AWD_LSTM, drop_mult=0.5, config=config,
                                    pretrained=False, metrics=accuracy)
    learn = learn.load_encoder('finetuned')
    learn.fit_one_cycle(1, 2e-2)
    learn.freeze_to(-2)
    learn.fit_one_cycle(1, slice(1e-2/(2.6**4), 1e-2))
    learn.unfreeze()
    learn.fit_one_cycle(1, slice(1e-3/(2.6**4), 1e-3))
    decoded, index, probs = learn.predict("I really liked that movie!")
"""

# Chapter 1, in one call.
FIRST = """
    from layerwise.text.all import *
    dls = TextDataLoaders.from_folder(untar_data(URLs.IMDB), valid='test')
    learn = text_classifier_learner(dls, AWD_LSTM, drop_mult=0.5, metrics=accuracy,
                                    config={"emb_sz": 16, "n_hid": 16, "n_layers": 1})
    learn.fine_tune(1, 1e-2)
    found = learn.predict("I really liked that movie!")
"""

# Chapter 12: models of one's own for numbers in words.
NUMBERS = """
    from layerwise.text.all import *
    set_seed(1)
    path = untar_data(URLs.HUMAN_NUMBERS)
    lines = L()
    with open(path/'train.txt') as f: lines += L(*f.readlines())
    with open(path/'valid.txt') as f: lines += L(*f.readlines())
    lines = lines[:1500]
    text = ' . '.join([l.strip() for l in lines])
    tokens = text.split(' ')
    vocab = L(*tokens).unique()
    word2idx = {w: i for i, w in enumerate(vocab)}
    nums = L(word2idx[i] for i in tokens)

    def group_chunks(ds, bs):
        m = len(ds) // bs
        new_ds = L()
        for i in range(m): new_ds += L(ds[i + m*j] for j in range(bs))
        return new_ds

    bs, sl = 16, 16
    seqs = L((tensor(nums[i:i+sl]), tensor(nums[i+1:i+sl+1]))
             for i in range(0, len(nums)-sl-1, sl))
    cut = int(len(seqs) * 0.8)
    dls = DataLoaders.from_dsets(
        group_chunks(seqs[:cut], bs), group_chunks(seqs[cut:], bs),
        bs=bs, drop_last=True, shuffle=False)

    class LMModel6(Module):
        def __init__(self, vocab_sz, n_hidden, n_layers):
            self.i_h = nn.Embedding(vocab_sz, n_hidden)
            self.rnn = nn.LSTM(n_hidden, n_hidden, n_layers, batch_first=True)
            self.h_o = nn.Linear(n_hidden, vocab_sz)
            self.h = [torch.zeros(n_layers, bs, n_hidden) for _ in range(2)]

        def forward(self, x):
            res, h = self.rnn(self.i_h(x), self.h)
            self.h = [h_.detach() for h_ in h]
            return self.h_o(res)

        def reset(self):
            for h in self.h: h.zero_()

    learn = Learner(dls, LMModel6(len(vocab), 32, 2), loss_func=CrossEntropyLossFlat(),
                    metrics=accuracy, cbs=ModelResetter)
    learn.fit_one_cycle(4, 1e-2)

    class LMModel7(Module):
        def __init__(self, vocab_sz, n_hidden, n_layers, p):
            self.i_h = nn.Embedding(vocab_sz, n_hidden)
            self.rnn = nn.LSTM(n_hidden, n_hidden, n_layers, batch_first=True)
            self.drop = nn.Dropout(p)
            self.h_o = nn.Linear(n_hidden, vocab_sz)
            self.h_o.weight = self.i_h.weight
            self.h = [torch.zeros(n_layers, bs, n_hidden) for _ in range(2)]

        def forward(self, x):
            raw, h = self.rnn(self.i_h(x), self.h)
            out = self.drop(raw)
            self.h = [h_.detach() for h_ in h]
            return self.h_o(out), raw, out

        def reset(self):
            for h in self.h: h.zero_()

    learn7 = Learner(dls, LMModel7(len(vocab), 32, 2, 0.5), loss_func=CrossEntropyLossFlat(),
                     metrics=accuracy, cbs=[ModelResetter, RNNRegularizer(alpha=2, beta=1),
                                            RNNCallback])
    learn7.fit_one_cycle(2, 1e-2, wd=0.1)
    text_learner = TextLearner(dls, LMModel7(len(vocab), 32, 2, 0.4),
                               loss_func=CrossEntropyLossFlat(), metrics=accuracy)
    text_learner.fit_one_cycle(6, 1e-2, wd=0.1)
"""


@pytest.fixture
def run(tmp_path):
    """What runs the text of a program as a file of its own, and gives its variables."""

    def run_text(text):
        file = tmp_path / "program.py"
        file.write_text(dedent(text))
        return runpy.run_path(str(file))

    return run_text


@pytest.fixture
def few_reviews(mirror, tmp_path, monkeypatch):
    """A mirror with some of the reviews of imdb, laid out as all of them are."""
    if not (mirror / "imdb.tgz").is_file():
        pytest.skip("no imdb.tgz among the real data")
    taken = {"train/pos": 60, "train/neg": 60, "test/pos": 30, "test/neg": 30, "unsup": 60}
    with (
        tarfile.open(mirror / "imdb.tgz") as whole,
        tarfile.open(tmp_path / "imdb.tgz", "w:gz") as few,
    ):
        for member in whole:
            folder = member.name.removeprefix("imdb/").rpartition("/")[0]
            if member.isfile() and taken.get(folder, 0):
                taken[folder] -= 1
                few.addfile(member, whole.extractfile(member))
    monkeypatch.setenv("LAYERWISE_MIRROR", str(tmp_path))
    monkeypatch.setenv("LAYERWISE_HOME", str(tmp_path / "home"))


def test_a_classifier_of_reviews_stands_on_a_language_model(run, few_reviews, capsys):
    made = run(REVIEWS)
    assert (len(made["dls_lm"].train_ds), len(made["dls_lm"].valid_ds)) == (216, 24)
    assert (len(made["dls_clas"].train_ds), len(made["dls_clas"].valid_ds)) == (120, 60)
    assert made["dls_clas"].vocab[0] == made["dls_lm"].vocab
    assert all(text.startswith("i liked this movie because") for text in made["preds"])
    assert made["preds"][0] != made["preds"][1]
    assert made["decoded"] in ("neg", "pos")
    assert made["probs"].shape == (2,)
    losses = [row[0] for row in made["lm"].recorder.values]
    assert all(torch.tensor(losses).isfinite())
    assert "xxbos" in capsys.readouterr().out


def test_the_first_program_needs_one_call_for_the_data(run, few_reviews):
    with pytest.warns(UserWarning, match="no weights are fetched"):
        made = run(FIRST)
    assert made["found"][0] in ("neg", "pos")


def test_own_models_learn_numbers_in_words(run, mirror, tmp_path, monkeypatch):
    if not (mirror / "human_numbers.tgz").is_file():
        pytest.skip("no human_numbers.tgz among the real data")
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    monkeypatch.setenv("LAYERWISE_HOME", str(tmp_path / "home"))
    made = run(NUMBERS)
    assert made["learn"].recorder.values[-1][-1] > 0.3
    assert made["text_learner"].recorder.values[-1][-1] > 0.3
    assert made["text_learner"].recorder.values[-1][0] > 0
