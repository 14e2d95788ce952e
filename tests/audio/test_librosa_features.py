"""What librosa computes, as a transform of clips."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from layerwise.audio.librosa_features import LibrosaFeature
from layerwise.audio.spectrum import gives_spectrogram
from layerwise.audio.tones import create_sin_wave
from layerwise.core.settings import settings_of

librosa = pytest.importorskip("librosa")
CLIP = create_sin_wave(440.0, sr=8000, seconds=0.5, channels=2)


@pytest.mark.parametrize(
    ("feature", "rows", "options"),
    [("chroma_stft", 12, {"n_fft": 1024}), ("mfcc", 13, {"n_mfcc": 13, "n_fft": 1024}),
     ("poly_features", 2, {}), ("rms", 1, {}), ("spectral_centroid", 1, {}),
     ("spectral_contrast", 5, {"n_bands": 4}), ("zero_crossing_rate", 1, {})],
)  # fmt: skip
def test_a_feature_is_computed_of_each_channel(feature, rows, options):
    made = LibrosaFeature(feature, hop_length=256, options=options)(CLIP)
    assert made.shape == (2, rows, 16)
    assert made.settings.height == rows
    assert made.freqs is None
    assert made.duration == pytest.approx(0.5, abs=0.05)
    assert torch.isfinite(made.as_plain()).all()


def test_values_are_those_of_librosa_and_magnitudes_of_complex_ones():
    signal = CLIP.as_plain().numpy()
    found = LibrosaFeature("cqt", options={"fmin": 110, "n_bins": 36})(CLIP)
    expected = np.abs(librosa.cqt(signal, sr=8000, fmin=110, n_bins=36))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert int(found[0].mean(-1).argmax()) == 24  # two octaves above 110 Hz


def test_settings_make_an_equal_one():
    made = LibrosaFeature("rms", 64, {"frame_length": 256})
    again = LibrosaFeature(**settings_of(made))
    assert torch.equal(again(CLIP), made(CLIP))
    assert gives_spectrogram(made)
    assert repr(made) == "LibrosaFeature('rms', hop_length=64)"


def test_wrong_use_is_told():
    with pytest.raises(ValueError, match="Did you mean 'chroma_cqt'"):
        LibrosaFeature("chroma_cqd")
    with pytest.raises(ValueError, match="hop_length=0"):
        LibrosaFeature("rms", 0)
    with pytest.raises(ValueError, match="one of item_tfms"):
        LibrosaFeature("rms")(CLIP[None])
    with pytest.raises(TypeError, match="frame_lenght"):
        LibrosaFeature("rms", options={"frame_lenght": 3})(CLIP)


def test_the_picture_counts_rows():
    axes = Figure().subplots()
    LibrosaFeature("rms")(CLIP[:1]).show(ctx=axes)
    assert axes.get_ylabel() == "row"
