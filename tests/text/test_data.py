"""Loaders of texts in one call, from folders, frames and tables."""

import tarfile

import pytest
import torch

from layerwise.core.data.block import RegressionBlock
from layerwise.core.errors import DataError
from layerwise.core.items import L
from layerwise.text.data import TextDataLoaders
from layerwise.text.highlight import highlight
from layerwise.text.learner import text_classifier_learner
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.tokenizers.base import BaseTokenizer

SMALL = {"emb_sz": 12, "n_hid": 16, "n_layers": 1}
TEXTS = {"pos": ["so good", "very good film"], "neg": ["so bad", "a very bad film"]}


@pytest.fixture
def folder(tmp_path):
    for part in ("train", "valid"):
        for label, texts in TEXTS.items():
            for i, text in enumerate(texts):
                file = tmp_path / "films" / part / label / f"{i}.txt"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text * 3)
    return tmp_path / "films"


@pytest.fixture
def frame():
    pd = pytest.importorskip("pandas")
    rows = [(text, label, i) for label, texts in TEXTS.items() for i, text in enumerate(texts)]
    df = pd.DataFrame(rows * 5, columns=["review", "label", "place"])
    df["is_valid"] = df.index % 5 == 0
    return df


def test_from_folder_takes_labels_and_parts_from_the_folders(folder):
    dls = TextDataLoaders.from_folder(folder, bs=2)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (4, 4)
    assert dls.vocab[1] == ["neg", "pos"]
    assert dls.path == folder


def test_from_folder_for_a_language_model(folder):
    dls = TextDataLoaders.from_folder(folder, is_lm=True, bs=2, seq_len=4)
    assert type(dls.train) is LMDataLoader
    assert dls.one_batch()[0].shape == (2, 4)
    assert "film" in dls.vocab


def test_from_folder_splits_as_it_is_told(folder):
    by_chance = TextDataLoaders.from_folder(folder, valid_pct=0.25, seed=0, bs=2)
    assert (len(by_chance.train_ds), len(by_chance.valid_ds)) == (6, 2)
    own = TextDataLoaders.from_folder(folder, splitter=lambda f: ([0, 1, 2, 7], [3]), bs=2)
    assert (len(own.train_ds), len(own.valid_ds)) == (4, 1)


def test_vocabularies_can_be_given(folder):
    words = ["xxunk", "xxpad", "good", "bad"]
    dls = TextDataLoaders.from_folder(folder, text_vocab=words, vocab=["pos", "neg"], bs=2)
    assert [list(v) for v in dls.vocab] == [words, ["pos", "neg"]]


def test_tokeniser_and_direction_are_passed_on(folder):
    dls = TextDataLoaders.from_folder(folder, tok_tfm=BaseTokenizer(), backwards=True, bs=2)
    last = {dls.vocab[0][i] for i in dls.valid.one_batch()[0][:, -1].tolist()}
    assert "xxbos" in last


def test_from_df_takes_columns(frame):
    dls = TextDataLoaders.from_df(frame, text_col="review", label_col="label", seed=1, bs=4)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (16, 4)
    assert list(frame.columns) == ["review", "label", "place", "is_valid"]
    by_column = TextDataLoaders.from_df(frame, valid_col="is_valid", bs=4)
    assert len(by_column.valid_ds) == 4
    assert [row["category"] for row in by_column.valid.show_batch(max_n=2)]
    lm = TextDataLoaders.from_df(frame, text_col="review", is_lm=True, bs=2, seq_len=3)
    assert lm.one_batch()[0].shape == (2, 3)


def test_from_df_takes_targets_of_other_kinds(frame):
    frame["labels"] = frame["label"] + ";" + frame["place"].astype(str)
    several = TextDataLoaders.from_df(frame, "p", label_col="labels", label_delim=";", bs=4)
    assert several.vocab[1] == ["0", "1", "neg", "pos"]
    number = TextDataLoaders.from_df(frame, label_col="place", y_block=RegressionBlock, bs=4)
    assert number.one_batch()[1].is_floating_point()
    frame["text"] = frame["label"]
    kept = TextDataLoaders.from_df(frame, label_col="text", tok_text_col="tokens", bs=4)
    assert kept.vocab[1] == ["neg", "pos"]


