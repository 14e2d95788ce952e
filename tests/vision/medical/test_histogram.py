"""Pixels spread evenly, against numpy, scipy and what even means."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.vision.medical.histogram import (
    array_freqhist_bins,
    freqhist_bins,
    hist_scaled,
    hist_scaled_pt,
)


@pytest.fixture(scope="module")
def pixels():
    """Air, tissue and bone."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(-1000, 5, 6000), rng.normal(40, 10, 3000), rng.normal(900, 200, 1000)]
    return torch.from_numpy(np.concatenate(parts).round().astype(np.float32)).view(100, 100)


def test_breaks_are_the_quantiles_that_numpy_finds(pixels):
    shares = np.concatenate([[0.001], (np.arange(50) + 0.5) / 50, [0.999]])
    # Numpy counts from 0 to n - 1, and takes the lesser pixel where a place is between two.
    expected = np.unique(np.quantile(pixels.numpy(), shares * 10000 / 9999, method="lower"))
    np.testing.assert_array_equal(freqhist_bins(pixels, 50).numpy(), expected)
    np.testing.assert_array_equal(array_freqhist_bins(pixels.numpy(), 50), expected)


def test_pixels_are_spread_evenly_by_their_own_breaks():
    values = torch.from_numpy(np.random.default_rng(0).gamma(2.0, 100.0, 20000)).float()
    spread = hist_scaled(values).numpy()
    counts, _ = np.histogram(spread, bins=10, range=(0, 1))
    assert np.abs(counts / len(values) - 0.1).max() < 0.01


def test_the_scale_is_what_numpy_interpolates(pixels):
    breaks = freqhist_bins(pixels, 20)
    expected = np.interp(pixels.numpy(), breaks.numpy(), np.linspace(0, 1, len(breaks)))
    np.testing.assert_allclose(hist_scaled(pixels, breaks).numpy(), expected, atol=1e-6)
    assert torch.equal(hist_scaled_pt(pixels, breaks), hist_scaled(pixels, breaks))


def test_it_comes_near_the_equalisation_of_ranks():
    stats = pytest.importorskip("scipy.stats")
    distinct = torch.from_numpy(np.random.default_rng(1).permutation(5000).astype(np.float32))
    ranks = (stats.rankdata(distinct.numpy()) - 0.5) / 5000
    np.testing.assert_allclose(hist_scaled(distinct).numpy(), ranks, atol=0.011)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-2000, 3000), min_size=1, max_size=60))
def test_it_goes_from_0_to_1_and_never_changes_the_order(values):
    x = torch.tensor(values, dtype=torch.float32)
    done = hist_scaled(x)
    assert done.shape == x.shape
    assert 0 <= done.min() <= done.max() <= 1
    order = x.argsort()
    assert (done[order].diff() >= 0).all()


def test_breaks_given_twice_are_one_break():
    found = hist_scaled(torch.tensor([0.0, 5, 10]), torch.tensor([0, 0, 10, 10]))
    assert found.tolist() == [0, 0.5, 1]


def test_pixels_that_are_all_the_same_are_black():
    assert hist_scaled(torch.full((3, 3), 7.0)).unique().tolist() == [0]


@pytest.mark.parametrize("find", [freqhist_bins, array_freqhist_bins])
def test_no_pixels_and_no_groups_are_refused(find):
    with pytest.raises(ValueError, match="no pixels"):
        find(torch.zeros(0))
    with pytest.raises(ValueError, match="n_bins=0"):
        find(torch.zeros(4), 0)
