"""The set of augmentations that is good to begin with."""

import pytest
import torch

from layerwise.audio.augment import audio_aug_transforms
from layerwise.audio.spectrum import AudioToSpec
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed
from layerwise.core.transforms.pipeline import Pipeline


def names(**settings):
    return [each.name for each in audio_aug_transforms(**settings)]


def test_settings_choose_what_is_in_it():
    assert names(max_shift=0, max_gain=0, max_noise=0) == ["MaskFreq", "MaskTime"]
    assert names(spectrograms=False) == ["SignalShifter", "Volume", "AddNoise"]
    assert "PitchShiftOrTimeStretch" in names(max_semitones=2)
    assert "PitchShiftOrTimeStretch" in names(max_stretch=0.1)
    wrong = {"max_nois": 1}
    with pytest.raises(TypeError, match="Did you mean 'max_noise'"):
        audio_aug_transforms(**wrong)


def test_a_pipeline_puts_them_around_the_spectrogram():
    pipeline = Pipeline([AudioToSpec(n_fft=256), *audio_aug_transforms()], split_idx=0)
    order = [step.name for step in pipeline]
    assert order == ["SignalShifter", "Volume", "AddNoise", "AudioToSpec", "MaskFreq", "MaskTime"]
    x = AudioTensor(torch.randn(4, 1, 4000) * 0.1, sr=8000)
    with keyed(0):
        y = pipeline(x)
    assert isinstance(y, AudioSpectrogram)
    assert y.shape == AudioToSpec(n_fft=256)(x).shape


def test_validation_gets_the_spectrogram_alone():
    make = AudioToSpec(n_fft=256)
    x = AudioTensor(torch.randn(4, 1, 4000) * 0.1, sr=8000)
    found = Pipeline([make, *audio_aug_transforms(max_semitones=2)], split_idx=1)(x)
    assert torch.equal(found.as_plain(), make(x).as_plain())


def test_the_multiplier_strengthens():
    shifter, volume = audio_aug_transforms(mult=2)[:2]
    assert (shifter.max_pct, volume.gain) == (0.2, (-12.0, 12.0))
    masks = audio_aug_transforms(mult=100)[-2:]
    assert [each.size for each in masks] == [(0.0, 1.0)] * 2