def test_from_csv_reads_a_table(tmp_path, frame):
    frame.to_csv(tmp_path / "films.csv", index=False)
    dls = TextDataLoaders.from_csv(tmp_path, "films.csv", text_col="review", label_col="label")
    assert dls.vocab[1] == ["neg", "pos"]
    assert dls.path == tmp_path
    frame[["label", "review"]].to_csv(tmp_path / "bare.txt", index=False, header=False, sep="\t")
    bare = TextDataLoaders.from_csv(
        tmp_path, "bare.txt", header=None, delimiter="\t", text_col=1, label_col=0, bs=4
    )
    assert bare.vocab[1] == ["neg", "pos"]


def test_wrong_use_is_told(folder, frame):
    with pytest.raises(FileNotFoundError, match=r"no folder 'test'.*it has 'train', 'valid'"):
        TextDataLoaders.from_folder(folder, valid="test")
    with pytest.raises(TypeError, match=r"from_df got an unknown keyword 'text_cols'.*'text_col'"):
        TextDataLoaders.from_df(frame, text_cols="review")
    with pytest.raises(TypeError, match=r"from_csv got an unknown keyword 'lable_col'"):
        TextDataLoaders.from_csv(folder, lable_col="x")
    with_holes = frame.assign(label=frame["label"].where(frame.index != 3))
    with pytest.raises(DataError, match=r"1 of 20 rows have no label.*'label'.*position 3;"):
        TextDataLoaders.from_df(with_holes, text_col="review", label_col="label")


def test_a_list_of_texts_is_several_and_an_l_the_tokens_of_one(frame):
    dls = TextDataLoaders.from_df(frame, text_col="review", label_col="label", bs=4, seed=1)
    learn = text_classifier_learner(dls, AWD_LSTM, config=SMALL, pretrained=False)
    alone = [learn.predict(text)[2] for text in ("a film", "fine")]
    together = [probs for *_, probs in learn.predict(["a film", "fine"])]
    torch.testing.assert_close(together, alone)
    tokens = learn.predict(L("xxbos", "a", "film"))
    torch.testing.assert_close(tokens[2], alone[0])
    with pytest.raises(ValueError, match="2 texts came"):
        highlight(learn, ["a film", "fine"])


# -- real data --------------------------------------------------------------------------------


def unpacked(mirror, name, folder):
    archive = mirror / f"{name}.tgz"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} among the real data")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / name


def test_reviews_of_imdb_sample_are_loaded(mirror, tmp_path):
    pytest.importorskip("pandas")
    folder = unpacked(mirror, "imdb_sample", tmp_path)
    dls = TextDataLoaders.from_csv(
        folder, "texts.csv", text_col="text", label_col="label", valid_col="is_valid", bs=32
    )
    assert (len(dls.train_ds), len(dls.valid_ds)) == (800, 200)
    assert dls.vocab[1] == ["negative", "positive"]
    words = dls.vocab[0]
    assert len(words) % 8 == 0
    assert 4000 < len(words) < 10_000
    x, _ = dls.valid.one_batch()
    assert (x == words.index("xxpad")).float().mean() < 0.5
    shown = dls.valid.show_batch(max_n=1, trunc_at=20)[0]["text"]
    assert len(shown.split()) == 20


def test_articles_of_wikitext_are_streams(mirror, tmp_path):
    pd = pytest.importorskip("pandas")
    folder = unpacked(mirror, "wikitext-2-small", tmp_path)
    parts = [pd.read_csv(folder / f"{part}.csv", header=None) for part in ("train", "test")]
    df = pd.concat(parts, keys=[False, True]).reset_index(level=0, names="is_valid")
    dls = TextDataLoaders.from_df(df, text_col=0, is_lm=True, valid_col="is_valid", bs=32)
    tokens = dls.train.corpus.size
    assert 200_000 < tokens < 400_000
    assert sum(x.numel() for x, _ in dls.train) == (tokens - 1) // 32 * 32
