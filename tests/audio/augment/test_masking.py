"""Rows and frames that are covered."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.audio.augment import (
    FrequencyMasking,
    MaskFreq,
    MaskFreqGPU,
    MaskTime,
    MaskTimeGPU,
    TimeMasking,
    mask_along_axis,
    random_mask,
    region_mask,
)
from layerwise.audio.features import TfmResize
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed
from layerwise.core.transforms.pipeline import Pipeline

SETTINGS = SpectrogramSettings(sr=8000, n_fft=78)


def spectrogram(count=16, channels=2, frames=50):
    made = torch.Generator().manual_seed(0)
    values = torch.rand(count, channels, SETTINGS.height, frames, generator=made) + 1
    return AudioSpectrogram.create(values, SETTINGS)


def covered(y, axis):
    """(B, A) which rows or frames are 0 altogether."""
    return (y.as_plain() == 0).all(1).all(-1 if axis == -2 else -2)


def widths(mask):
    """How long the runs of true are, of each row that has one run."""
    edges = torch.nn.functional.pad(mask.int(), (1, 1)).diff(dim=1)
    assert (edges.abs().sum(1) <= 2).all()
    return mask.sum(1).tolist()


@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(0, 9), st.integers(0, 9), st.integers(1, 30)
)
def test_random_masks_lie_within_and_have_their_sizes(count, num_masks, low, more, length):
    mask = random_mask(count, num_masks, low, low + more, length)
    assert mask.shape == (count, length)
    assert mask.sum(1).max() <= min(length, num_masks * (low + more))
    if num_masks == 1:
        assert min(widths(mask)) >= min(low, length)


def test_regions():
    found = region_mask(torch.tensor([[0], [2]]), torch.tensor([[2], [9]]), 4)
    assert found.int().tolist() == [[[1, 1, 0, 0]], [[0, 0, 1, 1]]]


@pytest.mark.parametrize(("kind", "axis"), [(MaskFreq, -2), (MaskTime, -1)])
def test_sizes_and_places_of_masks(kind, axis):
    with keyed(0):
        y = kind(1, (2, 6), val=0)(spectrogram(200), split_idx=0)
    mask = covered(y, axis)
    assert set(widths(mask)) == {2, 3, 4, 5, 6}
    assert mask.any(0).all()  # everywhere, at one item or another
    assert not torch.equal(mask[0], mask[1])


def test_a_size_with_a_point_is_a_share():
    with keyed(0):
        y = MaskTime(1, 0.2, val=0)(spectrogram(), split_idx=0)
        z = MaskFreq(1, (0.1, 0.5), val=0)(spectrogram(), split_idx=0)
    assert set(widths(covered(y, -1))) == {10}
    assert 4 <= min(widths(covered(z, -2))) <= max(widths(covered(z, -2))) <= 20


def test_nothing_given_covers_with_the_mean_of_each_channel():
    x = spectrogram()
    y = MaskTime(size=3, start=4)(x, split_idx=0).as_plain()
    expected = x.as_plain().mean((2, 3), keepdim=True).expand(-1, -1, SETTINGS.height, 3)
    torch.testing.assert_close(y[..., 4:7], expected)
    assert torch.equal(y[..., :4], x.as_plain()[..., :4])
    assert torch.equal(y[..., 7:], x.as_plain()[..., 7:])


def test_zero_is_a_value_too():
    y = MaskFreq(size=3, start=0, val=0)(spectrogram(), split_idx=0).as_plain()
    assert not y[:, :, :3].any()


def test_a_mask_over_all_is_allowed_and_one_that_is_larger_is_cut():
    y = MaskFreq(size=10_000, val=0)(spectrogram(), split_idx=0)
    assert not y.as_plain().any()


def test_masks_and_their_mean_leave_the_filling_alone():
    x = spectrogram(2, 1, 50)
    values = x.as_plain().clone()
    values[1, ..., 10:] = 0
    x = AudioSpectrogram(values, settings=SETTINGS, lengths=torch.tensor([50, 10]))
    for seed in range(20):
        with keyed(seed):
            y = MaskTime(size=4)(x, split_idx=0).as_plain()
        changed = (y[1] != values[1]).any(0).any(0).nonzero().flatten()
        assert len(changed) == 4
        assert changed.max() < 10
        mean = values[1, ..., :10].mean()
        torch.testing.assert_close(y[1][..., changed], mean.expand(1, SETTINGS.height, 4))


def test_the_function_leaves_its_input():
    x = torch.ones(2, 1, 3, 4)
    y = mask_along_axis(x, torch.tensor([[True, False, False], [False, False, True]]), 0.0, -2)
    assert x.all()
    assert (y == 0).nonzero()[:, :3:2].unique(dim=0).tolist() == [[0, 0], [1, 2]]


def test_names_of_other_libraries_make_the_same():
    assert MaskFreqGPU(2, 3, 5, 0.0, 0.5).__dict__.keys() == MaskFreq().__dict__.keys()
    assert MaskTimeGPU(2, 3, 5).size == (3, 5)
    assert (TimeMasking(7).size, FrequencyMasking(8).size) == ((0, 7), (0, 8))
    assert isinstance(FrequencyMasking(), MaskFreq)


def test_both_masks_in_a_pipeline():
    pipeline = Pipeline([MaskTime(size=5, val=0), MaskFreq(size=4, val=0)], split_idx=0)
    y = pipeline(spectrogram())
    assert set(covered(y, -1).sum(1).tolist()) == {5}
    assert set(covered(y, -2).sum(1).tolist()) == {4}


def test_resized_spectrograms_are_those_of_torch():
    x = spectrogram(3)
    x.lengths = torch.tensor([50, 25, 1])
    y = TfmResize((20, 10))(x)
    expected = torch.nn.functional.interpolate(x.as_plain(), (20, 10), mode="bilinear")
    assert torch.equal(y.as_plain(), expected)
    assert y.lengths.tolist() == [10, 5, 1]
    torch.testing.assert_close(TfmResize((20, 10))(x[1]).shape, (2, 20, 10))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: MaskFreq(size=(5, 2)), "the least first"),
        (lambda: MaskFreq(size=1.5), "shares of the axis"),
        (lambda: MaskFreq(size=(1, 0.5)), "a pair of either"),
        (lambda: MaskTime(num_masks=0), "one mask at least"),
        (lambda: MaskTime(num_masks=2, start=3), "one alone"),
        (lambda: TfmResize(0), "1 at least"),
        (lambda: TfmResize(4, "bilinar"), "Did you mean 'bilinear'"),
        (lambda: random_mask(1, 1, 3, 2, 5), "the least first"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_a_signal_is_refused_with_advice():
    with pytest.raises(TypeError, match="put AudioToSpec before it"):
        MaskTime()(AudioTensor(torch.zeros(1, 9), sr=8000), split_idx=0)
