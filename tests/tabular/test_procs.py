"""Preprocessing: learnt from training rows alone, the same for a row as for its table, undone."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from layerwise.core.data.block import CategoryBlock
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import (
    Categorify,
    FillMissing,
    FillStrategy,
    NormalizeColumns,
    TabularProc,
)

PROCS = [Categorify, FillMissing, Normalize]


def random_frame(count=200, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "job": rng.choice(["smith", "clerk", "cook"], count),
        "rooms": rng.integers(1, 9, count),
        "age": rng.normal(40, 12, count),
        "pay": rng.lognormal(8, 1, count),
    })  # fmt: skip
    frame.loc[rng.random(count) < 0.1, "age"] = np.nan
    frame.loc[rng.random(count) < 0.1, "job"] = None
    return frame


# -- Categorify ----------------------------------------------------------------------------


def test_codes_are_those_of_scikit_learn_after_the_unknown():
    frame = random_frame()
    to = TabularPandas(frame, Categorify, ["job", "rooms"])
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1,
                             encoded_missing_value=-1)  # fmt: skip
    expected = encoder.fit_transform(frame[["job", "rooms"]].astype(object)) + 1
    np.testing.assert_array_equal(to.xs.to_numpy(), expected)
    assert to.classes["job"] == ["#na#", "clerk", "cook", "smith"]


def test_categories_of_pandas_keep_their_order_and_unused_ones_have_no_code():
    sizes = pd.Categorical(["big", "small", None, "big"], ["small", "medium", "big"], ordered=True)
    to = TabularPandas(pd.DataFrame({"size": sizes}), Categorify, "size")
    assert to.classes["size"] == ["#na#", "small", "big"]
    assert to.items["size"].tolist() == [2, 1, 0, 2]


@pytest.mark.parametrize(
    "column",
    [
        pd.array([True, None, False], dtype="boolean"),
        pd.array([1, None, 0], dtype="Int64"),
        pd.array(["y", None, "n"], dtype="string"),
        np.array([1.0, np.nan, 0.0]),
        np.array(["y", None, "n"], dtype=object),
        np.array([datetime.date(2021, 1, 1), None, datetime.date(2020, 1, 1)], dtype=object),
        pd.Categorical([1, None, 0]),
    ],
    ids=lambda column: f"{type(column).__name__} {column.dtype}",
)
def test_missing_values_of_every_type_have_code_0(column):
    to = TabularPandas(pd.DataFrame({"x": column}), Categorify, "x")
    assert to.items["x"].tolist() == [2, 0, 1]


def test_categories_of_several_kinds_have_an_order():
    frame = pd.DataFrame({"x": pd.Series(["b", 1, None, 2.5, "a", 1], dtype=object)})
    to = TabularPandas(frame, Categorify, "x")
    assert sorted(to.items["x"]) == [0, 1, 2, 2, 3, 4]
    decoded = to.decode().items["x"].tolist()
    assert decoded == ["b", 1, "#na#", 2.5, "a", 1]


def test_unseen_values_are_counted_and_named_in_one_warning():
    frame = pd.DataFrame({"job": ["a", "b"] * 50, "kind": [1, 2] * 50})
    to = TabularPandas(frame, Categorify, ["job", "kind"])
    new = to.new(pd.DataFrame({"job": ["a", "z", "z", None], "kind": [1, 2, 9, 9]}))
    with pytest.warns(UserWarning, match="none of the categories") as seen:
        new.process()
    assert len(seen) == 1
    said = str(seen[0].message)
    assert "4 values are none of the categories of training" in said
    assert "column 'job': 'z' (2); column 'kind': '9' (2)" in said
    assert new.unseen == {"job": {"z": 2}, "kind": {"9": 2}}
    assert new.items["job"].tolist() == [1, 0, 0, 0]


def test_values_with_spaces_are_told_from_those_without():
    to = TabularPandas(pd.DataFrame({"job": ["a", "b"]}), Categorify, "job")
    with pytest.warns(UserWarning, match="have spaces around them, which read_table leaves out"):
        to.new({"job": " a"}).process()


def test_unseen_values_may_be_counted_in_silence_or_be_an_error():
    frame = pd.DataFrame({"job": ["a", "b"]})
    quiet = TabularPandas(frame, Categorify(on_unseen="count"), "job").new({"job": "z"}).process()
    assert quiet.unseen == {"job": {"z": 1}}
    strict = TabularPandas(frame, Categorify(on_unseen="raise"), "job")
    with pytest.raises(ValueError, match=r"column 'job': 'z' \(1\). on_unseen='raise' in Categ"):
        strict.new({"job": "z"}).process()
    with pytest.raises(ValueError, match="on_unseen='ignore'; give 'warn', 'count' or 'raise'"):
        Categorify(on_unseen="ignore")


def test_dates_are_no_categories():
    frame = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=3)})
    with pytest.raises(ValueError, match=r"column 'day' holds dates, .* add_datepart\(df, 'day'\)"):
        TabularPandas(frame, Categorify, "day")


def test_lists_are_no_categories():
    with pytest.raises(TypeError, match="column 'tags' has values that can be no categories"):
        TabularPandas(pd.DataFrame({"tags": [["a"], ["b"]]}), Categorify, "tags")
    to = TabularPandas(pd.DataFrame({"tag": ["a", "b"]}), Categorify, "tag")
    with pytest.raises(TypeError, match="column 'tag' has values that can be no categories"):
        to.new([{"tag": ["a"]}]).process()


def test_codes_take_no_more_bytes_than_they_need():
    frame = pd.DataFrame({"few": ["a", "b"] * 200, "many": np.arange(400)})
    to = TabularPandas(frame, Categorify, ["few", "many"])
    assert [str(dtype) for dtype in to.xs.dtypes] == ["int8", "int16"]


# -- FillMissing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "theirs"), [("median", "median"), ("mean", "mean"), ("mode", "most_frequent")]
)
def test_fill_values_are_those_of_scikit_learn(strategy, theirs):
    frame = random_frame()
    frame["rooms"] = frame["rooms"].where(frame["rooms"] != 3)
    to = TabularPandas(frame, FillMissing(strategy, add_col=False), None, ["age", "rooms", "pay"],
                       reduce_memory=False)  # fmt: skip
    expected = SimpleImputer(strategy=theirs).fit_transform(frame[["age", "rooms", "pay"]])
    np.testing.assert_allclose(to.xs.to_numpy(), expected, rtol=1e-12)


def test_a_constant_stands_for_what_is_missing():
    frame = pd.DataFrame({"age": [1.0, None], "pay": [None, 2.0]})
    fill = FillMissing(FillStrategy.constant, fill_vals={"age": -1})
    to = TabularPandas(frame, fill, None, ["age", "pay"])
    assert to.conts.to_numpy().tolist() == [[1, 0], [-1, 2]]


def test_a_category_tells_where_a_number_was_missing():
    frame = random_frame()
    to = TabularPandas(frame, PROCS, "job", ["age", "pay"])
    assert to.cat_names == ["job", "age_na"]
    assert to.classes["age_na"] == ["#na#", False, True]
    assert (to.items["age_na"] == frame["age"].isna() + 1).all()


def test_a_column_that_was_whole_in_training_may_have_gaps_later():
    frame = pd.DataFrame({"age": [1.0, 2.0, 6.0], "pay": [1.0, 2.0, 3.0]})
    new = pd.DataFrame({"age": [None, 3.0], "pay": [1.0, None]})
    some = TabularPandas(frame, FillMissing, None, ["age", "pay"])
    assert some.new(new).process().xs.to_numpy().tolist() == [[2, 1], [3, 2]]
    told = TabularPandas(frame, [Categorify, FillMissing(add_col="all")], None, ["age", "pay"])
    assert told.cat_names == ["age_na", "pay_na"]
    # No training row had a gap, so that it is unknown: code 0, whose embedding is trained too.
    found = told.new(new).process()
    assert found.cats.to_numpy().tolist() == [[0, 1], [1, 0]]
    assert found.unseen == {}


@pytest.mark.parametrize("on_unseen", ["warn", "count", "raise"])
def test_a_gap_is_no_wrong_category_whatever_is_done_about_those(on_unseen):
    frame = pd.DataFrame({"age": [1.0, 2.0], "old": [False, False]})
    steps = [Categorify(on_unseen), FillMissing(add_col="all")]
    to = TabularPandas(frame, steps, "old", "age")
    gap = to.new(pd.DataFrame({"age": [None], "old": [False]})).process()
    assert (gap.cats.to_numpy().tolist(), gap.unseen) == ([[1, 0]], {})


def test_a_truth_value_of_the_table_that_training_had_not_is_told():
    to = TabularPandas(pd.DataFrame({"old": [False, False]}), Categorify, "old")
    with pytest.warns(UserWarning, match="column 'old': 'True'"):
        to.new(pd.DataFrame({"old": [True]})).process()


def test_a_flag_does_not_write_over_a_column():
    frame = pd.DataFrame({"age": [1.0, None], "age_na": ["x", "y"]})
    with pytest.raises(ValueError, match="adds the column 'age_na' to what is made of 'age', and"):
        TabularPandas(frame, FillMissing, "age_na", "age")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: FillMissing("medain"), "no fill_strategy 'medain'. Did you mean 'median'"),
        (lambda: FillMissing(add_col="some"), "add_col='some'; give True, False or 'all'"),
        (lambda: FillMissing(fill_vals={"a": 1}), "fill_vals are for .*constant, not median"),
        (
            lambda: TabularPandas(pd.DataFrame({"a": [None, None]}), FillMissing, None, "a"),
            "column 'a' has no number in any training row, so there is no median to fill it with",
        ),
    ],
)
def test_wrong_settings_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_what_is_no_strategy_is_refused():
    with pytest.raises(TypeError, match="fill_strategy=3; give one of median, mean, mode, const"):
        FillMissing(3)


# -- Normalize -----------------------------------------------------------------------------


def test_normalised_numbers_are_those_of_scikit_learn():
    frame = random_frame().dropna()
    frame["second"] = 1.7e9 + np.arange(len(frame))  # no room for these in single precision
    frame["whole"] = np.arange(len(frame), dtype=np.int64)
    names = ["age", "pay", "second", "whole"]
    to = TabularPandas(frame, Normalize, None, names)
    expected = StandardScaler().fit_transform(frame[names])
    np.testing.assert_allclose(to.xs.to_numpy(), expected, atol=1e-5)
    assert to.xs.to_numpy().dtype == np.float32


def test_a_constant_column_becomes_zero():
    to = TabularPandas(pd.DataFrame({"x": [3.0, 3.0]}), Normalize, None, "x")
    assert to.items["x"].tolist() == [0, 0]
    assert to.decode().items["x"].tolist() == [3, 3]


def test_gaps_need_to_be_filled_before():
    frame = pd.DataFrame({"age": [1.0, None, 2.0]})
    with pytest.raises(ValueError, match="column 'age' has 1 missing values; put FillMissing amo"):
        TabularPandas(frame, Normalize, None, "age")


def test_statistics_of_pictures_are_refused():
    with pytest.raises(ValueError, match="has the mean and deviation of pictures"):
        TabularPandas(random_frame(), Normalize.from_stats([0.5], [0.5]), None, "pay")
    with pytest.raises(ValueError, match="takes means and stds together"):
        NormalizeColumns(means={"age": 1.0})


def test_what_is_no_step_is_refused():
    with pytest.raises(TypeError, match="str is no step for tables; procs are Categorify, Fill"):
        TabularPandas(random_frame(), ["Categorify"], "job")


# -- all together --------------------------------------------------------------------------


def test_statistics_are_of_training_rows_alone():
    frame = random_frame()
    splits = list(range(0, 200, 2)), list(range(1, 200, 2))
    to = TabularPandas(frame, PROCS, ["job", "rooms"], ["age", "pay"], splits=splits)
    other = frame.copy()
    other.loc[splits[1], ["age", "pay"]] = 1e6
    other.loc[splits[1], "job"] = "astronaut"
    with pytest.warns(UserWarning, match=r"100 values are none .* 'job': 'astronaut' \(100\)"):
        again = TabularPandas(other, PROCS, ["job", "rooms"], ["age", "pay"], splits=splits)
    pd.testing.assert_frame_equal(to.train.items, again.train.items)
    assert to.procs.means == again.procs.means
    train = frame.iloc[splits[0]]
    assert to.procs.means["pay"] == pytest.approx(train["pay"].mean())
    assert to.procs.fills["age"] == train["age"].median()


TEXTS = st.one_of(st.none(), st.sampled_from(["a", "b", " c", "", "#", "é"]), st.text(max_size=3))
FLOATS = st.floats(-1e6, 1e6, width=32)


@st.composite
def frames(draw):
    count = draw(st.integers(1, 50))
    several = lambda of: draw(st.lists(of, min_size=count, max_size=count))
    frame = pd.DataFrame({
        "text": pd.Series(several(TEXTS.filter(lambda t: t != "#na#")), dtype=object),
        "mixed": pd.Series(several(st.one_of(TEXTS.filter(lambda t: t != "#na#"),
                                             st.integers(-3, 3))), dtype=object),
        "flag": several(st.booleans()),
        "whole": several(st.integers(-(2**40), 2**40)),
        "number": several(FLOATS),
        "y": several(st.sampled_from(["yes", "no"])),
    })  # fmt: skip
    frame["kind"] = pd.Categorical(several(st.sampled_from([1, 5, 9])))
    return frame


ANSWER = CategoryBlock(vocab=["no", "yes"])
CATS, CONTS = ["text", "mixed", "flag", "whole", "kind"], ["number"]


@given(frames())
def test_a_frame_of_any_values_is_encoded_and_decoded_to_itself(frame):
    to = TabularPandas(frame, PROCS, CATS, CONTS, "y", ANSWER, reduce_memory=False)
    back = to.decode().items
    for name in [*CATS, "y"]:
        expected = [v if not pd.isna(v) else "#na#" for v in frame[name]]
        assert back[name].tolist() == expected, name
    np.testing.assert_allclose(back["number"], frame["number"], rtol=1e-6,
                               atol=1e-6 * (1 + frame["number"].abs().max()))  # fmt: skip


@given(frames(), st.randoms())
def test_a_row_alone_and_columns_in_any_order_are_encoded_as_in_the_table(frame, random):
    to = TabularPandas(frame, PROCS, CATS, CONTS, "y", ANSWER)
    expected = to.items
    order = list(frame.columns)
    random.shuffle(order)
    pd.testing.assert_frame_equal(to.new(frame[order]).process().items, expected)
    i = random.randrange(len(frame))
    for row in (frame.iloc[i], frame.iloc[i].to_dict(), frame.iloc[[i]]):
        found = to.new(row).process().items
        assert found.to_numpy().tolist() == expected.iloc[[i]].to_numpy().tolist()


def test_steps_of_ones_own_take_their_place_in_the_order():
    class LogPay(TabularProc):
        order = 1.5  # before it is normalised

        def encodes(self, to):
            to.set_column("pay", np.log1p(to.column("pay")))

        def decodes(self, to):
            to.set_column("pay", np.expm1(to.column("pay")))

    frame = random_frame()
    to = TabularPandas(frame, [Normalize, LogPay, FillMissing], None, ["age", "pay"])
    assert [type(step).__name__ for step in to.procs] == [
        "FillMissing", "LogPay", "NormalizeColumns",
    ]  # fmt: skip
    logs = np.log1p(frame["pay"])
    np.testing.assert_allclose(to.items["pay"], (logs - logs.mean()) / logs.std(ddof=0), atol=1e-5)
    np.testing.assert_allclose(to.decode().items["pay"], frame["pay"], rtol=1e-4)


def test_a_step_of_ones_own_may_add_a_column():
    class PayPerRoom(TabularProc):
        order = 0.5

        def setups(self, to):
            to.add_name("pay_per_room", "number", of="pay")

        def encodes(self, to):
            to.set_column("pay_per_room", to.column("pay") / to.column("rooms"))

    frame = random_frame()
    to = TabularPandas(frame, [PayPerRoom, Normalize], None, ["pay", "rooms"])
    assert to.cont_names == ["pay", "rooms", "pay_per_room"]
    new = to.new({"pay": 6.0, "rooms": 2}).process()
    assert new.decode().items["pay_per_room"].tolist() == pytest.approx([3.0], rel=1e-4)
