"""Networks sized for their data."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.nn import SizedCNN, cnn_for, sized_widths


@pytest.mark.parametrize(
    ("c_in", "size", "expected"),
    [
        (1, (28, 28), [8, 16, 32, 64]),  # a 3x3 window sees 9 numbers; 28, 14, 7, 4
        (3, (32, 32), [16, 32, 64, 128]),  # 27 numbers; 32, 16, 8, 4
        (2, (16,), [4, 8, 16]),  # 6 numbers; 16, 8, 4
        (1, (3, 3), [8]),
        (3, (224, 224), [16, 32, 64, 128, 256, 512, 512]),  # not wider than 512
        (100, (4, 4), [64]),  # 900 numbers, but not wider than 64 at full resolution
    ],
)
def test_widths_are_those_worked_out_by_hand(c_in, size, expected):
    assert sized_widths(c_in, size) == expected


@given(
    c_in=st.integers(1, 40),
    size=st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple),
    ks=st.sampled_from([1, 3, 5]),
)
def test_the_first_layer_never_has_more_filters_than_its_window_has_numbers(c_in, size, ks):
    widths = sized_widths(c_in, size, ks=ks)
    assert widths[0] <= c_in * ks ** len(size)
    assert all(b in (2 * a, 512) for a, b in pairwise(widths))


@settings(max_examples=15, deadline=None)
@given(
    c_in=st.integers(1, 4),
    c_out=st.integers(1, 5),
    size=st.lists(st.integers(1, 17), min_size=1, max_size=3).map(tuple),
)
def test_any_size_gives_one_row_of_outputs_an_item(c_in, c_out, size):
    model = SizedCNN(c_in, c_out, size).eval()
    assert model(torch.rand(2, c_in, *size)).shape == (2, c_out)


def test_the_last_map_is_small():
    maps = []
    model = SizedCNN(1, 10, (50, 20))
    model[-3].register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0].shape))
    model(torch.rand(2, 1, 50, 20))
    assert maps == [(2, 128, 4, 2)]


def test_a_network_is_made_for_loaders():
    dls = SimpleNamespace(one_batch=lambda: (torch.rand(4, 3, 16, 16), torch.zeros(4)), c=7)
    assert cnn_for(dls)(torch.rand(2, 3, 16, 16)).shape == (2, 7)
    assert cnn_for(dls, c_out=2, norm_type=None, act_cls=nn.SiLU)[-1].out_features == 2


def test_the_number_of_outputs_may_be_known_to_a_transform_of_samples():
    train = SimpleNamespace(after_item=SimpleNamespace(c=6))
    dls = SimpleNamespace(one_batch=lambda: (torch.rand(4, 3, 16, 16), 0), train=train)
    assert cnn_for(dls)[-1].out_features == 6


def test_loaders_that_do_not_fit_are_explained():
    flat = SimpleNamespace(one_batch=lambda: (torch.rand(4, 3),), c=7)
    with pytest.raises(ValueError, match=r"has shape \(4, 3\)"):
        cnn_for(flat)
    with pytest.raises(ValueError, match="pass it as c_out"):
        cnn_for(SimpleNamespace(one_batch=lambda: (torch.rand(4, 3, 8),)))


def test_impossible_settings_are_explained():
    with pytest.raises(ValueError, match="c_in has 0"):
        SizedCNN(0, 1, 8)
    with pytest.raises(ValueError, match="give 3 or 5"):
        SizedCNN(1, 1, 8, ks=4)
    with pytest.raises(ValueError, match="one to three"):
        SizedCNN(1, 1, (2, 2, 2, 2))


def test_it_learns_what_a_convolution_can_see():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(64, 1, 8, 8, generator=generator)
    y = torch.arange(64) % 2
    x[y == 1] = x[y == 1].cumsum(-1) / 4  # smooth rows against noise
    model = SizedCNN(1, 2, 8)
    opt = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(25):
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
    assert (model(x).argmax(1) == y).float().mean() > 0.95
