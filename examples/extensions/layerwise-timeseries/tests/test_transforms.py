"""Scaling, padding and augmentation, against numpy, scipy and values worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layerwise.core.errors import DataError
from layerwise.core.random import keyed
from scipy.interpolate import interp1d

from layerwise_timeseries.augment import (
    CropTime,
    MaskTime,
    NoiseSeries,
    ScaleSeries,
    WarpTime,
    read_at,
)
from layerwise_timeseries.padding import PadSeries
from layerwise_timeseries.scaling import StandardizeSeries
from layerwise_timeseries.types import TensorSeries, ToSeries, lengths_of

NAN = float("nan")
AUGMENTS = [NoiseSeries(p=1), ScaleSeries(p=1), MaskTime(p=1), CropTime(p=1), WarpTime(p=1)]


def batch():
    x = TensorSeries(torch.randn(5, 2, 30), source="here")
    x.as_plain()[3, :, 20:] = NAN
    return x


def test_a_series_has_two_axes():
    assert ToSeries()(np.arange(3)).shape == (1, 3)
    with pytest.raises(DataError, match=r"this one \(1, 2, 3\)"):
        ToSeries()(np.zeros((1, 2, 3)))


def test_channels_are_standardised_by_all_that_was_measured_in_training():
    first, second = torch.randn(2, 7) * 3 + 5, torch.randn(2, 4)
    first[0, 2] = NAN

    class Loader:
        dataset = [(TensorSeries(first), 0), (TensorSeries(second), 1)]

    scale = StandardizeSeries()
    scale.setup(Loader())
    values = torch.cat([first, second], 1).double().numpy()
    np.testing.assert_allclose(scale.mean, np.nanmean(values, 1), rtol=1e-5)
    np.testing.assert_allclose(scale.std, np.nanstd(values, 1), rtol=1e-5)


def test_a_channel_that_never_changes_stays_finite():
    class Loader:
        dataset = [(TensorSeries([[2.0, 2.0], [NAN, NAN]]), 0)]

    scale = StandardizeSeries()
    scale.setup(Loader())
    assert scale(TensorSeries([[2.0], [1.0]])).tolist() == [[0.0], [1.0]]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
@settings(deadline=None, max_examples=20)
def test_padding_is_undone_and_lengths_are_known(lengths):
    samples = [(TensorSeries(torch.rand(2, n)), n) for n in lengths]
    padded = PadSeries()(samples)
    stacked = torch.stack([x.as_plain() for x, _ in padded])
    assert stacked.shape[-1] == max(lengths)
    assert lengths_of(stacked).tolist() == lengths
    for (before, _), (after, _) in zip(samples, padded, strict=True):
        assert torch.equal(PadSeries().decode(after), before)


@pytest.mark.parametrize("augment", AUGMENTS, ids=lambda a: a.name)
def test_each_series_has_a_draw_of_its_own_by_the_key(augment):
    x = batch()
    x.as_plain()[:] = x[0].as_plain().clone()
    with keyed(3):
        first = augment(x, split_idx=0)
    torch.rand(9)
    with keyed(3):
        again = augment(x, split_idx=0)
    torch.testing.assert_close(first, again, equal_nan=True)
    assert not torch.equal(first[0].nan_to_num(), first[1].nan_to_num())
    assert first.source == "here"


@pytest.mark.parametrize("augment", AUGMENTS, ids=lambda a: a.name)
def test_nothing_varies_in_validation_and_the_filling_stays_filling(augment):
    x = batch()
    before = x.as_plain().clone()
    varied = augment(x, split_idx=0)
    torch.testing.assert_close(x.as_plain(), before, equal_nan=True)  # not written into
    torch.testing.assert_close(augment(x, split_idx=1).as_plain(), before, equal_nan=True)
    assert varied[3, :, 20:].isnan().all()
    if not isinstance(augment, MaskTime):
        assert not varied[3, :, :20].isnan().any()
    one = augment(x[0], split_idx=0)
    assert one.shape == (2, 30)


def test_p_is_the_share_of_series_that_vary():
    x = TensorSeries(torch.ones(4000, 1, 2))
    varied = ScaleSeries(0.5, p=0.3)(x, split_idx=0)
    share = (varied[:, 0, 0].as_plain() != 1).float().mean()
    assert abs(share - 0.3) < 0.03


def test_reading_between_steps_is_linear_interpolation():
    x, places = torch.randn(3, 2, 11), torch.rand(3, 11)
    expected = [
        interp1d(np.linspace(0, 1, 11), row.numpy())(at.numpy())
        for row, at in zip(x, places, strict=True)
    ]
    np.testing.assert_allclose(read_at(x, places), np.stack(expected), atol=1e-5)


def test_a_warp_that_ran_backwards_is_refused():
    with pytest.raises(ValueError, match="backwards"):
        WarpTime(0.4)
    x = torch.linspace(0, 1, 50)[None, None].expand(64, 1, 50)
    warped = WarpTime(0.31, p=1)(TensorSeries(x), split_idx=0).as_plain()
    assert (warped.diff() >= -1e-6).all()
    torch.testing.assert_close(warped[..., [0, -1]], x[..., [0, -1]])
