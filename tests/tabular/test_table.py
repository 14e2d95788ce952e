"""`TabularPandas` as the programs of the book use it, and what else a table can do."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor

from layerwise.core.data.block import CategoryBlock, MultiCategoryBlock
from layerwise.core.errors import DataError
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.dates import add_datepart
from layerwise.tabular.frames import cont_cat_split
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.table import Tabular

PROCS = [Categorify, FillMissing, Normalize]


def people(count=60, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "job": rng.choice(["clerk", "smith", "cook"], count),
        "age": rng.normal(40, 12, count),
        "rooms": rng.integers(1, 9, count),
        "pay": rng.choice(["low", "high"], count),
    }, index=[f"person {i}" for i in range(count)])  # fmt: skip
    frame.loc[frame.index[4], "age"] = np.nan  # a training row
    return frame


def split(count=60):
    return list(range(0, count, 2)), list(range(1, count, 2))


def encoded(frame=None, **kwargs):
    frame = people() if frame is None else frame
    return TabularPandas(frame, PROCS, ["job"], ["age", "rooms"], "pay", splits=split(), **kwargs)


def bulldozers(count=400):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "SalePrice": rng.lognormal(10, 0.5, count),
        "YearMade": rng.integers(1980, 2010, count),
        "Hours": rng.lognormal(7, 1, count),
        "ProductSize": rng.choice(["Mini", "Small", "Large", None], count),
        "state": rng.choice(["Ohio", "Texas", "Utah"], count),
        "saledate": pd.date_range("2008-01-01", periods=count),
    })  # fmt: skip
    frame.loc[::7, "Hours"] = np.nan
    frame["SalePrice"] *= 1 + (frame["YearMade"] - 1980) / 30
    return frame


def test_the_program_of_chapter_9_of_the_book():
    df = bulldozers()
    sizes = ["Large", "Small", "Mini"]
    df["ProductSize"] = df["ProductSize"].astype("category")
    df["ProductSize"] = df["ProductSize"].cat.set_categories(sizes, ordered=True)
    dep_var = "SalePrice"
    df[dep_var] = np.log(df[dep_var])
    df = add_datepart(df, "saledate")
    procs = [Categorify, FillMissing]
    cond = (df.saleYear < 2009) & (df.saleMonth < 11)
    train_idx = np.where(cond)[0]
    valid_idx = np.where(~cond)[0]
    splits = (list(train_idx), list(valid_idx))
    cont, cat = cont_cat_split(df, 1, dep_var=dep_var)
    with pytest.warns(UserWarning, match="column 'saleIs_year_end': 'True'"):
        to = TabularPandas(df, procs, cat, cont, y_names=dep_var, splits=splits)
    assert (len(to.train), len(to.valid)) == (len(train_idx), len(valid_idx))
    assert to.classes["ProductSize"] == ["#na#", *sizes]
    assert "Hours_na" in to.xs.columns
    assert to.items[["state", "ProductSize"]].iloc[0].tolist() == [
        ["Ohio", "Texas", "Utah"].index(df["state"][0]) + 1,
        sizes.index(df["ProductSize"][0]) + 1 if df["ProductSize"][0] in sizes else 0,
    ]
    xs, y = to.train.xs, to.train.y
    valid_xs, valid_y = to.valid.xs, to.valid.y
    forest = RandomForestRegressor(20, min_samples_leaf=5, random_state=0).fit(xs, y)
    assert np.sqrt(((forest.predict(xs) - y) ** 2).mean()) < y.std()
    assert len(forest.predict(valid_xs)) == len(valid_y)
    assert valid_y.index.tolist() == valid_idx.tolist()
    filtered = xs.drop(columns=["saleIs_year_end"])
    assert "saleIs_year_end" in to.train.xs.columns
    assert len(filtered.columns) == len(xs.columns) - 1


def test_frames_have_the_labels_of_their_rows():
    frame, to = people(), encoded()
    assert to.items.index.equals(frame.index)
    assert to.valid.ys.index.equals(frame.index[1::2])
    assert to.train.xs.columns.tolist() == ["job", "age_na", "age", "rooms"]
    assert to.train.cats.columns.tolist() == ["job", "age_na"]
    assert to.train.conts.columns.tolist() == ["age", "rooms"]
    assert to.all_col_names == ["job", "age_na", "age", "rooms", "pay"]
    assert to.x_names == to.all_col_names[:-1]
    assert (to.y == (frame["pay"] == "low")).all()
    pd.testing.assert_frame_equal(to.targ, to.ys)
    assert (to.n_subsets, to.n_inp) == (2, 2)


def test_the_frame_that_was_given_stays_as_it_is():
    frame = people()
    before = frame.copy()
    to = encoded(frame)
    to.dataloaders(bs=8).one_batch()
    for made in (to.items, to.conts, to["age"]):
        made.iloc[:] = 0
    pd.testing.assert_frame_equal(frame, before)
    assert not (to.items["age"] == 0).any()


def test_inplace_writes_what_is_encoded_to_the_frame():
    frame = people()
    to = encoded(frame, inplace=True)
    pd.testing.assert_frame_equal(frame[to.all_col_names], to.items)
    new = people(5)
    made = to.new(new, inplace=True).process()
    pd.testing.assert_frame_equal(new[made.all_col_names], made.items)
    with pytest.raises(TypeError, match="inplace=True writes to a frame of pandas, not to dict"):
        to.new({"job": "cook", "age": 1, "rooms": 2}, inplace=True).process()


def test_rows_are_chosen_by_place_and_by_label():
    to = encoded()
    assert to.iloc[3].items.index.tolist() == ["person 3"]
    assert to.iloc[2:4].items.index.tolist() == ["person 2", "person 3"]
    assert to.valid.iloc[[0, -1]].items.index.tolist() == ["person 1", "person 59"]
    assert to.loc["person 5"].items.index.tolist() == ["person 5"]
    assert to.loc["person 5":"person 7"].items.index.tolist() == [
        "person 5", "person 6", "person 7",
    ]  # fmt: skip
    assert to.loc[(people()["rooms"] > 4).to_numpy()].items["rooms"].min() > 0
    assert to.valid.loc[["person 5"]].y.tolist() == [to.y["person 5"]]
    assert to.row(2).items.index.tolist() == ["person 2"]
    with pytest.raises(IndexError, match="row 60 of a table of 60 rows"):
        to[60]


def test_columns_and_samples():
    to = encoded()
    assert to["job"].equals(to.items["job"])
    assert to[["job", "age"]].columns.tolist() == ["job", "age"]
    with pytest.raises(KeyError, match=r"no column 'jbo'\. Did you mean 'job'"):
        to["jbo"]
    codes, values, target = to[-1]
    assert codes.tolist() == to.cats.iloc[-1].tolist()
    assert values.tolist() == pytest.approx(to.conts.iloc[-1].tolist())
    assert target == to.y.iloc[-1]


def test_new_rows_are_encoded_as_those_of_training():
    frame, to = people(), encoded()
    new = to.new(frame.iloc[5:9].drop(columns="pay"))
    assert not new.is_processed
    assert new.process().items.equals(to.items.iloc[5:9].drop(columns="pay"))
    assert new.process() is new
    both = to.new(frame.iloc[5:9]).process()
    assert both.y.tolist() == to.y.iloc[5:9].tolist()
    blind = to.new(frame.iloc[5:9], with_labels=False).process()
    assert blind.all_col_names == to.x_names
    assert blind.ys.shape == (4, 0)
    with pytest.raises(DataError, match="these rows have no target; name y_names"):
        _ = blind.y
    with pytest.raises(ValueError, match="the table lacks the column 'pay'"):
        to.new(frame.drop(columns="pay"), with_labels=True)


@pytest.mark.parametrize(
    "kind", [pl.from_pandas, pa.Table.from_pandas, lambda f: f.to_dict("list")]
)
def test_tables_of_other_libraries_are_encoded_alike(kind):
    frame = people().reset_index(drop=True)
    to = encoded(frame)
    other = encoded(kind(frame))
    pd.testing.assert_frame_equal(other.items, to.items)
    pd.testing.assert_frame_equal(to.new(kind(frame)).process().items, to.items)


def test_what_is_decoded_is_what_there_was():
    frame, to = people(), encoded()
    for some in (to, to.valid, to.iloc[:7]):
        back = some.decode()
        expected = frame.loc[some.items.index]
        assert back.items["job"].tolist() == expected["job"].tolist()
        assert back.items["pay"].tolist() == expected["pay"].tolist()
        np.testing.assert_allclose(
            back.items["age"], expected["age"].fillna(frame["age"][::2].median()), rtol=1e-5
        )
        assert back.items["age_na"].tolist() == expected["age"].isna().tolist()
    assert back.decode().items.equals(back.items)
    # What was decoded can be encoded again.
    assert to.decode().process().xs["job"].tolist() == to.xs["job"].tolist()


def test_rows_that_are_not_encoded_yet_decode_to_themselves():
    frame = people()
    new = encoded().new(frame.iloc[:3])
    assert new.decode().items["job"].tolist() == frame["job"].iloc[:3].tolist()
    assert new.all_col_names == ["job", "age", "rooms", "pay"]  # without what will be added
    assert new.xs.shape == (3, 3)


def test_a_row_is_decoded(capsys):
    frame, to = people(), encoded()
    row = to.decode_row(to.items.iloc[5])
    assert row["job"] == frame["job"].iloc[5]
    assert row["pay"] == frame["pay"].iloc[5]
    assert row["age"] == pytest.approx(frame["age"].iloc[5], rel=1e-5)
    assert to.decode_row(to.xs.iloc[5])["job"] == frame["job"].iloc[5]
    to.show(2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["job", "age_na", "age", "rooms", "pay"]
    assert lines[1].split()[0] == frame["job"].iloc[0]
    assert len(lines) == 3


def test_rows_of_lists_of_labels_are_decoded():
    frame = pd.DataFrame({"x": [1.0, 2.0], "tags": [["a", "b"], []]})
    to = TabularPandas(frame, Normalize, None, "x", "tags", MultiCategoryBlock())
    assert to.decode_row(to.items.iloc[0])["tags"] == ["a", "b"]
    assert to.decode_row(to.items.iloc[1])["tags"] == []


def test_many_columns_are_shown_a_line_each(capsys):
    frame = pd.DataFrame(np.arange(60.0).reshape(2, 30)).add_prefix("x")
    TabularPandas(frame, Normalize, None, list(frame.columns)).show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["column", "0", "1"]
    assert lines[30].split() == ["x29", "29", "59"]


def test_a_copy_has_columns_of_its_own():
    to = encoded()
    to.dataloaders(bs=8).one_batch()
    other = to.copy()
    other.set_column("age", np.zeros(60, dtype=np.float32))
    assert (other.items["age"] == 0).all()
    assert not (to.items["age"] == 0).any()
    assert (other.gather(torch.arange(60))[1][:, 0] == 0).all()
    assert not (to.gather(torch.arange(60))[1][:, 0] == 0).any()


def test_columns_of_the_wrong_length_and_of_splits_are_refused():
    to = encoded()
    with pytest.raises(ValueError, match="3 values of column 'age' for 60 rows"):
        to.set_column("age", np.zeros(3))
    with pytest.raises(ValueError, match="the columns of a split are those of the whole table"):
        to.valid.set_column("age", np.zeros(30))


def test_a_table_prints_what_it_is():
    assert repr(encoded()) == (
        "TabularPandas: 60 rows; categories job, age_na; numbers age, rooms; targets pay"
    )
    assert repr(encoded().row(1)).startswith("TabularPandas: 1 row; ")


def test_numbers_may_keep_their_precision():
    frame = pd.DataFrame({"x": [1.0, 1 / 3], "y": [1.0, 2.0]})
    assert TabularPandas(frame, None, None, "x").items["x"].dtype == np.float32
    kept = TabularPandas(frame, None, None, "x", reduce_memory=False)
    assert kept.items["x"].tolist() == [1.0, 1 / 3]


def test_setup_may_wait():
    to = encoded(do_setup=False)
    assert to.items["job"].iloc[0] in ("clerk", "smith", "cook")
    train = to.train
    with pytest.raises(DataError, match=r"these rows are not encoded; call setup\(\) of the table"):
        train.gather(torch.tensor([0]))
    to.setup()
    assert train.is_processed  # a split has the columns of its table
    assert train.items.equals(encoded().train.items)
    to.setup()
    assert to.items.equals(encoded().items)


def test_batches_may_be_cut_on_a_device():
    to = encoded().to_device("cpu")
    assert [m.device.type for m in to.gather(torch.tensor([0]))] == ["cpu"] * 3
    assert encoded(device="meta").gather(torch.tensor([0]))[0].device.type == "meta"


def test_matrices_have_their_types_without_columns_too():
    frame = people()
    for cats, conts in (("job", None), (None, "rooms")):
        to = TabularPandas(frame, PROCS, cats, conts, "pay")
        codes, values, _ = to.gather(torch.tensor([0, 1]))
        assert (codes.dtype, values.dtype) == (torch.int64, torch.float32)
        assert codes.shape[1] + values.shape[1] == 1


def test_a_table_without_rows_keeps_what_was_learnt():
    empty = encoded().new_empty()
    assert len(empty) == 0
    assert empty.classes["job"] == ["#na#", "clerk", "cook", "smith"]
    assert empty.new(people().iloc[:2]).process().xs["job"].tolist() == (
        encoded().xs["job"].iloc[:2].tolist()
    )
    again = Tabular.from_settings(**encoded().settings())
    assert len(again) == 0


def test_names_of_columns_may_be_numbers_or_have_spaces():
    frame = people().rename(columns={"job": "the job", "age": 0, "rooms": 1})
    to = TabularPandas(frame, PROCS, "the job", [0, 1], "pay", splits=split())
    assert to.x_names == ["the job", "0_na", 0, 1]
    assert TabularPandas(frame, PROCS, 1, 0, "pay", splits=split()).x_names == [1, "0_na", 0]


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"cat_names": "jobs"}, r"lacks the column 'jobs' \(did you mean 'job'"),
        ({"cat_names": ["job", "job"]}, "cat_names has 'job' more than once"),
        (
            {"cat_names": "rooms", "cont_names": "rooms"},
            "'rooms' is in cat_names and in cont_names",
        ),
        (
            {"cont_names": "age", "y_names": "age"},
            "column 'age' is the target and an input at once",
        ),
        (
            {"cont_names": "job"},
            "'job' is to hold numbers, and row 0 has .* name the column in cat",
        ),
        ({"cont_names": "rooms", "splits": ([0, 60], [1])}, "rows 0 to 60, and the table has 60"),
        ({"cont_names": "rooms", "splits": ([], [1])}, "no training row: the first of the splits"),
    ],
)
def test_columns_and_splits_that_do_not_fit_are_refused(kwargs, said):
    with pytest.raises(ValueError, match=said):
        TabularPandas(people(), PROCS, **kwargs)


def test_splits_of_what_is_no_number_are_refused():
    with pytest.raises(TypeError, match=r"a split is a list of row numbers, and one has 0\.5"):
        TabularPandas(people(), None, None, "rooms", splits=np.array([[0.5], [1.0]]))
    with pytest.raises(TypeError, match="a split is a list of row numbers, and one has 'person 1'"):
        TabularPandas(people(), None, None, "rooms", splits=np.array([["person 1"], ["person 2"]]))


def test_splits_may_be_masks():
    is_valid = np.arange(60) >= 50
    to = TabularPandas(people(), None, None, "rooms", splits=(~is_valid, is_valid))
    assert (len(to.train), len(to.valid)) == (50, 10)


def test_rows_that_train_and_validate_are_remarked_upon():
    with pytest.warns(UserWarning, match="2 rows are for training and for validation at once"):
        TabularPandas(people(), None, None, "rooms", splits=([0, 1, 2], [1, 2, 3]))


def test_a_table_without_rows_is_refused():
    with pytest.raises(ValueError, match="the table has no rows, and so nothing to learn from"):
        TabularPandas(people().iloc[:0], PROCS, "job")


def test_misspelt_keywords_are_told():
    with pytest.raises(TypeError, match=r"unknown keyword 'cat_name'\. Did you mean 'cat_names'"):
        TabularPandas(people(), cat_name="job")  # type: ignore[call-arg]  # which is refused


def test_columns_that_training_had_not_are_left_out_with_a_warning():
    to = encoded()
    new = people().assign(shoe=42, hat=1)
    with pytest.warns(UserWarning, match=r"left out, since the training .*: 'shoe', 'hat'"):
        made = to.new(new)
    assert made.process().items.equals(to.items)


def test_columns_that_played_no_part_are_left_out_in_silence():
    frame = people()
    to = TabularPandas(frame, PROCS, "job")
    assert to.new(frame).process().x_names == ["job"]


def test_weights_draw_training_rows():
    to = encoded()
    weights = np.zeros(60)
    weights[4] = 1.0
    dls = to.weighted_dataloaders(weights, bs=8)
    _, values, _ = dls.one_batch()
    assert (values == to.gather(torch.tensor([4]))[1]).all()
    assert len(dls.valid.dataset) == 30


def test_a_target_of_classes_that_are_numbers():
    frame = people()
    to = TabularPandas(frame, PROCS, "job", "age", "rooms", CategoryBlock(), splits=split())
    assert to.vocab == sorted(frame["rooms"][::2].unique())
