"""Resampling against the same signal sampled at the other rate, and against scipy."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.audio.dsp.resampling import resample

RATES = [(16000, 8000), (44100, 16000), (16000, 44100), (8000, 22050), (16001, 16000), (8000, 1)]


def tone(share, sr, lower, width=0.1):
    """A second of a tone at `share` of the lower Nyquist frequency, fading in and out."""
    at = torch.arange(sr, dtype=torch.float64) / sr
    return torch.sin(math.pi * share * lower * at) * torch.exp(-(((at - 0.5) / width) ** 2))


@pytest.mark.parametrize(("sr", "sr_new"), RATES[:-1])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.88])
def test_what_both_rates_can_hold_is_the_same_sound(sr, sr_new, share):
    lower = min(sr, sr_new)
    found = resample(tone(share, sr, lower), sr, sr_new)
    assert (found - tone(share, sr_new, lower)).abs().max() < 1e-5


@pytest.mark.parametrize(("sr", "sr_new"), [(16000, 8000), (44100, 16000), (16001, 16000)])
def test_what_the_new_rate_cannot_hold_is_gone(sr, sr_new):
    for share in (1.0, 1.02, 1.3):
        if share * sr_new < sr:
            found = resample(tone(share, sr, sr_new), sr, sr_new)
            assert found.abs().max() < 10 ** (-100 / 20)


def test_a_slow_change_is_kept_to_the_ends_and_constants_inside():
    found = resample(torch.ones(8000, dtype=torch.float64), 8000, 12000)
    assert (found[200:-200] - 1).abs().max() < 1e-6


def test_it_is_closer_to_the_truth_than_the_filter_of_scipy():
    resample_poly = pytest.importorskip("scipy.signal").resample_poly
    x, expected = tone(0.85, 16000, 8000), tone(0.85, 8000, 8000)
    theirs = torch.tensor(resample_poly(x.numpy(), 1, 2))
    ours = resample(x, 16000, 8000)
    assert theirs.shape == ours.shape
    assert (ours - expected).abs().max() < (theirs - expected).abs().max()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3000), st.integers(1, 50000), st.integers(1, 50000))
def test_any_length_and_any_rates(size, sr, sr_new):
    if size * sr_new / sr > 1e6:
        return
    found = resample(torch.ones(2, size), sr, sr_new)
    assert found.shape == (2, -(-size * sr_new // sr))
    assert bool(torch.isfinite(found).all())


def test_blocks_leave_no_trace(monkeypatch):
    x = torch.randn(20000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cut = resample(x, 16000, 11025)
    monkeypatch.setattr("layerwise.audio.dsp.resampling._BLOCK", 1 << 20)
    assert (cut - resample(x, 16000, 11025)).abs().max() < 2e-6


def test_the_same_rate_is_left_alone_and_others_are_refused():
    x = torch.ones(3)
    assert torch.equal(resample(x, 8000, 8000.0), x)
    for rates in [(0, 8000), (8000, -1), (math.nan, 1)]:
        with pytest.raises(ValueError, match="above 0"):
            resample(x, *rates)
