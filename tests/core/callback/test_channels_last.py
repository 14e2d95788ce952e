import pytest
import torch
from torch import nn

from layerwise.core.callback.channels_last import ChannelsLast
from layerwise.core.callback.precision import AMPMode, MixedPrecision
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.train.callback import Callback


def picture_learner(cbs=()):
    torch.manual_seed(0)
    data = [(torch.randn(3, 8, 8), torch.randn(2)) for _ in range(16)]
    dls = DataLoaders(DataLoader(data, 8), DataLoader(data, 8))
    # Without a bias before batch norm, whose gradient would be nothing but rounding.
    layers = [nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 2))
    learn = Learner(dls, model, nn.MSELoss(), lr=0.01, cbs=cbs)
    learn.logger = lambda row: None
    return learn


def is_last(x):
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def test_model_and_batches_are_laid_out():
    seen = []

    class Look(Callback):
        order = 1

        def before_batch(self):
            seen.append(is_last(self.learn.x))

    learn = picture_learner([ChannelsLast(), Look()])
    learn.fit(1)
    assert seen == [True] * 4
    assert is_last(learn.model[0].weight)
    assert learn.model[4].weight.is_contiguous()


def test_numbers_stay_the_same():
    plain, last = picture_learner(), picture_learner().to_channelslast()
    for learn in (plain, last):
        torch.manual_seed(3)
        learn.fit(2)
    for one, other in zip(plain.model.parameters(), last.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_there_and_back():
    learn = picture_learner().to_channelslast().to_channelslast()
    assert sum(isinstance(cb, ChannelsLast) for cb in learn.cbs) == 1
    learn.fit(1)
    learn.to_contiguous()
    assert learn.model[0].weight.is_contiguous()
    learn.fit(1)  # the optimizer follows
    assert learn.model[0].weight.is_contiguous()


@pytest.mark.parametrize("mode", ["fp16", AMPMode.BF16])
def test_half_precision_comes_if_asked_for(mode):
    learn = picture_learner().to_channelslast(use_amp=True, amp_mode=mode)
    assert learn.mixed_precision.amp_mode == mode
    learn.to_contiguous(to_fp32=True)
    assert not any(isinstance(cb, ChannelsLast | MixedPrecision) for cb in learn.cbs)
