"""Embeddings."""

import pytest
import torch

from layerwise.core.nn import Embedding, emb_sz_rule


@pytest.mark.parametrize("std", [0.01, 0.5])
def test_rows_start_within_two_widths_of_zero(std):
    layer = Embedding(200, 50, std=std)
    assert layer.weight.shape == (200, 50)
    assert layer.weight.abs().max() <= 2 * std
    # A normal distribution taken modulo two has a variance of about 0.79 times the square.
    assert layer.weight.std().item() == pytest.approx(0.88 * std, rel=0.1)
    assert layer.weight.requires_grad


def test_it_looks_rows_up():
    layer = Embedding(4, 3)
    assert torch.equal(layer(torch.tensor([2]))[0], layer.weight[2])


@pytest.mark.parametrize(
    ("n_cat", "width"),
    # 1.6 * n ** 0.56 with logarithms by hand: 10 -> 1.6 * 3.6308, 100 -> 1.6 * 13.1826.
    [(1, 2), (2, 2), (10, 6), (100, 21), (39_320, 599), (39_600, 600), (10**9, 600)],
)
def test_the_width_grows_a_little_faster_than_the_square_root(n_cat, width):
    assert emb_sz_rule(n_cat) == width


def test_no_class_has_no_width():
    with pytest.raises(ValueError, match="for 0 classes; give 1 or more"):
        emb_sz_rule(0)
