"""`TargetEncode`: means of the target by category, of which no row's own target is a part."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression

from layerwise.core.data.block import CategoryBlock, MultiCategoryBlock, RegressionBlock
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify
from layerwise.tabular.target_encoding import TargetEncode


def towns(count=120, kinds=7, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "town": rng.choice([f"town {i}" for i in range(kinds)], count),
        "size": rng.choice(["small", "large"], count),
        "price": rng.normal(10, 3, count),
        "sold": rng.choice(["no", "yes"], count),
        "kind": rng.choice(["a", "b", "c"], count),
    })  # fmt: skip
    frame.loc[rng.random(count) < 0.1, "town"] = None
    return frame


def slow_means(town, target, smoothing, overall):
    """By town the smoothed mean, row by row."""
    found = {}
    for name in set(town):
        of_town = [t for c, t in zip(town, target, strict=True) if c == name]
        found[name] = (sum(of_town) + smoothing * overall) / (len(of_town) + smoothing)
    return found


@pytest.mark.parametrize(("smoothing", "folds"), [(20.0, 5), (1.5, 2), (5.0, 120)])
def test_rows_of_training_are_encoded_by_the_other_folds_and_others_by_all(smoothing, folds):
    frame = towns()
    rows = np.arange(120)
    train, valid = rows[rows % 4 != 0], rows[rows % 4 == 0]
    steps = [Categorify, TargetEncode("town", smoothing, min(folds, len(train)), seed=3)]
    to = TabularPandas(frame, steps, ["town", "size"], None, "price", splits=(train, valid),
                       reduce_memory=False)  # fmt: skip
    assert to.cont_names == ["town_mean"]
    town, price = frame["town"].fillna("#na#"), frame["price"].astype(np.float32).astype(float)

    everything = slow_means(town[train], price[train], smoothing, price[train].mean())
    np.testing.assert_allclose(to.valid.items["town_mean"], [everything[t] for t in town[valid]])

    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(3)).tolist()
    fold_of = dict(zip(train[order], (i % min(folds, len(train)) for i in range(len(train))),
                       strict=True))  # fmt: skip
    for row in train:
        rest = [other for other in train if fold_of[other] != fold_of[row]]
        overall = price[rest].mean()
        means = slow_means(town[rest], price[rest], smoothing, overall)
        expected = means.get(town[row], overall)
        assert to.items["town_mean"][row] == pytest.approx(expected)


def test_missing_and_unseen_categories_get_the_mean_of_all():
    frame = towns().dropna()
    to = TabularPandas(frame, [Categorify, TargetEncode], "town", None, "price")
    new = to.new(pd.DataFrame({"town": [None, "elsewhere"]}))
    with pytest.warns(UserWarning, match="'elsewhere'"):
        new.process()
    np.testing.assert_allclose(new.items["town_mean"], frame["price"].mean(), rtol=1e-6)


def test_new_rows_are_encoded_by_all_training_rows():
    frame = towns()
    to = TabularPandas(frame, [Categorify, TargetEncode(smoothing=0)], "town", None, "price")
    new = to.new(frame).process()
    expected = frame.groupby(frame["town"].fillna("#na#"))["price"].transform("mean")
    np.testing.assert_allclose(new.items["town_mean"], expected, rtol=1e-6)
    assert not np.allclose(to.items["town_mean"], expected)


def test_a_category_without_meaning_tells_nothing_of_the_target():
    rng = np.random.default_rng(0)
    count = 4000
    frame = pd.DataFrame({
        "noise": rng.integers(0, 1500, count).astype(str),  # two or three rows each
        "x": rng.normal(size=count),
    })  # fmt: skip
    frame["y"] = frame["x"] + rng.normal(size=count)
    splits = (np.arange(3000), np.arange(3000, count))

    def score(steps, names):
        to = TabularPandas(frame, [Categorify(on_unseen="count"), *steps, Normalize], "noise", "x",
                           "y", splits=splits)  # fmt: skip
        line = LinearRegression().fit(to.train.conts[names], to.train.y)
        return line, line.score(to.valid.conts[names], to.valid.y)

    _, without = score([], ["x"])
    line, with_noise = score([TargetEncode(smoothing=1)], ["x", "noise_mean"])
    assert with_noise < without + 0.01
    # Encoded with its own target in it, the weight of the column would be about 0.6 of that of x.
    assert abs(line.coef_[1]) < 0.1 * abs(line.coef_[0])
    leaking = frame.iloc[splits[0]].copy()
    leaking["noise_mean"] = leaking.groupby("noise")["y"].transform("mean")
    leaking["noise_mean"] /= leaking["noise_mean"].std()
    leak = LinearRegression().fit(leaking[["x", "noise_mean"]], leaking["y"])
    assert leak.coef_[1] > 0.5 * leak.coef_[0]


def test_validation_rows_play_no_part():
    frame = towns()
    splits = (np.arange(60), np.arange(60, 120))
    other = frame.copy()
    other.loc[60:, "price"] += 1000
    steps = lambda: [Categorify, TargetEncode]
    first, second = (
        TabularPandas(f, steps(), "town", None, "price", splits=splits) for f in (frame, other)
    )
    pd.testing.assert_series_equal(first.items["town_mean"], second.items["town_mean"])


@pytest.mark.parametrize(
    ("y_names", "y_block", "columns"),
    [
        ("price", None, ["town_mean"]),
        ("sold", None, ["town_yes"]),
        ("kind", None, ["town_a", "town_b", "town_c"]),
        (["price", "cost"], None, ["town_mean_price", "town_mean_cost"]),
        (["kind", "price"], [CategoryBlock(), RegressionBlock()],
         ["town_kind_a", "town_kind_b", "town_kind_c", "town_price_mean"]),
        ("tags", MultiCategoryBlock(), ["town_mean_p", "town_mean_q"]),
    ],
)  # fmt: skip
def test_columns_are_named_after_what_they_are_the_mean_of(y_names, y_block, columns):
    frame = towns()
    frame["cost"] = frame["price"] * 2
    frame["tags"] = [["p"] if price > 10 else ["p", "q"] for price in frame["price"]]
    to = TabularPandas(frame, [Categorify, TargetEncode(smoothing=0)], "town", None, y_names,
                       y_block)  # fmt: skip
    assert to.cont_names == columns
    found = to.new(frame).process().conts
    towns_of = frame["town"].fillna("#na#")
    expected = {
        "town_mean": frame["price"], "town_yes": frame["sold"] == "yes",
        "town_b": frame["kind"] == "b", "town_kind_b": frame["kind"] == "b",
        "town_price_mean": frame["price"], "town_mean_cost": frame["cost"],
        "town_mean_q": frame["price"] <= 10,
    }  # fmt: skip
    for name in set(expected) & set(columns):
        means = expected[name].groupby(towns_of).transform("mean")
        np.testing.assert_allclose(found[name], means, rtol=1e-5, err_msg=name)


def test_what_was_learnt_makes_an_equal_one():
    frame = towns()
    step = TargetEncode()
    to = TabularPandas(frame, [Categorify, step], "town", None, "price")
    again = TargetEncode(**step.settings())
    new = to.new(frame.iloc[:5]).process()
    copied = to.new(frame.iloc[:5])
    to.procs[0](copied)
    again(copied)
    np.testing.assert_array_equal(copied.column("town_mean"), new.column("town_mean"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TargetEncode(folds=1), "folds=1; a row is encoded by other rows, so give 2 or"),
        (lambda: TargetEncode(smoothing=-1), "smoothing=-1; it is a number of rows, 0 or more"),
        (
            lambda: TabularPandas(towns(), [Categorify, TargetEncode(["twon"])], "town",
                                  y_names="price"),
            "to encode 'twon', which is no column of categories. Did you mean 'town'",
        ),
        (
            lambda: TabularPandas(towns(), [Categorify, TargetEncode], "town"),
            "TargetEncode needs a target; name y_names",
        ),
        (
            lambda: TabularPandas(towns(), [TargetEncode(["town"])], "town", y_names="price"),
            "Put it in cat_names, and Categorify among the procs",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
