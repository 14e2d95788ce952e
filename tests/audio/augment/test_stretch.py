"""Pitch and speed: where a tone lies afterwards."""

import pytest
import torch

from layerwise.audio.augment import PitchShift, PitchShiftOrTimeStretch, TimeStretch
from layerwise.audio.tones import create_sin_wave
from layerwise.audio.types import AudioTensor
from layerwise.core.random import keyed

SR = 16000


def tones(count=3, seconds=1.0):
    wave = create_sin_wave(440, SR, seconds).as_plain()
    return AudioTensor(wave.repeat(count, 1, 1), sr=SR)


def pitch_of(x):
    """Hz of the strongest frequency of each item, to a Hz."""
    window = torch.hann_window(x.shape[-1])
    return torch.fft.rfft(x.as_plain()[:, 0] * window, n=SR).abs().argmax(-1)


@pytest.mark.parametrize("semitones", [-5, 3, 12])
def test_a_tone_moves_by_semitones(semitones):
    y = PitchShift(p=1.0, semitones=(semitones, semitones), steps=1)(tones(), split_idx=0)
    assert y.shape == tones().shape
    expected = 440 * 2 ** (semitones / 12)
    assert pitch_of(y).tolist() == pytest.approx([expected] * 3, abs=3)


@pytest.mark.parametrize("rate", [0.7, 1.5])
def test_speed_leaves_the_pitch_and_the_length(rate):
    y = TimeStretch(p=1.0, rates=(rate, rate), steps=1)(tones(), split_idx=0)
    assert y.shape == tones().shape
    assert pitch_of(y).tolist() == pytest.approx([440] * 3, abs=3)
    end = round(SR / rate)
    assert not y.as_plain()[..., end:].any()
    assert y.as_plain()[..., : min(end, SR) - 2000].square().mean().item() > 0.1


def test_items_get_one_of_the_steps_each():
    shift = PitchShift(p=1.0, semitones=(-4, 4), steps=3)
    with keyed(1):
        y = shift(tones(30, 0.25), split_idx=0)
    expected = {440 * 2 ** (s / 12) for s in (-4, 0, 4)}
    found = pitch_of(y).tolist()
    assert all(min(abs(f - e) for e in expected) < 4 for f in found)
    assert all(min(abs(f - e) for f in found) < 4 for e in expected)


def test_nothing_is_computed_for_no_change():
    x = tones()
    y = PitchShift(p=1.0, semitones=(0, 0), steps=1)(x, split_idx=0)
    assert torch.equal(y.as_plain(), x.as_plain())


def test_one_or_the_other_by_share():
    x = tones(40, 0.25)
    either = PitchShiftOrTimeStretch(p=1.0, semitones=(6, 6), rates=(2, 2), pitch_share=0.5)
    with keyed(5):
        y = either(x, split_idx=0)
    is_higher = (pitch_of(y) - 440 * 2**0.5).abs() < 6
    is_faster = ~y.as_plain()[:, 0, 2200:].any(-1)
    assert torch.equal(is_higher, ~is_faster)
    assert 10 < int(is_higher.sum()) < 30


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: PitchShift(semitones=(2, -2)), "the least first"),
        (lambda: PitchShift(steps=0), "steps=0"),
        (lambda: TimeStretch(rates=(0, 1)), "factors above 0"),
        (lambda: PitchShiftOrTimeStretch(pitch_share=-1), "pitch_share=-1"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
