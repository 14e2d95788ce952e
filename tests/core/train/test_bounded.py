"""What a description may ask for while a model is made of it."""

import time

import pytest
import torch
from torch import nn

from layerwise.core.errors import ConfigError
from layerwise.core.rebuilt import from_description
from layerwise.core.train.bounded import Bounded

TORCH = frozenset({"torch"})


def made(description, weights):
    with Bounded(weights):
        return from_description(description, {}, TORCH)


def test_a_model_that_its_weights_explain_is_made():
    layer = nn.Linear(3000, 3000)
    description = {"$type": "torch:nn.Linear", "in_features": 3000, "out_features": 3000}
    assert made(description, layer.state_dict()).weight.shape == (3000, 3000)


@pytest.mark.parametrize(
    "description",
    [
        {"$type": "torch:nn.Linear", "in_features": 10**5, "out_features": 10**5},
        {"$type": "torch:nn.Embedding", "num_embeddings": 10**9, "embedding_dim": 1},
        {"$type": "torch:nn.Conv2d", "in_channels": 4096, "out_channels": 4096, "kernel_size": 99},
        {"$type": "torch:nn.LSTM", "input_size": 1, "hidden_size": 1, "num_layers": 10**9},
    ],
    ids=["linear", "embedding", "convolution", "layers"],
)
def test_a_model_that_its_weights_do_not_explain_is_refused_at_once(description):
    start = time.monotonic()
    with pytest.raises(ConfigError, match=r"do not explain|more layers"):
        made(description, {"weight": torch.zeros(10)})
    assert time.monotonic() - start < 20


def test_initialisation_in_float64_or_by_steps_is_no_excess():
    with Bounded({"weight": torch.zeros(512, 512)}):
        nn.init.orthogonal_(torch.empty(512, 512))
        torch.arange(1000)
