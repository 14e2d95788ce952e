"""Spectrograms of one signal as channels."""

import pytest
import torch
import torch.nn.functional as F

from layerwise.audio.spectrum import AudioToMFCC, AudioToSpec, gives_spectrogram
from layerwise.audio.stack import StackSpec
from layerwise.audio.tones import create_sin_wave
from layerwise.audio.types import AudioTensor
from layerwise.core.transforms.transform import Transform

SHORT, LONG = AudioToSpec(n_fft=256), AudioToSpec(n_fft=1024)


def test_channels_are_the_spectrograms_at_the_size_of_the_first():
    x = create_sin_wave(seconds=0.5, channels=2)
    y = StackSpec([SHORT, LONG])(x)
    assert torch.equal(y[:2].as_plain(), SHORT(x).as_plain())
    expected = F.interpolate(LONG(x).as_plain()[None], y.shape[-2:], mode="bilinear")[0]
    torch.testing.assert_close(y[2:].as_plain(), expected)
    assert y.settings == SHORT(x).settings


def test_a_batch_is_its_items():
    x = torch.stack([create_sin_wave(f, seconds=0.5).as_plain() for f in (200, 2000)])
    batch = AudioTensor(x, sr=16000, lengths=torch.tensor([8000, 4000]))
    stack = StackSpec([LONG, SHORT, AudioToMFCC(n_mfcc=20, n_fft=256)])
    y = stack(batch)
    assert y.shape[:2] == (2, 3)
    torch.testing.assert_close(y.as_plain()[1], stack(AudioTensor(x[1], sr=16000)).as_plain())
    assert torch.equal(y.lengths, LONG(batch).lengths)


def test_it_counts_as_making_spectrograms():
    assert gives_spectrogram(StackSpec([SHORT]))


def test_what_makes_none_is_refused():
    with pytest.raises(ValueError, match="one transform at least"):
        StackSpec([])
    with pytest.raises(ValueError, match="give transforms such as AudioToSpec"):
        StackSpec([SHORT, Transform(lambda x: x)])(create_sin_wave())
