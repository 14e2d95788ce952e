"""Embeddings."""

import pytest
import torch

from layerwise.core.nn import Embedding


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
