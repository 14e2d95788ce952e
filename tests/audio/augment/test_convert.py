"""One rate and one channel."""

import pytest
import torch
from scipy import signal

from layerwise.audio.augment import DownmixMono, Resample, auto_batch
from layerwise.audio.tones import create_sin_wave
from layerwise.audio.types import AudioTensor


def test_the_mean_of_channels_of_items_and_batches():
    x = torch.randn(3, 2, 10)
    batch = DownmixMono()(AudioTensor(x, sr=8000))
    item = DownmixMono()(AudioTensor(x[1], sr=8000))
    torch.testing.assert_close(batch.as_plain(), x.mean(1, keepdim=True))
    assert torch.equal(item.as_plain(), batch.as_plain()[1])
    assert (batch.sr, item.sr) == (8000, 8000)


def test_one_channel_stays_as_it_is():
    x = AudioTensor(torch.randn(1, 4), sr=8000)
    assert DownmixMono()(x) is x


def test_another_rate_is_the_same_tone():
    found = Resample(8000)(create_sin_wave(440, 44100, 1.0, channels=2))
    expected = create_sin_wave(440, 8000, 1.0, channels=2)
    assert found.sr == 8000
    torch.testing.assert_close(
        found.as_plain()[:, 500:-500], expected.as_plain()[:, 500:-500], atol=1e-4, rtol=0
    )
    by_scipy = signal.resample_poly(create_sin_wave(440, 16000, 1.0)[0].numpy(), 1, 2)
    ours = Resample(8000)(create_sin_wave(440, 16000, 1.0))[0].numpy()
    assert abs(by_scipy - ours)[500:-500].max() < 2e-3


def test_lengths_follow_the_rate():
    x = AudioTensor(torch.zeros(2, 1, 100), sr=3000, lengths=torch.tensor([100, 50]))
    y = Resample(1000)(x)
    assert y.lengths.tolist() == [34, 17]
    assert y.shape[-1] == 34


def test_the_same_rate_is_left_alone():
    x = create_sin_wave()
    assert Resample(16000)(x) is x


def test_gradients_pass_through():
    x = torch.randn(1, 100, requires_grad=True)
    Resample(4000)(AudioTensor(x, sr=8000)).sum().backward()
    assert x.grad is not None
    assert x.grad.any()


def test_a_rate_that_is_none():
    with pytest.raises(ValueError, match="sr_new=0"):
        Resample(0)


def test_a_function_of_batches_takes_items():
    @auto_batch(2)
    def by_peak(x, share):
        return x / x.abs().amax((1, 2), keepdim=True) * share

    x = AudioTensor(torch.randn(3, 1, 7), sr=8000)
    whole = by_peak(x, share=0.5)
    assert torch.equal(by_peak(x[2], 0.5), whole[2])
    assert (type(whole), whole.sr) == (AudioTensor, 8000)
    assert type(by_peak(torch.ones(1, 2), 1.0)) is torch.Tensor
    with pytest.raises(ValueError, match="by_peak got a tensor of shape"):
        by_peak(torch.ones(2), 1.0)


def test_tones_above_half_the_rate_are_refused():
    with pytest.raises(ValueError, match="between 0 and 4000 Hz"):
        create_sin_wave(4000, 8000)
