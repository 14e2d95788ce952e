"""Sounds moved in time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.audio.augment import Roll, SGRoll, SignalShifter, shift_signal
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed


@given(st.integers(1, 20), st.integers(-30, 30))
def test_rolling_is_that_of_torch(size, shift):
    x = AudioTensor(torch.randn(2, size), sr=10)
    assert torch.equal(shift_signal(x, shift, roll=True), x.roll(shift, -1))


@given(st.integers(1, 20), st.integers(-30, 30))
def test_moving_leaves_zeros_behind(size, shift):
    x = torch.randn(1, size)
    found = shift_signal(AudioTensor(x, sr=10), shift)
    expected = torch.zeros(1, size)
    for i in range(size):
        if 0 <= i - shift < size:
            expected[0, i] = x[0, i - shift]
    assert torch.equal(found.as_plain(), expected)


def test_each_item_of_a_padded_batch_rolls_within_its_length():
    x = AudioTensor([[[1.0, 2, 3, 0, 0]], [[1.0, 2, 3, 4, 5]]], sr=10)
    x.lengths = torch.tensor([3, 5])
    found = shift_signal(x, 1, roll=True)
    assert found.as_plain()[:, 0].tolist() == [[3, 1, 2, 0, 0], [5, 1, 2, 3, 4]]


def shifts_of(transform, x, impulse):
    """By how much a single one moves, over many keys."""
    found = set()
    for seed in range(80):
        with keyed(seed):
            y = transform(x, split_idx=0).as_plain()
        at = y.reshape(-1, y.shape[-1]).argmax(-1)[0].item()
        found.add(at - impulse)
    return found


def one_at(size, at):
    x = torch.zeros(1, size)
    x[0, at] = 1
    return AudioTensor(x, sr=10)


@pytest.mark.parametrize(("direction", "least", "most"), [(0, -2, 2), (1, 0, 2), (-1, -2, 0)])
def test_shares_and_directions(direction, least, most):
    transform = SignalShifter(p=1.0, max_pct=0.1, direction=direction)
    found = shifts_of(transform, one_at(20, 10), 10)
    assert found == set(range(least, most + 1))


def test_seconds_are_samples_of_signals_and_frames_of_spectrograms():
    transform = SignalShifter(p=1.0, max_time=0.3, direction=1, roll=True)
    assert shifts_of(transform, one_at(20, 5), 5) == {0, 1, 2, 3}
    settings = SpectrogramSettings(sr=8000, n_fft=256, hop_length=800)  # 10 frames a second
    frames = torch.zeros(1, 2, 20)
    frames[..., 5] = 1
    spectrogram = AudioSpectrogram.create(frames, settings)
    assert shifts_of(transform, spectrogram, 5) == {0, 1, 2, 3}


def test_decibels_leave_silence_behind():
    settings = SpectrogramSettings(sr=8000, to_db=True)
    x = AudioSpectrogram.create(torch.tensor([[-5.0, -10.0, -80.0]]), settings)
    assert shift_signal(x, 1)[0].tolist() == [[-80, -5, -10]]


def test_rolls_keep_what_there_is():
    x = AudioTensor(torch.randn(4, 1, 30), sr=10)
    y = Roll(p=1.0)(x, split_idx=0)
    torch.testing.assert_close(y.as_plain().sort(-1).values, x.as_plain().sort(-1).values)
    frames = AudioSpectrogram.create(torch.randn(4, 1, 5, 30), SpectrogramSettings(sr=8000))
    rolled = SGRoll()(frames, split_idx=0).as_plain()
    torch.testing.assert_close(rolled.sort(-1).values, frames.as_plain().sort(-1).values)


def test_what_cannot_be_is_told():
    for wrong in ({"direction": 2}, {"max_pct": 1.5}, {"max_time": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong)).replace("max_pct", "share")):
            SignalShifter(**wrong)
