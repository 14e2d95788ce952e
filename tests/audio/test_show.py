"""Signals and spectrograms on axes: seconds, Hz, dB, right side up, one part for each channel."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from layerwise.audio.draw import show_audio_signal, show_spectrogram
from layerwise.audio.spectrum import AudioToMFCC, AudioToSpec
from layerwise.audio.types import AudioTensor
from layerwise.core.display.generic import show, show_results
from layerwise.core.tensors import TensorCategory


def _tone(hz: float, seconds: float = 1.0, sr: int = 16000) -> AudioTensor:
    times = torch.arange(int(sr * seconds)) / sr
    return AudioTensor(torch.sin(2 * torch.pi * hz * times)[None], sr=sr)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("size", [300, 50_000])
def test_signals_are_drawn_over_seconds(size):
    ax = show_audio_signal(AudioTensor(torch.rand(1, size), sr=1000), title="noise")
    assert ax.get_xlim() == (0, size / 1000)
    assert (ax.get_xlabel(), ax.get_title()) == ("seconds", "noise")


def test_a_long_signal_keeps_its_peaks():
    x = torch.zeros(1, 100_000)
    x[0, 77_777] = 0.9
    ax = AudioTensor(x, sr=1000).show()
    assert ax.dataLim.ymax == pytest.approx(0.9)


def test_channels_stand_above_each_other():
    ax = AudioTensor(torch.rand(3, 100), sr=100).show()
    parts = ax.child_axes
    assert len(parts) == 3
    heights = [part.get_position().y0 for part in parts]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("mel", [True, False])
def test_a_tone_lies_at_its_frequency_right_side_up(mel):
    x = AudioToSpec(mel=mel)(_tone(2000))
    ax = show_spectrogram(x)
    picture = ax.images[0]
    assert picture.origin == "lower"
    row = int(np.asarray(picture.get_array()).mean(1).argmax())
    hz = {text.get_text(): y for text, y in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)}
    assert hz["2000"] == pytest.approx(row, abs=1)
    assert list(hz.values()) == sorted(hz.values())
    assert ax.get_xlim()[1] == pytest.approx(1.0, abs=0.04)


def test_colours_are_in_db_where_values_are():
    ax = AudioToSpec()(_tone(500)).show()
    bar = ax.child_axes[0]
    plt.gcf().canvas.draw()
    assert all(text.get_text().endswith(" dB") for text in bar.get_yticklabels())
    plain = AudioToSpec(to_db=False)(_tone(500)).show(colorbar=False)
    assert not plain.child_axes


def test_coefficients_have_no_hz():
    assert AudioToMFCC()(_tone(500)).show().get_ylabel() == "coefficient"


def test_what_is_no_single_clip_is_told():
    with pytest.raises(ValueError, match="an item of a batch"):
        show_audio_signal(AudioTensor(torch.zeros(2, 1, 5), sr=8000))
    with pytest.raises(ValueError, match="not empty"):
        show_audio_signal(AudioTensor(torch.zeros(1, 0), sr=8000))
    with pytest.raises(ValueError, match="an item of a batch"):
        show_spectrogram(AudioToSpec()(_tone(500))[None])


def test_core_finds_how_to_show_them():
    _, ax = plt.subplots()
    assert show(_tone(300, 0.1), ctx=ax) is ax


def test_wrong_answers_are_red():
    class Label(str):
        def show(self, ctx, color="black", **kwargs):
            ctx.set_title(f"{ctx.get_title()} {self}", color=color)
            return ctx

    clip = _tone(300, 0.1)
    samples = [(clip, Label("dog")), (clip, Label("cat"))]
    outs = [(Label("dog"),), (Label("dog"),)]
    y = TensorCategory(torch.tensor([0, 1]))
    axes = show_results(clip[None], y, samples, outs)
    assert [ax.title.get_color() for ax in axes] == ["green", "red"]
    assert axes[1].get_title().split() == ["cat", "dog"]
