"""B5: whatever is wrong with a table, it is predicted as documented, or refused by name."""

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from layerwise.core.errors import DataError
from layerwise.core.random import set_seed
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.data import TabularDataLoaders, read_table
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.procs import Categorify, FillMissing

ROW = {"job": "clerk", "is_old": True, "size": "big", "age": 40.0, "rooms": 3}


def people(count=120):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "job": rng.choice(["clerk", "smith", "cook"], count),
        "is_old": rng.random(count) < 0.5,
        "size": pd.Categorical(rng.choice(["big", "small"], count), ["small", "big", "unused"]),
        "age": rng.normal(40, 12, count),
        "rooms": rng.integers(1, 9, count),
    })  # fmt: skip
    frame.loc[::10, "age"] = np.nan
    frame["pay"] = np.where(frame["rooms"] > 4, "high", "low")
    return frame


@pytest.fixture(scope="module")
def learn():
    set_seed(0)
    dls = TabularDataLoaders.from_df(
        people(), ".", [Categorify, FillMissing, Normalize], ["job", "is_old", "size"],
        ["age", "rooms"], "pay", bs=32, seed=0,
    )  # fmt: skip
    made = tabular_learner(dls, layers=[8])
    with made.no_logging(), made.no_bar():
        made.fit(1)
    return made


def scores(learn, data):
    preds, _ = learn.get_preds(dl=learn.dls.test_dl(data))
    return preds


# -- predicted as documented ---------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("name", ROW)
def test_what_is_missing_anywhere_is_predicted(learn, name, missing):
    row, _, pred = learn.predict({**ROW, name: missing})
    assert pred.isfinite().all()
    if name in ("age", "rooms"):  # also in a column that had no gap in training
        train = learn.dls.train_ds
        fill = people()[name].iloc[train.row_numbers].median()
        assert row.items[name].iloc[0] == pytest.approx(fill, rel=1e-5)
        assert row.items["age_na"].iloc[0] == (name == "age")
    else:
        assert row.items[name].iloc[0] == "#na#"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("age", 40, 40), ("age", np.int8(40), 40), ("age", Decimal("40.5"), 40.5),
        ("age", True, 1), ("age", np.float16(40), 40), ("age", 1e30, 1e30), ("age", -0.0, 0),
        ("rooms", 3.7, 3.7), ("rooms", 10**9, 1e9),
        ("is_old", 1, True), ("is_old", 0.0, False), ("is_old", np.bool_(True), True),
        ("job", np.str_("clerk"), "clerk"),
    ],
)  # fmt: skip
def test_values_of_other_types_that_mean_the_same_are_taken(learn, name, value, shown):
    row, _, pred = learn.predict({**ROW, name: value})
    assert pred.isfinite().all()
    found = row.items[name].iloc[0]
    assert found == (
        pytest.approx(shown, rel=1e-4, abs=1e-4) if name in ("age", "rooms") else shown
    )


@pytest.mark.parametrize(
    "value", ["astronaut", "", " clerk", "CLERK", "clerk\x00", "🚀", 7, 1.5, b"clerk",
              datetime.date(2020, 1, 1), ("clerk",), "x" * 100_000]
)  # fmt: skip
def test_a_category_that_training_had_not_is_the_unknown_one_and_named(learn, value):
    with pytest.warns(UserWarning, match=r"(?s)1 value is none of the .*, column 'job': "):
        row, _, pred = learn.predict({**ROW, "job": value})
    assert row.items["job"].tolist() == ["#na#"]
    torch.testing.assert_close(pred, learn.predict({**ROW, "job": None})[2])


def test_a_category_that_no_training_row_had_is_unknown_although_pandas_lists_it(learn):
    with pytest.warns(UserWarning, match="column 'size': 'unused'"):
        learn.predict({**ROW, "size": "unused"})


def test_unseen_categories_of_many_rows_come_in_one_warning(learn):
    frame = people().assign(job="astronaut", size="huge")
    with pytest.warns(UserWarning, match="240 values") as told:
        preds = scores(learn, frame)
    assert len(told) == 1
    assert preds.isfinite().all()


def test_a_mixture_of_types_is_predicted_row_by_row_as_alone(learn):
    frame = people(4).drop(columns="pay").astype(object)
    frame["job"] = ["clerk", 3, None, "smith"]
    frame["age"] = [40, None, Decimal("41.5"), True]
    with pytest.warns(UserWarning, match=r"column 'job': '3' \(1\)"):
        together = scores(learn, frame)
    for i in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # row 1 has the unseen value
            torch.testing.assert_close(learn.predict(frame.iloc[i])[2], together[i])


