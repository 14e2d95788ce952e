"""Frames and tables of texts."""

from collections import Counter

import pandas as pd
import pytest

from layerwise.core.errors import DataError
from layerwise.text.tokenized_frame import (
    join_fields,
    load_tokenized_csv,
    tokenize_csv,
    tokenize_df,
    tokenize_texts,
)
from layerwise.text.tokenizers.subwords import SentencePieceTokenizer

DF = pd.DataFrame({"a": ["Hello you", "B"], "b": ["c c", "d"], "label": [0, 1]})


def test_texts_are_cut_in_order():
    assert tokenize_texts([]) == []
    made = tokenize_texts([f"T {i}x" for i in range(111)], n_workers=2)
    assert made == [["xxbos", "t", f"{i}x"] for i in range(111)]


def test_fields_are_marked_where_there_are_several():
    assert join_fields(["a", "b"]) == "xxfld 1 a xxfld 2 b"
    assert join_fields(["a"]) == "a"
    assert join_fields(["a"], mark_fields=True) == "xxfld 1 a"
    assert join_fields(["a", "b"], mark_fields=False) == "a b"


def test_a_frame_gets_tokens_lengths_and_counts():
    made, counter = tokenize_df(DF, ["a", "b"], n_workers=0)
    assert made.columns.tolist() == ["label", "text", "text_length"]
    first = ["xxbos", "xxfld", "1", "xxmaj", "hello", "you", "xxfld", "2", "c", "c"]
    assert made["text"].tolist() == [first, ["xxbos", "xxfld", "1", "b", "xxfld", "2", "d"]]
    assert made["text_length"].tolist() == [10, 7]
    assert counter == Counter([*first, "xxbos", "xxfld", "1", "b", "xxfld", "2", "d"])
    assert DF.columns.tolist() == ["a", "b", "label"]


def test_columns_have_the_names_asked_for():
    made, _ = tokenize_df(DF, 0, tok_text_col="toks")
    assert made.columns.tolist() == ["b", "label", "toks", "toks_length"]


@pytest.mark.parametrize("value", [None, float("nan"), 3])
def test_a_cell_that_is_no_text_is_named(value):
    df = pd.DataFrame({"a": pd.Series(["x", value], ["r", "s"], dtype=object)})
    with pytest.raises(DataError, match=r"row 's' \(number 1\) has .* in the column 'a'.*dropna"):
        tokenize_df(df, "a")


def test_a_column_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(DataError, match=r"no column 'lable'.* Did you mean 'label'"):
        tokenize_df(DF, "lable")


def test_an_empty_frame_stays_empty():
    made, counter = tokenize_df(DF.iloc[:0], "a")
    assert len(made) == 0
    assert "text_length" in made
    assert not counter


@pytest.mark.parametrize("workers", [0, 2])
def test_a_table_is_cut_in_parts_and_read_again(tmp_path, workers):
    table = tmp_path / "texts.csv"
    df = pd.DataFrame({"y": range(9), "t": [f'Line {i},\n\n"so" NA' for i in range(9)]})
    df.to_csv(table, index=False)
    made = tokenize_csv(table, "t", chunksize=4, n_workers=workers)
    assert made == tmp_path / "texts_tok.csv"
    frame, counter = load_tokenized_csv(made)
    wanted, count = tokenize_df(df, "t")
    pd.testing.assert_frame_equal(frame, wanted)
    assert counter == count
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "texts.csv", "texts_tok.counter.json", "texts_tok.csv",
    ]  # fmt: skip


def test_an_interrupted_table_leaves_nothing(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text('t\nfine\n""\n')
    with pytest.raises(DataError, match="row 1"):
        tokenize_csv(table, "t", chunksize=1)
    assert [p.name for p in tmp_path.iterdir()] == ["texts.csv"]


def test_a_tokeniser_that_learns_is_set_up_before_a_table_in_parts(tmp_path):
    with pytest.raises(ValueError, match="call its setup"):
        tokenize_csv(tmp_path / "a.csv", "t", tok=SentencePieceTokenizer())
