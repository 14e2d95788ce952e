"""Words get labels: from a file to predictions, and after loading."""

import random

import pytest
import torch

from layerwise.core.named import reference_to
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.text.hugging_face.adapter import HuggingFaceModel
from layerwise.text.tagging.data import TokenDataLoaders
from layerwise.text.tagging.learner import token_classifier_learner
from layerwise.text.tagging.metrics import EntityF1, tag_accuracy
from layerwise.text.tagging.pieces import WordPieces
from layerwise.text.tagging.sentences import Sentence
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

OTHERS = ["it", "was", "and", "the", "of", "is", "not"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "max_position_embeddings": 60}  # fmt: skip


def sentences(count, seed):
    """Films are what is called good or dull, and what is so far."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(count):
        words = drawn.choices(OTHERS, k=drawn.randint(2, 6))
        place = drawn.randrange(len(words))
        entity = drawn.choice([["good", "film"], ["dullness"], ["nobody", "seen"]])
        kind = "PER" if entity[0] == "nobody" else "FILM"
        labels = ["O"] * len(words)
        words[place:place] = entity
        labels[place:place] = [f"B-{kind}", *[f"I-{kind}"] * (len(entity) - 1)]
        yield words, labels


@pytest.fixture
def tok(wordpiece):
    return HuggingFaceTokenizer(wordpiece)


@pytest.fixture
def dls(tmp_path, tok):
    set_seed(0)
    for name, count in (("train", 200), ("valid", 40)):
        blocks = [
            "\n".join(f"{w} X {label}" for w, label in zip(*each, strict=True))
            for each in sentences(count, len(name) + count)
        ]
        (tmp_path / f"{name}.txt").write_text("\n\n".join(blocks) + "\n")
    return TokenDataLoaders.from_conll(tmp_path, tok_tfm=tok, bs=16)


@pytest.fixture
def config(transformers):
    return transformers.BertConfig(**SMALL)


def test_a_batch_has_pieces_and_labels(dls, capsys):
    x, y = dls.one_batch()
    assert x.shape == y.shape
    assert ((x.as_plain() < 0) == (y.as_plain() == -100)).all()
    dls.show_batch(max_n=3)
    shown = capsys.readouterr().out
    assert "/B-FILM" in shown or "/B-PER" in shown
    assert dls.vocab[-1] == ["B-FILM", "B-PER", "I-FILM", "I-PER", "O"]


def test_words_are_labelled(dls, config, capsys):
    learn = token_classifier_learner(dls, config, metrics=[tag_accuracy, EntityF1()])
    assert learn.model.model.config.id2label[4] == "O"
    learn.fit_one_cycle(5, 5e-3)
    _, accuracy, f1 = learn.validate()
    assert accuracy > 0.97
    assert f1 > 0.95
    found, numbers, probabilities = learn.predict("It was good film, and nobody seen")
    assert found[2:4] == [("good", "B-FILM"), ("film", "I-FILM")]
    assert found[-2:] == [("nobody", "B-PER"), ("seen", "I-PER")]
    assert len(numbers) == len(probabilities)
    assert learn.predict(Sentence(["the", "dullness", "is"]))[0] == [
        ("the", "O"), ("dullness", "B-FILM"), ("is", "O"),
    ]  # fmt: skip
    several = [words for words, *_ in learn.predict(["the dullness", "it is"])]
    assert several == [[("the", "O"), ("dullness", "B-FILM")], [("it", "O"), ("is", "O")]]
    learn.show_results(max_n=2)
    assert "/B-" in capsys.readouterr().out
    learn.fine_tune(1)


def test_measures_do_not_depend_on_the_batches(dls, config):
    learn = token_classifier_learner(dls, config, metrics=[tag_accuracy, EntityF1()])
    whole = learn.validate()
    parts = learn.validate(dl=dls.valid.new(bs=3))
    assert list(parts)[1:] == pytest.approx(list(whole)[1:])


@pytest.mark.skipif(
    reference_to(HuggingFaceModel) is None or reference_to(WordPieces) is None,
    reason="the names are not in the record of text yet",
)
def test_labels_are_the_same_after_loading(dls, config):
    learn = token_classifier_learner(dls, config)
    text = "It was good film, and nobody seen"
    before = learn.predict(text)
    loaded = load_learner(learn.export("tags.lw"))
    after = loaded.predict(text)
    assert after[0] == before[0]
    torch.testing.assert_close(after[2], before[2])
    if reference_to(Sentence) is not None:
        assert loaded.predict(Sentence(["so", "good"]))[0] == learn.predict("so good")[0]


def test_lists_of_words_and_labels_do(tok, config, tmp_path):
    words, labels = zip(*sentences(40, 1), strict=True)
    dls = TokenDataLoaders.from_lists(words, labels, tok_tfm=tok, seed=1, bs=8, path=tmp_path)
    assert len(dls.valid_ds) == 8
    learn = token_classifier_learner(dls, config)
    learn.fit(1)
    assert learn.save_encoder("tags").is_file()
