"""Numbers by their rank, compared with scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import QuantileTransformer

from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import FillMissing
from layerwise.tabular.quantiles import NormalizeQuantiles

NUMBERS = st.floats(-1e6, 1e6, width=32).map(lambda x: round(x, 3))


def made(values, **settings):
    df = pd.DataFrame({"x": values})
    return TabularPandas(df, NormalizeQuantiles(**settings), cont_names="x")


def test_skewed_numbers_become_normal_as_with_scikit_learn():
    values = np.random.default_rng(0).lognormal(0, 2, 5000)
    ours = made(values).items["x"].to_numpy()
    theirs = QuantileTransformer(n_quantiles=500, output_distribution="normal", subsample=None)
    expected = theirs.fit_transform(values[:, None])[:, 0]
    inside = np.abs(expected) < 2  # in the tails the two differ in what one row stands for
    assert np.abs(ours - expected)[inside].max() < 0.03
    assert abs(ours.mean()) < 0.01
    assert abs(ours.std() - 1) < 0.02


@given(arrays(np.float64, st.integers(1, 80), elements=NUMBERS))
def test_order_is_kept_and_numbers_come_back(values):
    to = made(values)
    found = to.items["x"].to_numpy()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    # Equal numbers are equal, different ones differ.
    assert len(np.unique(found)) == len(np.unique(values))
    back = to.decode().items["x"].to_numpy()
    assert np.allclose(back, values, rtol=1e-4, atol=1e-3 * (1 + np.ptp(values)))


def test_statistics_come_from_training_rows_and_others_are_bounded():
    df = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 100.0, -5.0]})
    to = TabularPandas(
        df, NormalizeQuantiles, cont_names="x", splits=([0, 1, 2, 3], [4, 5])
    )  # fmt: skip
    x = to.items["x"]
    assert x[4] == x[3]
    assert x[5] == x[0]
    assert to.decode().items["x"].tolist() == pytest.approx([1, 2, 3, 4, 4, 1])


def test_a_constant_column_is_0_and_comes_back():
    to = made([7.0] * 5)
    assert to.items["x"].tolist() == [0.0] * 5
    assert to.decode().items["x"].tolist() == [7.0] * 5


def test_few_ranks_are_joined_by_lines():
    values = np.arange(101.0)
    fine, coarse = made(values).items["x"], made(values, n_quantiles=3).items["x"]
    assert coarse[50] == pytest.approx(0)
    assert coarse[25] == pytest.approx(coarse[0] / 2)
    assert fine[25] == pytest.approx(-0.664, abs=0.02)  # the quartile of the normal distribution


def test_many_rows_are_ranked_by_a_part_of_them():
    values = np.random.default_rng(1).exponential(size=150_000)
    x = made(values).items["x"]
    assert abs(x.mean()) < 0.01
    assert abs(x.std() - 1) < 0.02


def test_gaps_need_filling_first():
    with pytest.raises(ValueError, match="column 'x' has 1 missing values; put FillMissing"):
        made([1.0, np.nan])
    df = pd.DataFrame({"x": [1.0, 2.0, np.nan]})
    to = TabularPandas(df, [NormalizeQuantiles, FillMissing], cont_names="x")
    assert not to.items["x"].isna().any()


def test_fewer_than_two_ranks_are_refused():
    with pytest.raises(ValueError, match="n_quantiles=1; give 2 or more"):
        NormalizeQuantiles(1)