@pytest.mark.parametrize(
    "dtypes",
    [
        {"job": "category", "age": "float32"},
        {"job": "string", "is_old": "boolean", "age": "Float64", "rooms": "Int64"},
        {"job": object, "rooms": "uint8", "is_old": "int8"},
        {"job": "string[pyarrow]", "age": "double[pyarrow]", "rooms": "int64[pyarrow]"},
        {"size": "str", "rooms": "float64"},
    ],
    ids=str,
)
def test_the_types_of_columns_never_matter(learn, dtypes):
    frame = people()
    torch.testing.assert_close(scores(learn, frame.astype(dtypes)), scores(learn, frame))


@given(st.permutations(range(5)), st.integers(0, 119))
def test_the_order_of_columns_never_matters(learn, order, i):
    frame = people().drop(columns="pay")
    names = frame.columns[list(order)]
    assert torch.equal(scores(learn, frame[names]), scores(learn, frame))
    row = frame.iloc[i]
    assert torch.equal(learn.predict(row[names])[2], learn.predict(row)[2])


@pytest.mark.parametrize(
    "index", [list("ab") * 60, range(500, 620), pd.date_range("2020", periods=120)]
)
def test_labels_of_rows_never_matter(learn, index):
    frame = people()
    assert torch.equal(scores(learn, frame.set_axis(index)), scores(learn, frame))


def test_further_columns_are_left_out_with_their_names(learn):
    frame = people()
    with pytest.warns(UserWarning, match=r"left out, since .* no such columns: 'shoe', 'hat'"):
        preds = scores(learn, frame.assign(shoe=1, hat="red"))
    assert torch.equal(preds, scores(learn, frame))


@pytest.mark.parametrize("kind", [lambda f: f, pl.from_pandas, pa.Table.from_pandas, lambda _: []])
def test_no_rows_have_no_predictions(learn, kind):
    nothing = kind(people().iloc[:0])
    assert learn.predict(nothing) == []


# -- refused by name -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ROW)
def test_a_missing_column_is_named(learn, name):
    with pytest.raises(ValueError, match=f"the table lacks the column '{name}'"):
        scores(learn, people().drop(columns=name))
    with pytest.raises(ValueError, match=f"the table lacks the column '{name}'"):
        learn.predict({n: v for n, v in ROW.items() if n != name})
    with pytest.raises(ValueError, match=f"'{name}' .did you mean '{name}s'"):
        scores(learn, people().rename(columns={name: f"{name}s"}))


@pytest.mark.parametrize(
    "value", [np.inf, -np.inf, float("inf"), np.float32("inf"), Decimal("inf")]
)
@pytest.mark.parametrize("name", ["age", "rooms"])
def test_infinite_numbers_are_named(learn, name, value):
    with pytest.raises(
        ValueError, match=f"column '{name}' has 1 infinite values, the first in row 0"
    ):
        learn.predict({**ROW, name: value})
    frame = people()
    frame[name] = frame[name].astype(float)
    frame.loc[17, name] = float(value)
    with pytest.raises(ValueError, match=f"column '{name}' has 1 infinite values, .* in row 17"):
        scores(learn, frame)


@pytest.mark.parametrize(
    "value", ["forty", "40", "", b"40", [40], {"a": 1}, datetime.date(2020, 1, 1), 1 + 2j,
              pd.Timestamp("2020"), pd.Timedelta(1, "h"), object()]
)  # fmt: skip
def test_what_is_no_number_is_named(learn, value):
    with pytest.raises(ValueError, match="column 'age' is to hold numbers, and row 0 has"):
        learn.predict({**ROW, "age": value})
    frame = people().astype({"age": object})
    frame.at[17, "age"] = value
    with pytest.raises(ValueError, match="column 'age' is to hold numbers, and row 17 has"):
        scores(learn, frame)


@pytest.mark.parametrize("value", [["clerk"], {"a": 1}, {"clerk"}, np.array(["a", "b"])])
def test_what_can_be_no_category_is_named(learn, value):
    with pytest.raises(TypeError, match="column 'job' has values that can be no categories"):
        learn.predict({**ROW, "job": value})


