"""`TabularDataLoaders`: from a frame or a file, with the split that was asked for."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from layerwise.core.errors import DataError
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.data import TabularDataLoaders, read_table
from layerwise.tabular.procs import Categorify, FillMissing


def people(count=50):
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "job": rng.choice(["clerk", "smith", "cook"], count),
        "age": rng.normal(40, 12, count),
        "rooms": rng.integers(1, 9, count),
        "pay": rng.choice(["low", "high"], count),
    }, index=range(1000, 1000 + count))  # fmt: skip


def test_rows_of_validation_are_those_that_are_named():
    dls = TabularDataLoaders.from_df(people(), y_names="pay", valid_idx=[3, 1, 7])
    assert dls.valid_ds.items.index.tolist() == [1003, 1001, 1007]
    assert len(dls.train_ds) == 47


def test_a_fifth_validates_and_the_seed_decides_which():
    rows = [
        TabularDataLoaders.from_df(people(), y_names="pay", seed=seed).valid_ds.items.index.tolist()
        for seed in (1, 1, 2)
    ]
    assert rows[0] == rows[1] != rows[2]
    assert len(rows[0]) == 10
    assert len(TabularDataLoaders.from_df(people(), y_names="pay", valid_pct=0.5).valid_ds) == 25


def test_columns_are_chosen_where_none_is_named():
    dls = TabularDataLoaders.from_df(people(), y_names="pay")
    assert (dls.cat_names, dls.cont_names) == (["job", "rooms"], ["age"])
    one = TabularDataLoaders.from_df(people(), cont_names=["age"], y_names="pay")
    assert (one.cat_names, one.cont_names) == ([], ["age"])
    several = TabularDataLoaders.from_df(people(), y_names=["age", "pay"])
    assert several.cat_names == ["job", "rooms"]


def test_settings_reach_the_loaders(tmp_path):
    procs = [Categorify, FillMissing, Normalize]
    dls = TabularDataLoaders.from_df(people(), tmp_path, procs, ["job"], ["age"], "pay",
                                     bs=8, val_bs=4, drop_last=False, device="cpu")  # fmt: skip
    assert isinstance(dls, TabularDataLoaders)
    assert (dls.train.bs, dls.valid.bs, len(dls.train)) == (8, 4, 5)
    assert (dls.path, str(dls.device)) == (tmp_path, "cpu")
    assert [type(step).__name__ for step in dls.procs] == [
        "FillMissing", "Categorify", "NormalizeColumns",
    ]  # fmt: skip
    bare = TabularDataLoaders.from_df(people(), procs=[], cont_names="age", y_names="pay")
    assert len(bare.procs) == 0


@pytest.mark.parametrize(
    "kind", [pl.from_pandas, pa.Table.from_pandas, lambda f: f.to_dict("list")]
)
def test_tables_of_other_libraries_are_loaded_alike(kind):
    frame = people().reset_index(drop=True)
    expected = TabularDataLoaders.from_df(frame, y_names="pay", valid_idx=range(10))
    found = TabularDataLoaders.from_df(kind(frame), y_names="pay", valid_idx=range(10))
    pd.testing.assert_frame_equal(found.train_ds.items, expected.train_ds.items)
    assert found.vocab == expected.vocab


def test_a_file_is_read_as_pandas_reads_it(tmp_path):
    frame = people().reset_index(drop=True)
    (tmp_path / "people.csv").write_text(frame.to_csv(index=False).replace(",", ", "))
    read = read_table(tmp_path / "people.csv")
    pd.testing.assert_frame_equal(read, frame)
    with_spaces = read_table(tmp_path / "people.csv", skipinitialspace=False)
    assert with_spaces.columns[1] == " age"
    frame.to_csv(tmp_path / "people.txt", index=False, sep=";", encoding="latin-1")
    dls = TabularDataLoaders.from_csv(tmp_path / "people.txt", delimiter=";", encoding="latin-1",
                                      y_names="pay", valid_idx=[0], bs=4)  # fmt: skip
    assert (len(dls.train_ds), dls.train.bs) == (49, 4)


@pytest.mark.parametrize("na_values", ["?", ["?", "unknown"]])
def test_texts_that_stand_for_missing_values_are_read_as_such(tmp_path, na_values):
    path = tmp_path / "people.csv"
    path.write_text("age, job, pay\n" + "30, ?, low\n?, clerk, high\n40, smith, low\n" * 5)
    read = read_table(path, na_values=na_values)
    assert (read.age.isna().sum(), read.job.isna().sum(), read.age.dtype.kind) == (5, 5, "f")
    dls = TabularDataLoaders.from_csv(path, na_values=na_values, y_names="pay", bs=4, seed=1)
    assert (dls.cont_names, list(dls.classes["job"])) == (["age"], ["#na#", "clerk", "smith"])


def test_files_with_faults_are_refused_by_line(tmp_path):
    (tmp_path / "short.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(DataError, match="line 3"):
        TabularDataLoaders.from_csv(tmp_path / "short.csv", y_names="b")
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"):
        TabularDataLoaders.from_csv(tmp_path / "missing.csv", y_names="b")


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"y_names": "pya"}, r"'pya'.* Did you mean 'pay'|'pya' \(did you mean 'pay'"),
        ({"y_names": "pay", "valid_idx": [50]}, "are outside of 0 to 49"),
        ({"y_names": "pay", "cat_names": "jobs"}, r"'jobs' \(did you mean 'job'"),
    ],
)
def test_what_is_not_there_is_named(kwargs, said):
    with pytest.raises(ValueError, match=said):
        TabularDataLoaders.from_df(people(), **kwargs)


def test_no_table_and_an_empty_one_are_refused():
    with pytest.raises(
        TypeError, match=r"not str \(read files first, for example with read_table\)"
    ):
        TabularDataLoaders.from_df("people.csv", y_names="pay")
    with pytest.raises(ValueError, match="the table has no rows"):
        TabularDataLoaders.from_df(people().iloc[:0], y_names="pay", cont_names="age")


def test_misspelt_keywords_are_told():
    with pytest.raises(TypeError, match=r"unknown keyword 'cat_name'\. Did you mean 'cat_names'"):
        TabularDataLoaders.from_df(people(), cat_name="job", y_names="pay")
    with pytest.raises(TypeError, match=r"unknown keyword 'suffle'\. Did you mean 'shuffle'"):
        TabularDataLoaders.from_df(people(), suffle=False, y_names="pay")
