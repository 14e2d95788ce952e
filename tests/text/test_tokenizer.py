"""The step that makes tokens, alone and in pipelines over lists, frames and folders."""

import pickle
from pathlib import Path

import pandas as pd
import pytest

from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.dataset import TfmdLists
from layerwise.core.data.readers import ColReader, parent_label
from layerwise.core.data.source import get_text_files
from layerwise.core.data.split import GrandparentSplitter, IndexSplitter
from layerwise.core.display.titled import TitledStr
from layerwise.core.errors import DataError
from layerwise.core.items import L
from layerwise.core.settings import settings_of
from layerwise.text.tokenizer import Tokenizer
from layerwise.text.tokenizers.base import BaseTokenizer
from layerwise.text.tokenizers.subwords import SentencePieceTokenizer
from layerwise.text.vocab import Numericalize


def test_texts_files_and_rows_become_tokens_and_tokens_a_text(tmp_path):
    tfm = Tokenizer(text_cols="review")
    wanted = ["xxbos", "xxmaj", "so", "good"]
    (tmp_path / "a.txt").write_text("So good")
    row = {"review": "So good"}
    for item in ("So good", tmp_path / "a.txt", row, pd.Series(row)):
        assert tfm(item) == wanted
        assert type(tfm(item)) is L
    assert tfm(L(wanted)) == wanted
    assert type(tfm.decode(L(wanted))) is TitledStr
    assert tfm.decode(wanted) == "xxbos xxmaj so good"
    assert tfm.decode(tfm("")) == "xxbos"


def test_a_file_is_read_in_its_encoding(tmp_path):
    (tmp_path / "a.txt").write_bytes("été".encode("latin1"))
    assert Tokenizer(encoding="latin1")(tmp_path / "a.txt") == ["xxbos", "été"]
    with pytest.raises(DataError, match=r"a\.txt"):
        Tokenizer()(tmp_path / "a.txt")


def test_a_cell_that_is_no_text_is_told():
    with pytest.raises(DataError, match="nan in the column 'a' is a float"):
        Tokenizer(text_cols="a")({"a": float("nan")})


def test_a_tokeniser_is_given_and_not_named():
    with pytest.raises(TypeError, match=r"'spacy' is no tokeniser; give one, .*SpacyTokenizer"):
        Tokenizer("spacy")
    with pytest.raises(TypeError, match="is a class; make one of it"):
        Tokenizer(BaseTokenizer)


def test_a_list_of_texts_goes_to_numbers_and_back():
    texts = ["a b c", "b c", "odd"]
    tl = TfmdLists(texts, [Tokenizer(), Numericalize(min_freq=1)], splits=[[0, 1], [2]])
    assert tl.train[1].tolist() == [tl.vocab.index(t) for t in ("xxbos", "b", "c")]
    assert tl.decode(tl.train[0]) == "xxbos a b c"
    assert tl.valid[0].tolist() == [2, 0]


def frame():
    return pd.DataFrame(
        {"y": [0, 1, 0, 1], "review": ["Good", "bad bad", "so so", "odd"], "title": list("abcd")}
    )


def test_a_frame_is_cut_at_once_and_counted_where_it_trains():
    df = frame()
    tokenizer = Tokenizer.from_df("review")
    block = DataBlock(
        (TransformBlock([tokenizer, Numericalize(min_freq=1)]), CategoryBlock),
        get_x=ColReader("text"), get_y=ColReader("y"), splitter=IndexSplitter([3]),
    )  # fmt: skip
    dsets = block.datasets(df)
    vocab = dsets.vocab[0]
    assert "so" in vocab
    assert "odd" not in vocab
    assert dsets.train[1][0].tolist() == [vocab.index(t) for t in ("xxbos", "bad", "bad")]
    assert tokenizer.get_lengths(dsets.tls[0].items) == [3, 3, 3, 2]
    assert tokenizer.get_lengths(dsets.train.tls[0].items) == [3, 3, 3]
    assert df.columns.tolist() == ["y", "review", "title"]


def test_several_columns_make_one_text():
    tokenizer = Tokenizer.from_df(["title", "review"], tok_text_col="both")
    tl = TfmdLists(frame(), [ColReader("both"), tokenizer])
    assert tl[0] == ["xxbos", "xxfld", "1", "a", "xxfld", "2", "xxmaj", "good"]
    assert tokenizer(frame().iloc[0]) == tl[0]


def test_a_folder_is_cut_at_once_and_read_from_there(tmp_path):
    for name, text in {"train/pos/1": "Good", "train/neg/2": "bad", "valid/pos/3": "so"}.items():
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / f"{name}.txt").write_text(text)
    tokenizer = Tokenizer.from_folder(tmp_path / "t")
    assert tokenizer.counter == {"xxbos": 3, "xxmaj": 1, "good": 1, "bad": 1, "so": 1}
    made = tmp_path / "t_tok" / "train" / "pos" / "1.txt"
    assert made.read_text() == "xxbos xxmaj good"
    made.write_text("from here")  # so that it is seen where tokens come from
    files = get_text_files(tmp_path / "t")
    assert tokenizer(tmp_path / "t" / "train" / "pos" / "1.txt") == ["from", "here"]
    assert tokenizer.get_lengths(files) == [2, 3, 2]
    block = DataBlock(
        (TransformBlock([tokenizer, Numericalize(min_freq=1)]), CategoryBlock),
        get_items=get_text_files, get_y=parent_label,
        splitter=GrandparentSplitter(),
    )  # fmt: skip
    dsets = block.datasets(tmp_path / "t")
    assert dsets.valid[0][0].tolist() == [2, dsets.vocab[0].index("so")]
    (tmp_path / "new.txt").write_text("New")
    assert tokenizer(tmp_path / "new.txt") == ["xxbos", "xxmaj", "new"]
    assert tokenizer.get_lengths([tmp_path / "new.txt"]) is None


def test_lengths_are_unknown_for_anything_else():
    assert Tokenizer().get_lengths(["a text"]) is None


def test_a_tokeniser_that_learns_does_so_in_the_setup(tmp_path):
    pytest.importorskip("sentencepiece")
    texts = [f"the cats and the dogs were barking loudly {i}" for i in range(50)]
    tfm = Tokenizer(SentencePieceTokenizer(vocab_sz=64))
    tl = TfmdLists(texts, [tfm, Numericalize(min_freq=1)], splits=[range(40), range(40, 50)])
    assert tfm.tok.sp_model is not None
    assert tl.decode(tl[0]) == "xxbos the cats and the dogs were barking loudly 0"


def test_settings_and_pickles_make_an_equal_one_without_folders(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.txt").write_text("one-two")
    tfm = Tokenizer.from_folder(tmp_path / "t", BaseTokenizer("-"), [])
    settings = settings_of(tfm)
    assert str(tmp_path) not in repr(settings)
    assert Tokenizer(**settings)("x-y") == ["x", "y"]
    again = pickle.loads(pickle.dumps(tfm))
    assert again(Path(tmp_path / "t" / "a.txt")) == ["one", "two"]
    assert repr(tfm) == "Tokenizer(BaseTokenizer(split_char='-'))"
