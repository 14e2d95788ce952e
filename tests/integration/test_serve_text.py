"""Bundles of texts over the web; a text is never the name of a file."""

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("layerwise.text.all", reason="layerwise-text is not installed")
from fastapi.testclient import TestClient

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import ConfigError
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.serve.app import create_app
from layerwise.text.blocks import TextBlock
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.models.awd_lstm import AWD_LSTM

CONFIG = {"emb_sz": 6, "n_hid": 8, "n_layers": 1}
FILMS = [("A good film", "pos"), ("a bad and dull film", "neg")] * 10


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    set_seed(0)
    block = DataBlock(
        (TextBlock(min_freq=1, seq_len=5), CategoryBlock),
        get_x=ItemGetter(0), get_y=ItemGetter(1), splitter=IndexSplitter(range(8)),
    )  # fmt: skip
    dls = block.dataloaders(FILMS, bs=4, path=tmp_path_factory.mktemp("films"))
    learn = text_classifier_learner(dls, AWD_LSTM, config=CONFIG, pretrained=False)
    return learn.export("films.lw")


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(bundle)) as opened:
        yield opened


def test_texts_are_answered_as_the_learner_predicts_them_in_their_order(client, bundle):
    texts = ["a film that nobody has seen before and again", "bad", "GOOD good good!"]
    found = client.post("/predict/batch", json={"texts": texts}).json()["predictions"]
    for told, (label, _, probabilities) in zip(
        found, load_learner(bundle).predict(texts), strict=True
    ):
        assert told["label"] == label
        assert list(told["probabilities"].values()) == pytest.approx(probabilities.tolist())


def test_a_text_that_is_a_path_does_not_read_the_file(client, tmp_path):
    file = tmp_path / "film.txt"
    file.write_text("good " * 50)
    asked = client.post("/predict", json={"text": str(file)}).json()
    other = client.post("/predict", json={"text": str(file.with_name("none.txt"))}).json()
    file.write_text("bad and dull " * 50)
    assert client.post("/predict", json={"text": str(file)}).json() == asked
    assert other["label"] == asked["label"]


def test_words_that_training_has_not_seen_are_answered(client):
    assert client.post("/predict", json={"text": "\u0394 \U0001f600 qwertz"}).status_code == 200


def test_a_language_model_is_not_served(tmp_path):
    block = DataBlock(TextBlock(is_lm=True, min_freq=1), splitter=IndexSplitter(range(8)))
    dls = block.dataloaders([text for text, _ in FILMS], bs=4, path=tmp_path, seq_len=7)
    learn = language_model_learner(dls, AWD_LSTM, config=CONFIG, pretrained=False)
    with pytest.raises(ConfigError, match="cannot be served: its model predicts the next token"):
        create_app(learn.export("words.lw"))
