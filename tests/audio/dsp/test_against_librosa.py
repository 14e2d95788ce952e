"""Each function equals librosa's, to 1e-5 of the largest value, in single and double precision."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.audio.dsp.cepstrum import mfcc
from layerwise.audio.dsp.decibels import amplitude_to_db, power_to_db
from layerwise.audio.dsp.derivative import delta
from layerwise.audio.dsp.fourier import istft, spectrogram, stft
from layerwise.audio.dsp.mel import hz_to_mel, mel_filters, mel_frequencies, melspectrogram
from layerwise.audio.dsp.stretching import phase_vocoder, pitch_shift, time_stretch

librosa = pytest.importorskip("librosa", reason="librosa is what results are compared with")

SR = 22050


def signal(size=9000, channels=()):
    draw = np.random.default_rng(0)
    at = np.arange(size) / SR
    tone = np.sin(2 * np.pi * 440 * at) + 0.3 * np.sin(2 * np.pi * (500 + 2000 * at) * at)
    return 0.4 * tone + 0.05 * draw.standard_normal((*channels, size))


def assert_equal(ours, theirs, share=1e-5):
    assert tuple(ours.shape) == theirs.shape
    assert np.abs(ours.numpy() - theirs).max() <= share * np.abs(theirs).max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length"), [(512, None, 128), (512, 400, 160), (300, 300, 75)]
)
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_short_transforms(dtype, n_fft, win_length, hop_length, pad_mode):
    x = signal(channels=(2,))
    theirs = librosa.stft(
        x, n_fft=n_fft, win_length=win_length, hop_length=hop_length, pad_mode=pad_mode
    )
    ours = stft(torch.tensor(x, dtype=dtype), n_fft, win_length, hop_length, pad_mode=pad_mode)
    assert_equal(ours, theirs)


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman"])
def test_windows_and_frames_that_begin_at_their_sample(window):
    x = signal()
    theirs = librosa.stft(x, n_fft=512, hop_length=200, window=window, center=False)
    ours = stft(torch.tensor(x), 512, hop_length=200, window=window, center=False)
    assert_equal(ours, theirs, 1e-12)


@pytest.mark.parametrize("power", [1.0, 2.0, 1.5])
def test_magnitudes_to_a_power(power):
    x = signal()
    ours = spectrogram(torch.tensor(x), 512, power=power)
    assert_equal(ours, np.abs(librosa.stft(x, n_fft=512, hop_length=256)) ** power)


@pytest.mark.parametrize("htk", [False, True])
def test_the_mel_scale(htk):
    hz = np.array([0.0, 60.0, 440.0, 999.0, 1000.0, 1001.0, 4000.0, 11025.0])
    assert_equal(hz_to_mel(torch.tensor(hz), htk), librosa.hz_to_mel(hz, htk=htk), 1e-12)
    theirs = librosa.mel_frequencies(40, fmin=50, fmax=8000, htk=htk)
    assert_equal(mel_frequencies(40, 50, 8000, htk), theirs, 1e-12)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([8000, 16000, 22050]),
    st.sampled_from([256, 400, 1024]),
    st.integers(1, 80),
    st.floats(0, 300),
    st.sampled_from([None, 3000.0]),
    st.booleans(),
    st.sampled_from([None, "slaney"]),
)
def test_mel_filters(sr, n_fft, n_mels, f_min, f_max, htk, norm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bands so narrow that no frequency lies in them
        theirs = librosa.filters.mel(
            sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, htk=htk, norm=norm,
            dtype=np.float64,
        )  # fmt: skip
    ours = mel_filters(sr, n_fft, n_mels, f_min, f_max, htk, norm).numpy()
    assert np.abs(ours - theirs).max() <= 1e-10 * max(1e-3, theirs.max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mel_spectrograms_and_cepstra_of_several_channels(dtype):
    x = signal(channels=(3, 2))
    frames = {"n_fft": 1024, "hop_length": 300}
    theirs = librosa.feature.melspectrogram(y=x, sr=SR, n_mels=64, **frames)
    given_ = torch.tensor(x, dtype=dtype)
    assert_equal(melspectrogram(given_, SR, n_mels=64, **frames), theirs)
    theirs = librosa.feature.mfcc(y=x, sr=SR, n_mfcc=13, n_mels=64, **frames)
    assert_equal(mfcc(given_, SR, 13, n_mels=64, item_dims=3, **frames), theirs)


@pytest.mark.parametrize("top_db", [None, 30.0, 80.0])
def test_decibels(top_db):
    power = np.random.default_rng(1).random((20, 30)) ** 12
    ours = torch.tensor(power)
    assert_equal(power_to_db(ours, top_db=top_db), librosa.power_to_db(power, top_db=top_db))
    assert_equal(
        amplitude_to_db(ours, ref="max", top_db=top_db),
        librosa.amplitude_to_db(power, ref=np.max, top_db=top_db),
    )
    assert_equal(power_to_db(ours, ref=0.5), librosa.power_to_db(power, ref=0.5))


@pytest.mark.parametrize("mode", ["interp", "nearest", "mirror", "constant", "wrap"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("width", [3, 9, 15])
def test_derivatives(mode, order, width):
    x = np.random.default_rng(2).standard_normal((2, 5, 40))
    theirs = librosa.feature.delta(x, width=width, order=order, mode=mode)
    assert_equal(delta(torch.tensor(x), width, order, mode), theirs, 1e-12)


def test_transforms_back():
    x = signal(channels=(2,))
    spectra = librosa.stft(x, n_fft=512, hop_length=128)
    theirs = librosa.istft(spectra, hop_length=128, length=9000)
    assert_equal(istft(torch.tensor(spectra), 512, hop_length=128, length=9000), theirs)


@pytest.mark.parametrize("rate", [0.6, 1.3, 2.0])
def test_stretching(rate):
    x = signal(20000, channels=(2,))
    spectra = librosa.stft(x)
    theirs = librosa.phase_vocoder(spectra, rate=rate, hop_length=512, n_fft=2048)
    assert_equal(phase_vocoder(torch.tensor(spectra), rate, 512, 2048), theirs, 1e-9)
    theirs = librosa.effects.time_stretch(x, rate=rate)
    assert_equal(time_stretch(torch.tensor(x), rate), theirs, 1e-9)
    assert_equal(time_stretch(torch.tensor(x, dtype=torch.float32), rate), theirs, 1e-3)


def test_shifting_pitch():
    at = np.arange(20000) / SR
    x = np.sin(2 * np.pi * 440 * at) * np.exp(-(((at - 0.45) / 0.12) ** 2))
    pytest.importorskip("soxr", reason="librosa resamples with it")
    theirs = librosa.effects.pitch_shift(x, sr=SR, n_steps=4, res_type="soxr_vhq")
    assert_equal(pitch_shift(torch.tensor(x), SR, 4), theirs, 2e-3)  # soxr's own error
