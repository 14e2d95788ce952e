"""What functions of signals promise beside their numbers: shapes, devices, gradients, errors."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.audio.dsp.cepstrum import cosine_transform, mfcc
from layerwise.audio.dsp.constants import remembered
from layerwise.audio.dsp.decibels import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db
from layerwise.audio.dsp.derivative import delta
from layerwise.audio.dsp.fourier import istft, spectrogram, stft
from layerwise.audio.dsp.mel import mel_filters, melspectrogram
from layerwise.audio.dsp.noise import colored_noise
from layerwise.audio.dsp.resampling import resample
from layerwise.audio.dsp.stretching import pitch_shift, time_stretch
from layerwise.audio.settings import SpectrogramSettings
from layerwise.core.random import keyed

SR = 8000

CHANGES = {
    "spectrogram": lambda x: spectrogram(x, 64),
    "melspectrogram": lambda x: melspectrogram(x, SR, 64, n_mels=8),
    "mfcc": lambda x: mfcc(x, SR, 4, 64, n_mels=8, top_db=None),
    "resample up": lambda x: resample(x, 8000, 11025),
    "resample down": lambda x: resample(x, 8000, 4410),
    "time_stretch": lambda x: time_stretch(x, 1.2, n_fft=64),
    "pitch_shift": lambda x: pitch_shift(x, SR, 2, n_fft=64),
    "delta": delta,
    "power_to_db": lambda x: power_to_db(x.square(), item_dims=1),
}


def noise(*shape, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=draw, dtype=dtype)


@pytest.mark.parametrize("name", CHANGES)
def test_a_batch_gives_what_its_items_give(name):
    x = noise(3, 2, 500)
    whole = CHANGES[name](x)
    alone = torch.stack([torch.stack([CHANGES[name](c) for c in item]) for item in x])
    torch.testing.assert_close(whole, alone)


@pytest.mark.parametrize("name", CHANGES)
def test_pieces_of_a_large_batch_give_what_the_whole_gives(name, monkeypatch):
    x = noise(5, 3000)
    whole = CHANGES[name](x)
    monkeypatch.setattr("layerwise.audio.dsp.pieces._PIECE", 700)
    torch.testing.assert_close(CHANGES[name](x), whole)


@pytest.mark.parametrize("name", CHANGES)
def test_of_no_signals_comes_nothing_of_the_same_form(name):
    whole = CHANGES[name](noise(3, 2, 500))
    assert CHANGES[name](noise(0, 2, 500)).shape == (0, *whole.shape[1:])
    assert CHANGES[name](noise(3, 0, 500)).shape == (3, 0, *whole.shape[2:])


@pytest.mark.parametrize("pad_mode", ["reflect", "replicate"])
def test_no_signals_are_continued_and_synthesised(pad_mode):
    spectra = stft(torch.zeros(0, 500), 64, pad_mode=pad_mode)
    assert spectra.shape == stft(torch.zeros(2, 500), 64, pad_mode=pad_mode)[:0].shape
    assert istft(spectra, 64, length=500).shape == (0, 500)
    assert delta(torch.zeros(0, 3, 20), mode="nearest").shape == (0, 3, 20)
    assert colored_noise((0, 20), 1.0).shape == (0, 20)


@pytest.mark.parametrize("name", CHANGES)
def test_gradients_are_those_of_differences(name):
    x = noise(1, 200).requires_grad_()
    assert torch.autograd.gradcheck(CHANGES[name], x, fast_mode=True)


@pytest.mark.parametrize("name", CHANGES)
def test_input_is_not_written_to_and_types_of_numbers_are_kept(name):
    x = noise(2, 500, dtype=torch.float32)
    before = x.clone()
    assert CHANGES[name](x).dtype == torch.float32
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", CHANGES)
def test_tables_made_without_gradients_serve_with_them(name):
    x = noise(1, 333)
    with torch.inference_mode():
        CHANGES[name](x)
    x.requires_grad_()
    CHANGES[name](x).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


# -- spectra -------------------------------------------------------------------------------


def test_a_tone_lies_where_its_frequency_is():
    at = torch.arange(4000, dtype=torch.float64) / SR
    found = spectrogram(torch.sin(2 * math.pi * 1000 * at), 256)
    assert set(found[:, 2:-2].argmax(0).tolist()) == {32}  # 1000 / 8000 * 256


def test_power_of_a_frame_is_that_of_its_samples():
    """Parseval: without a window, the power of all frequencies is that of the samples."""
    x = noise(64)
    found = spectrogram(x, 64, window="ones", center=False)[:, 0]
    twice = 2 * found.sum() - found[0] - found[-1]
    torch.testing.assert_close(twice / 64, x.square().sum())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 700), st.integers(4, 200), st.integers(1, 90))
def test_as_many_frames_as_promised(size, n_fft, hop):
    x = torch.zeros(size)
    found = spectrogram(x, n_fft, hop_length=hop)
    made = SpectrogramSettings(sr=SR, n_fft=n_fft, hop_length=hop)
    assert found.shape == (made.height, made.frames(size))
    if size >= n_fft:
        found = spectrogram(x, n_fft, hop_length=hop, center=False)
        made = SpectrogramSettings(sr=SR, n_fft=n_fft, hop_length=hop, center=False)
        assert found.shape[-1] == made.frames(size)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 600))
def test_istft_undoes_stft(size):
    x = noise(2, size)
    back = istft(stft(x, 64, hop_length=16), 64, hop_length=16, length=size)
    torch.testing.assert_close(back, x)


def test_short_signals_and_wrong_settings_say_what_to_do():
    with pytest.raises(ValueError, match="center=True"):
        stft(torch.zeros(10), 64, center=False)
    with pytest.raises(ValueError, match="pad_mode='constant'"):
        stft(torch.zeros(10), 64, pad_mode="reflect")
    with pytest.raises(ValueError, match="Did you mean 'hann'"):
        stft(torch.zeros(100), 64, window="han")
    with pytest.raises(ValueError, match="1 to n_fft=64"):
        stft(torch.zeros(100), 64, win_length=100)
    with pytest.raises(ValueError, match="hop_length=0"):
        stft(torch.zeros(100), 64, hop_length=0)
    with pytest.raises(ValueError, match="pad_mode='mirror'"):
        stft(torch.zeros(100), 64, pad_mode="mirror")


# -- bands, coefficients, decibels, derivatives --------------------------------------------


def test_wrong_bands_are_refused():
    with pytest.raises(ValueError, match="upwards"):
        mel_filters(SR, f_min=4000, f_max=100)
    with pytest.raises(ValueError, match="norm='area'"):
        mel_filters(SR, norm="area")
    with pytest.raises(ValueError, match="give 1 to 8"):
        mfcc(torch.zeros(100), SR, n_mfcc=9, n_mels=8)


def test_the_cosine_transform_is_that_of_scipy():
    dct = pytest.importorskip("scipy.fft").dct
    x = noise(16, 3)
    expected = torch.tensor(dct(x.numpy(), axis=0, norm="ortho")[:5])
    torch.testing.assert_close(cosine_transform(16, 5) @ x, expected)


def test_decibels_and_back():
    x = noise(4, 6).square() + 0.1
    torch.testing.assert_close(db_to_power(power_to_db(x, top_db=None)), x)
    torch.testing.assert_close(db_to_amplitude(amplitude_to_db(x, top_db=None)), x)


def test_the_loudest_is_that_of_each_item():
    x = torch.tensor([[[1.0, 1e-9]], [[1e-4, 1e-9]]])
    assert power_to_db(x, top_db=30).tolist() == [[[0, -30]], [[-40, -70]]]
    assert power_to_db(x, top_db=30, item_dims=3).flatten().tolist() == [0, -30, -30, -30]
    assert power_to_db(torch.zeros(0, 3, 4)).shape == (0, 3, 4)


def test_wrong_references_are_refused():
    with pytest.raises(ValueError, match="ref='loudest'"):
        power_to_db(torch.ones(2), ref="loudest")
    with pytest.raises(ValueError, match="ref=0"):
        power_to_db(torch.ones(2), ref=0)
    with pytest.raises(ValueError, match="top_db=-1"):
        power_to_db(torch.ones(2), top_db=-1)


def test_derivatives_that_cannot_be_say_why():
    with pytest.raises(ValueError, match="mode='nearest'"):
        delta(torch.zeros(5), 9)
    with pytest.raises(ValueError, match="odd"):
        delta(torch.zeros(50), 8)
    with pytest.raises(ValueError, match="Did you mean 'nearest'"):
        delta(torch.zeros(50), mode="nearst")
    with pytest.raises(ValueError, match="order=0"):
        delta(torch.zeros(50), order=0)
    with pytest.raises(ValueError, match="smaller width"):
        delta(torch.zeros(3), 9, mode="mirror")


def test_tables_are_bounded_in_number():
    made = []

    def make(size):
        made.append(size)
        return torch.zeros(size)

    table = remembered(make)
    for size in (*range(100), 99, 0):
        table(size, like=torch.zeros(1))
    assert len(made) == 101  # the last was kept, the first was not


# -- noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("size", [4000, 4001])
def test_noise_has_its_slope_and_variance_one(exponent, size):
    with keyed(0, exponent, size):
        x = colored_noise((300, size), exponent, dtype=torch.float64)
    power = torch.fft.rfft(x).abs().square().mean(0)[1:-1]
    freqs = torch.arange(1, len(power) + 1, dtype=torch.float64)
    design = torch.stack([freqs.log(), torch.ones_like(freqs)], 1)
    slope = torch.linalg.lstsq(design, power.log()[:, None]).solution[0].item()
    assert slope == pytest.approx(-exponent, abs=0.02)
    assert x.var(correction=0).item() == pytest.approx(1, abs=0.06)
    assert x.mean().abs().item() < 0.01


def test_noise_depends_on_the_key_alone():
    def drawn(key):
        with keyed(key):
            return colored_noise((2, 100), 1.0)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_noise_of_a_sample_or_two():
    assert colored_noise((3, 1)).tolist() == [[0], [0], [0]]
    assert colored_noise((3, 0), 1.0).shape == (3, 0)
    assert colored_noise((3, 2), 1.0).shape == (3, 2)
    with pytest.raises(ValueError, match="an axis of samples"):
        colored_noise(())


# -- stretching ----------------------------------------------------------------------------


def pitch_of(x, sr):
    """Hz of the strongest frequency, to a tenth."""
    power = torch.fft.rfft(x * torch.hann_window(len(x), dtype=x.dtype), n=10 * sr).abs()
    return power.argmax().item() / 10


def test_stretching_keeps_the_pitch_and_shifting_keeps_the_length():
    at = torch.arange(SR, dtype=torch.float64) / SR
    x = torch.sin(2 * math.pi * 500 * at)
    slower = time_stretch(x, 0.5, n_fft=512)
    assert len(slower) == 2 * SR
    assert pitch_of(slower, SR) == pytest.approx(500, abs=1)
    higher = pitch_shift(x, SR, 12, n_fft=512)
    assert len(higher) == SR
    assert pitch_of(higher, SR) == pytest.approx(1000, abs=2)
    assert pitch_of(pitch_shift(x, SR, -12), SR) == pytest.approx(250, abs=2)


def test_no_stretching_changes_nothing_and_wrong_rates_are_refused():
    x = noise(2, 100)
    assert torch.equal(time_stretch(x, 1), x)
    assert time_stretch(x[:, :0], 1.5).shape == (2, 0)
    with pytest.raises(ValueError, match="rate=0"):
        time_stretch(x, 0)
    with pytest.raises(ValueError, match="sr=0"):
        pitch_shift(x, 0, 2)