def test_two_columns_of_one_name_are_named(learn):
    frame = people()
    twice = pd.concat([frame, frame[["age"]]], axis=1)
    with pytest.raises(ValueError, match="several columns have the same name: age"):
        scores(learn, twice)


@pytest.mark.parametrize("thing", ["people.csv", 3, None, np.zeros((2, 5)), torch.zeros(2, 5)])
def test_what_is_no_row_is_refused(learn, thing):
    with pytest.raises(TypeError, match="a table is needed, not"):
        learn.predict(thing)


@given(st.dictionaries(
    st.sampled_from([*ROW, "pay", "other"]),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
              st.binary(max_size=3), st.lists(st.integers(), max_size=2),
              st.decimals(allow_nan=False)),  # pandas cannot ask a signalling NaN
))  # fmt: skip
@example({"rooms": 7.9e38})
@example({"age": 3.402823366858157e38})
def test_any_row_is_predicted_or_refused_by_the_name_of_a_column(learn, changes):
    row = {**ROW, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        told = None
        try:
            _, _, pred = learn.predict(row)
        except (ValueError, TypeError) as error:
            told = str(error)
    assert pred.isfinite().all() if told is None else any(f"'{name}'" in told for name in row)


# -- tables of training --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: f.assign(age=np.inf),
            "column 'age' has 120 infinite values, the first in row 0",
        ),
        (lambda f: f.assign(age=None), "column 'age' has no number in any training row"),
        (
            lambda f: f.assign(age="forty"),
            r"'age' is to hold numbers, and row 0 has 'forty' \(str\)",
        ),
        (lambda f: f.assign(age=pd.Timestamp("2020")), "'age' is to hold numbers, .* add_datepart"),
        (lambda f: f.assign(job=pd.Timestamp("2020")), "column 'job' holds dates"),
        (lambda f: f.assign(pay=None), "the target 'pay' is missing in 120 rows, the first of"),
        (lambda f: f.drop(columns="pay"), "lacks the column 'pay'"),
        (lambda f: f.drop(columns=["job", "age"]), "lacks the columns 'job', 'age'"),
        (lambda f: pd.concat([f, f[["job"]]], axis=1), "several columns have the same name: job"),
        (lambda f: f.iloc[:0], "the table has no rows"),
    ],
)
def test_faults_of_a_training_table_are_named(change, said):
    with pytest.raises(ValueError, match=said):
        TabularDataLoaders.from_df(change(people()), cat_names=["job", "size"],
                                   cont_names=["age", "rooms"], y_names="pay", seed=0)  # fmt: skip


def test_columns_of_training_may_stand_in_any_order():
    frame = people()
    made = [
        TabularDataLoaders.from_df(f, cat_names=["job"], cont_names=["age", "rooms"], y_names="pay",
                                   seed=0)
        for f in (frame, frame[frame.columns[::-1]])
    ]  # fmt: skip
    pd.testing.assert_frame_equal(made[0].train_ds.items, made[1].train_ds.items)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3\n", "line 3"),
        (b"a,b\n1,2\n3,4,5\n", "line 3"),
        (b"a,b\nn\xe4he,2\n", "line 2|latin-1|utf-8"),
        (b"a,a\n1,2\n", "'a'"),
    ],
)
def test_faults_of_a_file_are_named_with_file_and_place(tmp_path, content, said):
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as told:
        read_table(path)
    assert "people.csv" in str(told.value)


def test_a_file_without_rows_is_refused(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("job,age,pay\n")
    with pytest.raises(ValueError, match="the table has no rows"):
        TabularDataLoaders.from_csv(path, y_names="pay", cat_names="job", cont_names="age")


def test_pandas_with_texts_of_python_and_of_arrow_learns_the_same():
    frame = people()
    found = []
    for kind in ("python", "pyarrow"):
        with pd.option_context("mode.string_storage", kind):
            texts = frame.astype({"job": object, "pay": object}).astype(
                {"job": "str", "pay": "str"}
            )
            dls = TabularDataLoaders.from_df(texts, cat_names=["job"], cont_names=["age"],
                                             y_names="pay", seed=0)  # fmt: skip
            found.append((dls.train_ds.items, dls.vocab, dls.classes["job"]))
    pd.testing.assert_frame_equal(found[0][0], found[1][0], check_column_type=False)
    assert found[0][1:] == found[1][1:]
