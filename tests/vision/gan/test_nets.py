"""Shapes of the nets, where norms are, and that each is made again from its description."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from layerwise.core.described import to_description
from layerwise.core.nn.norm import NormType
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS
from layerwise.vision.gan import (
    AddChannels,
    DenseResBlock,
    basic_critic,
    basic_generator,
    gan_critic,
)


@settings(deadline=None, max_examples=12)
@given(
    doublings=st.integers(1, 4),
    channels=st.integers(1, 4),
    extra=st.integers(0, 2),
    noise=st.integers(1, 9),
)
def test_generator_and_critic_fit_each_other(doublings, channels, extra, noise):
    size = 4 * 2**doublings
    generator = basic_generator(size, channels, noise, n_features=4, n_extra_layers=extra)
    critic = basic_critic(size, channels, n_features=4, n_extra_layers=extra)
    pictures = generator(torch.randn(2, noise))
    assert pictures.shape == (2, channels, size, size)
    assert pictures.abs().max() <= 1
    assert critic(pictures).shape == (2, 1)


def convolutions(model):
    return [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


def norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def test_the_widths_are_those_of_the_paper():
    critic, generator = basic_critic(64, 3), basic_generator(64, 3)
    assert [c.out_channels for c in convolutions(critic)] == [64, 128, 256, 512, 1]
    assert [c.out_channels for c in convolutions(generator)] == [512, 256, 128, 64, 3]


def test_the_outer_layers_have_no_batch_norm():
    assert len(norms(basic_critic(32, 3))) == len(convolutions(basic_critic(32, 3))) - 2
    generator = basic_generator(32, 3, n_extra_layers=1)
    assert len(norms(generator)) == len(convolutions(generator)) - 1


def test_spectral_norm_is_in_all_layers_of_a_critic():
    for critic in (basic_critic(32, 3, norm_type=NormType.Spectral), gan_critic(3, 8, 1)):
        assert not norms(critic)
        assert all(is_parametrized(c, "weight") for c in convolutions(critic))
        critic.train()
        for _ in range(30):
            critic(torch.rand(2, 3, 32, 32))
        last = convolutions(critic)[-1].weight.flatten(1)
        assert torch.linalg.matrix_norm(last, 2).item() == pytest.approx(1, abs=1e-3)


def test_settings_of_layers_reach_each_of_them():
    leaky = partial(nn.LeakyReLU, negative_slope=0.2)
    critic = basic_critic(32, 3, n_extra_layers=1, act_cls=leaky)
    slopes = [m.negative_slope for m in critic.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 4
    assert not any(isinstance(m, nn.ReLU) for m in critic.modules())


def test_an_unknown_setting_is_refused_by_its_nearest_name():
    with pytest.raises(TypeError, match="Did you mean 'act_cls'"):
        basic_critic(32, 3, act_clss=nn.ReLU)  # type: ignore[call-arg]  # on purpose


@pytest.mark.parametrize("size", [4, 28, 48, 0])
def test_sides_that_are_not_doubled_from_four_are_refused(size):
    with pytest.raises(ValueError, match=f"in_size={size}; .* give 8, 16, 32, 64"):
        basic_critic(size, 3)
    with pytest.raises(ValueError, match=f"out_size={size}; .* give 8, 16, 32, 64"):
        basic_generator(size, 3)


def test_a_dense_block_keeps_its_input_behind_what_it_adds():
    x = torch.rand(2, 4, 5, 5)
    block = DenseResBlock(4)
    assert torch.equal(block(x)[:, 4:], x)
    assert (block(x)[:, :4] >= 0).all()


def test_add_channels_leaves_the_values():
    x = torch.rand(2, 3)
    assert torch.equal(AddChannels(3)(x).flatten(1), x)


@pytest.mark.parametrize(("side", "parts"), [(64, 1), (96, 9), (128, 25)])
def test_gan_critic_gives_a_number_for_each_part(side, parts):
    assert gan_critic(3, nf=4, n_blocks=3)(torch.rand(2, 3, side, side)).shape == (2, parts)


NETS = {
    "critic": partial(basic_critic, 16, 1, 4, act_cls=partial(nn.LeakyReLU, negative_slope=0.2)),
    "spectral critic": partial(basic_critic, 16, 1, 4, norm_type=NormType.Spectral),
    "generator": partial(basic_generator, 16, 1, 5, n_features=4, n_extra_layers=1),
    "gan critic": partial(gan_critic, 1, 4, 1),
}


@pytest.mark.parametrize("name", NETS)
def test_each_net_is_made_again_from_its_description(name):
    net = NETS[name]().eval()
    plain = to_description(net, {}, name)
    again = from_description(plain, {}, KINDS | {"torch"}).eval()
    again.load_state_dict(net.state_dict())
    side = 32 if name == "gan critic" else 16
    x = torch.rand(2, 5) if name == "generator" else torch.rand(2, 1, side, side)
    assert torch.equal(again(x), net(x))
