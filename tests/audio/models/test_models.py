"""Models of sound: any size, filling that does not count, training, gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.audio.models.crnn import CRNN
from layerwise.audio.models.m5 import M5
from layerwise.audio.models.masked import mask_time, masked_max, masked_mean, split_lengths
from layerwise.audio.models.resnet import AudioResNet, audio_resnet


def _resnet() -> nn.Module:
    return AudioResNet(3, widths=(4, 8, 8), blocks=(1, 2, 1))


def _crnn() -> nn.Module:
    return CRNN(3, widths=(4, 4, 8), hidden=6)


def _m5() -> nn.Module:
    return M5(3, width=4)


MAKERS = {"resnet": _resnet, "crnn": _crnn, "m5": _m5}


def _used(name: str) -> nn.Module:
    """A model whose norm layers have seen something, so that zeros do not stay zeros."""
    torch.manual_seed(0)
    model = MAKERS[name]()
    with torch.no_grad():
        for _ in range(3):
            model(_items(name, 4, 4000 if name == "m5" else 40) + 0.7)
    return model.eval()


def _items(name: str, count: int, size: int) -> torch.Tensor:
    return torch.randn(count, 1, size) if name == "m5" else torch.randn(count, 1, 20, size)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4), extra=st.integers(0, 9))
def test_a_clip_alone_and_in_a_padded_batch_gives_the_same_prediction(name, sizes, extra):
    model = _used(name)
    if name == "m5":
        sizes = [size * 97 for size in sizes]
    clips = [_items(name, 1, size) for size in sizes]
    longest = max(sizes) + extra * (50 if name == "m5" else 1)
    # Zeros are what filling is made of in front of a waveform; spectrograms have anything there.
    fill = 0.0 if name == "m5" else -9.0
    batch = torch.cat([nn.functional.pad(c, (0, longest - c.shape[-1]), value=fill) for c in clips])
    with torch.no_grad():
        together = model((batch, torch.tensor(sizes)))
        alone = torch.cat([model(clip) for clip in clips])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet", "crnn"])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (128, 1), (40, 157)])
def test_spectrograms_may_have_any_size(name, size):
    out = MAKERS[name]().eval()(torch.randn(2, 1, *size))
    assert out.shape == (2, 3)
    assert out.isfinite().all()


@pytest.mark.parametrize("name", MAKERS)
def test_every_parameter_gets_a_gradient(name):
    model = MAKERS[name]()
    size = 6000 if name == "m5" else 40
    model((_items(name, 3, size), torch.tensor([size, size - 7, size // 2]))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", MAKERS)
def test_models_learn_which_of_two_sounds_it_is(name):
    torch.manual_seed(1)
    model, size = MAKERS[name](), 3000 if name == "m5" else 24
    y = torch.arange(16) % 3
    x = 0.3 * _items(name, 16, size) + y.view(-1, *[1] * (2 if name == "m5" else 3)).float()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_m5_fills_up_what_is_shorter_than_its_windows():
    model = M5(3, width=4).eval()
    assert model.shortest == 1772
    short = torch.randn(1, 1, 500)
    filled = nn.functional.pad(short, (0, 1772 - 500))
    torch.testing.assert_close(model(short), model(filled))


def test_m5_has_as_many_weights_as_in_the_paper():
    # Dai et al. (2016), table 1: M5 has 0.5 million parameters, of its convolutions.
    convolutions = [p for p in M5(10).parameters() if p.ndim == 3]
    assert sum(p.numel() for p in convolutions) == 128 * 80 + 3 * (
        128 * 128 + 128 * 256 + 256 * 512
    )


def test_pooling_leaves_out_the_filling():
    x = torch.tensor([[[1.0, 5.0, 9.0]], [[-4.0, -2.0, 3.0]]])
    lengths = torch.tensor([2, 1])
    assert masked_mean(x, lengths).tolist() == [[3.0], [-4.0]]
    assert masked_max(x, lengths).tolist() == [[5.0], [-4.0]]
    assert mask_time(x, lengths).tolist() == [[[1.0, 5.0, 0.0]], [[-4.0, 0.0, 0.0]]]
    assert torch.equal(masked_mean(x, None), x.mean(-1))


def test_as_many_lengths_as_items_are_asked_for():
    with pytest.raises(ValueError, match="for 2 items; give one for each"):
        split_lengths((torch.zeros(2, 1, 8), torch.tensor([8])))


def test_groups_have_a_width_and_a_number_of_blocks():
    with pytest.raises(ValueError, match="3 widths and 2 numbers of blocks"):
        AudioResNet(2, widths=(4, 8, 8), blocks=(1, 1))


def test_the_usual_net_takes_several_channels():
    assert audio_resnet(4, n_in=3).eval()(torch.zeros(1, 3, 40, 30)).shape == (1, 4)
