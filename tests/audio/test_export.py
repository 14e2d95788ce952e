"""Learners of sounds as files: what they predict is the same after loading."""

import pytest
import torch

from layerwise.audio.augment.masking import MaskTime
from layerwise.audio.augment.noise import AddNoise
from layerwise.audio.config import AudioConfig
from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.learner import audio_learner
from layerwise.audio.mix import AudioMixUp
from layerwise.audio.models.crnn import CRNN
from layerwise.audio.models.m5 import M5
from layerwise.audio.models.resnet import AudioResNet
from layerwise.audio.types import AudioTensor
from layerwise.core.learner import Learner
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner

COARSE = AudioConfig.BasicMelSpectrogram(n_fft=512, n_mels=32)
SMALL = {"widths": (8, 16), "blocks": (1, 1)}


def check_that_it_loads(learn: Learner, tones, tmp_path) -> Learner:
    """The learner after a round through a file; an error where it predicts something else."""
    file = tones / "valid" / "high" / "high_2.wav"
    given = [file, str(file), file.read_bytes(), AudioTensor.create(file)]
    loaded = load_learner(learn.export(tmp_path / "sounds.lw"))
    for each in given:
        label, index, probabilities = learn.predict(each)
        again, same_index, same = loaded.predict(each)
        assert (again, same_index) == (label, index)
        torch.testing.assert_close(same, probabilities)
        torch.testing.assert_close(same, loaded.predict(file)[2])
    files = sorted((tones / "valid").rglob("*.wav"))  # of several lengths: a padded batch
    found = zip(learn.predict(files), loaded.predict(files), strict=True)
    for (label, _, probabilities), (again, _, same) in found:
        assert again == label
        torch.testing.assert_close(same, probabilities)
        assert torch.isfinite(same).all()
    return loaded


def trained(tones, arch, spectrogram, config=None, cbs=None, **settings) -> Learner:
    set_seed(0)
    dls = AudioDataLoaders.from_folder(tones, bs=8, spectrogram=spectrogram, **settings)
    learn = audio_learner(dls, arch, config=config)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-2, cbs=cbs)
    return learn


@pytest.mark.parametrize(
    ("arch", "config"), [(AudioResNet, SMALL), (CRNN, {"widths": (8, 8), "hidden": 8})]
)
def test_models_that_take_lengths(tones, tmp_path, arch, config):
    check_that_it_loads(trained(tones, arch, COARSE, config), tones, tmp_path)


def test_a_model_on_waveforms(tones, tmp_path):
    check_that_it_loads(trained(tones, M5, None, {"width": 8}), tones, tmp_path)


def test_augmentation_and_mixtures_are_for_training_alone(tones, tmp_path):
    steps = [AddNoise(0.5), MaskTime(2, 3)]
    learn = trained(tones, AudioResNet, COARSE, SMALL, AudioMixUp(), batch_tfms=steps)
    check_that_it_loads(learn, tones, tmp_path)


def test_an_architecture_for_pictures(tones, tmp_path):
    pytest.importorskip("layerwise.vision.learner")
    check_that_it_loads(trained(tones, "vision/xresnet18", COARSE), tones, tmp_path)
