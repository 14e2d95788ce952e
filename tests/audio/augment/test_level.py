"""Volume, noise and gaps in signals: numbers that can be worked out."""

import math

import numpy as np
import pytest
import torch
from scipy import signal

from layerwise.audio.augment import (
    AddNoise,
    AddNoiseGPU,
    ChangeVolume,
    NoiseColor,
    PeakNorm,
    SignalCutout,
    SignalCutoutGPU,
    SignalLoss,
    SignalLossGPU,
    Volume,
    VolumeMode,
    VolumeOrPeakNorm,
    add_noise,
)
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.tones import create_sin_wave
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed


def ones(count=64, size=200):
    return AudioTensor(torch.ones(count, 1, size), sr=8000)


def gains(transform):
    with keyed(1):
        return transform(ones(2000, 4), split_idx=0).as_plain()[:, 0, 0].double()


def test_factors_lie_evenly_between_their_bounds():
    found = gains(ChangeVolume(p=1.0, lower=0.5, upper=1.5))
    assert 0.5 <= found.min() < 0.51
    assert 1.49 < found.max() <= 1.5
    assert found.mean().item() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("mode", "gain", "low", "high"),
    [
        (VolumeMode.DB, (-20.0, 20.0), 0.1, 10.0),
        (VolumeMode.Power, (0.25, 4.0), 0.5, 2.0),
        (VolumeMode.Amplitude, (0.25, 4.0), 0.25, 4.0),
    ],
)
def test_gains_in_decibels_power_and_amplitude(mode, gain, low, high):
    found = gains(Volume(p=1.0, gain=gain, mode=mode))
    assert found.min().item() == pytest.approx(low, rel=0.02)
    assert found.max().item() == pytest.approx(high, rel=0.02)


def test_half_of_the_items_are_left_with_half_the_probability():
    found = gains(ChangeVolume(p=0.5))
    assert (found == 1).double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_the_peak_becomes_one_and_silence_stays():
    x = torch.stack([torch.linspace(-0.2, 0.1, 50)[None], torch.zeros(1, 50)])
    y = PeakNorm(p=1.0)(AudioTensor(x, sr=8000), split_idx=0).as_plain()
    assert y[0].abs().max() == 1
    assert not y[1].any()


def test_the_peak_is_not_sought_in_the_filling():
    x = AudioTensor([[[0.5, 9.0]]], sr=8000, lengths=torch.tensor([1]))
    assert PeakNorm(p=1.0)(x, split_idx=0).as_plain().tolist() == [[[1.0, 9.0]]]


def test_either_a_gain_or_the_peak():
    x = AudioTensor(torch.full((400, 1, 3), 0.5), sr=8000)
    either = VolumeOrPeakNorm(p=1.0, gain=(6.0, 6.0), peak_share=0.25)
    with keyed(0):
        found = either(x, split_idx=0).as_plain()[:, 0, 0]
    by_peak = found == 1
    assert by_peak.double().mean().item() == pytest.approx(0.25, abs=0.06)
    torch.testing.assert_close(found[~by_peak], torch.full_like(found, 0.5 * 10**0.3)[~by_peak])


@pytest.mark.parametrize("level", [0.05, 0.5])
@pytest.mark.parametrize("color", list(NoiseColor))
def test_noise_has_the_share_of_the_deviation(color, level):
    tone = create_sin_wave(seconds=4.0, channels=2)
    with keyed(color + 10):
        noise = (add_noise(tone, color, level) - tone).as_plain()
    expected = level * 0.5 / math.sqrt(2)  # of a sine
    assert noise.std().item() == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("color", list(NoiseColor))
def test_noise_falls_with_frequency_as_its_colour_says(color):
    tone = create_sin_wave(freq=1.0, sr=4096, seconds=32.0)
    with keyed(3):
        noise = (AddNoise(1.0, color)(tone, split_idx=0) - tone).as_plain()[0]
    freqs, power = signal.welch(noise.numpy(), fs=4096, nperseg=1024)
    kept = (freqs > 50) & (freqs < 1500)
    slope = np.polyfit(np.log(freqs[kept]), np.log(power[kept]), 1)[0]
    assert slope == pytest.approx(-int(color), abs=0.15)


def test_levels_are_drawn_for_each_item_between_their_bounds():
    x = AudioTensor(torch.randn(300, 1, 2000), sr=8000)
    with keyed(2):
        noise = (AddNoiseGPU(p=1.0, min_level=0.1, max_level=0.4)(x, split_idx=0) - x).as_plain()
    levels = (noise.std((1, 2)) / x.as_plain().std((1, 2))).double()
    assert levels.min().item() == pytest.approx(0.1, rel=0.1)
    assert levels.max().item() == pytest.approx(0.4, rel=0.1)
    assert noise.mean().abs() < 1e-3  # zero mean, in either form


def test_silence_gets_no_noise():
    x = AudioTensor(torch.zeros(1, 100), sr=8000)
    assert not add_noise(x, NoiseColor.Pink, 0.5).any()


def test_noise_on_spectrograms_is_measured_by_their_own_deviation():
    settings = SpectrogramSettings(sr=8000, n_fft=256, to_db=True)
    x = AudioSpectrogram.create(torch.randn(1, 129, 400) * 20 - 50, settings)
    with keyed(1):
        noise = (add_noise(x, noise_level=0.1) - x).as_plain()
    assert noise.std().item() == pytest.approx(2.0, rel=0.02)


def test_the_cut_is_one_part_of_the_given_share():
    with keyed(4):
        y = SignalCutoutGPU(1.0, 0.1, 0.3)(ones(), split_idx=0).as_plain()[:, 0]
    shares = (y == 0).double().mean(1)
    assert shares.min() >= 0.1
    assert shares.max() <= 0.3
    assert len(shares.unique()) > 10
    edges = torch.nn.functional.pad((y == 0).int(), (1, 1)).diff(dim=1).abs().sum(1)
    assert edges.tolist() == [2] * len(y)


def test_lost_samples_are_as_many_as_the_share_says():
    with keyed(4):
        y = SignalLossGPU(1.0, 0.2, 0.2)(ones(8, 5000), split_idx=0).as_plain()
    torch.testing.assert_close((y == 0).double().mean((1, 2)), torch.full((8,), 0.2).double(),
                               atol=0.02, rtol=0)  # fmt: skip


def test_all_channels_lose_the_same():
    x = AudioTensor(torch.ones(2, 3, 100), sr=8000)
    for transform in (SignalLoss(1.0, 0.5, 0.5), SignalCutout(1.0, 0.5, 0.5)):
        y = transform(x, split_idx=0).as_plain()
        assert torch.equal(y, y[:, :1].expand_as(y))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ChangeVolume(lower=2, upper=1), "lower=2, upper=1"),
        (lambda: Volume(mode="dbs"), "Did you mean 'db'"),
        (lambda: Volume(gain=(-1, 1), mode="power"), "factors from 0 up"),
        (lambda: VolumeOrPeakNorm(peak_share=2), "peak_share=2"),
        (lambda: AddNoise(-1.0), "noise_level=-1.0"),
        (lambda: SignalCutout(max_cut_pct=2), "max_cut_pct=2"),
        (lambda: SignalLoss(max_loss_pct=0.1, min_loss_pct=0.2), "min_loss_pct=0.2"),
        (lambda: ChangeVolume(p=3), "no probability"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
