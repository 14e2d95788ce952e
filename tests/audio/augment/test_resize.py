"""Sounds of one length, against values worked out by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.audio.augment import (
    AudioPadMode,
    AudioPadType,
    CropTime,
    RandomCropPad,
    ResizeSignal,
)
from layerwise.audio.augment.place import windows
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed


def ramp(size, sr=1000):
    return AudioTensor(torch.arange(1.0, size + 1)[None], sr=sr)


@given(
    st.integers(1, 30), st.integers(-20, 40), st.integers(0, 30), st.booleans(), st.integers(1, 3)
)
def test_windows_are_what_indices_say(length, start, size, repeat, channels):
    values = torch.randn(1, channels, length + 4)
    found = windows(
        values, torch.tensor([start]), size, torch.tensor([length]), repeat=repeat, fill=7.0
    )
    for j in range(size):
        at = start + j
        if repeat:
            expected = values[0, :, at % length]
        else:
            inside = 0 <= at < length
            expected = values[0, :, at] if inside else torch.full((channels,), 7.0)
        assert torch.equal(found[0, :, j], expected)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 50))
def test_a_longer_signal_is_cut_and_a_shorter_one_filled_up(size, wanted, seed):
    x = ramp(size)
    with keyed(seed):
        y = ResizeSignal(wanted)(x, split_idx=0)
    assert y.shape == (1, wanted)
    assert y.sr == 1000
    kept = [int(v) for v in y[0].tolist() if v]
    assert len(kept) == min(size, wanted)
    assert kept == list(range(kept[0], kept[0] + len(kept)))


def test_validation_takes_the_middle():
    cut = ResizeSignal(4)
    for _ in range(3):
        assert cut(ramp(10), split_idx=1).tolist() == [[4, 5, 6, 7]]
        assert cut(ramp(2), split_idx=1).tolist() == [[0, 1, 2, 0]]


def test_training_takes_every_place():
    cut, firsts = ResizeSignal(4), set()
    for seed in range(60):
        with keyed(seed):
            firsts.add(cut(ramp(8), split_idx=0)[0, 0].item())
    assert firsts == {1, 2, 3, 4, 5}


def test_ways_to_fill_up():
    x = ramp(3)
    found = {
        mode: ResizeSignal(7, mode)(x, split_idx=1)[0].tolist()
        for mode in (AudioPadType.Zeros, AudioPadType.Zeros_After, AudioPadType.Repeat)
    }
    assert found == {
        "zeros": [0, 0, 1, 2, 3, 0, 0],
        "zeros_after": [1, 2, 3, 0, 0, 0, 0],
        "repeat": [1, 2, 3, 1, 2, 3, 1],
    }
    by_constant = {
        mode: RandomCropPad(0.005, mode, constant=9.0)(x, split_idx=1)[0].tolist()
        for mode in (
            AudioPadMode.Constant,
            AudioPadMode.ConstantPre,
            AudioPadMode.ConstantPost,
            AudioPadMode.Repeat,
        )
    }
    assert by_constant == {
        "constant": [9, 1, 2, 3, 9],
        "constant_pre": [9, 9, 1, 2, 3],
        "constant_post": [1, 2, 3, 9, 9],
        "repeat": [1, 2, 3, 1, 2],
    }


def test_what_is_right_already_is_left_alone():
    x = ramp(5)
    assert ResizeSignal(5)(x, split_idx=0) is x


def test_a_padded_batch_is_cut_out_of_what_is_no_filling():
    values = torch.zeros(2, 1, 8)
    values[0, 0], values[1, 0, :3] = torch.arange(1.0, 9), torch.tensor([1.0, 2, 3])
    x = AudioTensor(values, sr=1000, lengths=torch.tensor([8, 3]))
    y = ResizeSignal(4, AudioPadType.Zeros_After)(x, split_idx=1)
    assert y[:, 0].tolist() == [[3, 4, 5, 6], [1, 2, 3, 0]]
    assert y.lengths.tolist() == [4, 4]


def test_frames_are_as_many_as_the_signal_has():
    settings = SpectrogramSettings(sr=8000, n_fft=256, hop_length=128)
    x = AudioSpectrogram.create(torch.randn(2, 5, 63), settings)
    for ms in (100, 250, 400):
        frames = settings.frames(ms * 8)
        assert CropTime(ms)(x, split_idx=0).shape == (2, 5, frames)


def test_decibels_are_filled_up_with_silence():
    settings = SpectrogramSettings(sr=8000, n_fft=256, hop_length=128, to_db=True)
    x = AudioSpectrogram.create(torch.tensor([[[-10.0, -70.0]]]), settings)
    y = CropTime(48, AudioPadType.Zeros_After)(x, split_idx=1)
    assert y[0, 0].tolist() == [-10, -70, -70, -70]


def test_a_signal_without_samples():
    nothing = AudioTensor(torch.zeros(1, 0), sr=1000)
    assert ResizeSignal(3)(nothing, split_idx=0).tolist() == [[0, 0, 0]]
    with pytest.raises(ValueError, match="without samples cannot be repeated"):
        ResizeSignal(3, AudioPadType.Repeat)(nothing, split_idx=0)


def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match="Did you mean 'repeat'"):
        ResizeSignal(100, "repeet")
    with pytest.raises(ValueError, match="duration above 0"):
        ResizeSignal(0)
    with pytest.raises(TypeError, match="ResizeSignal"):
        CropTime(10)(ramp(3), split_idx=0)
    with pytest.raises(ValueError, match=r"has to be \(C, N\) or \(B, C, N\)"):
        ResizeSignal(5)(AudioTensor(torch.zeros(9), sr=1000))
