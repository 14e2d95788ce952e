"""R9: the same seed gives the same bits, and what cannot be deterministic says so."""

import os

import pytest
import torch
from torch import nn

from layerwise.core.callback.mixup import MixUp
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.random import deterministic, set_seed


def losses(model, *, seed=1):
    set_seed(seed)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    x = torch.randn(64, 1, 8, 8)
    data = list(zip(x, (x.mean((1, 2, 3)) > 0).long(), strict=True))
    dls = DataLoaders(DataLoader(data, 16, shuffle=True), DataLoader(data[:16], 16))
    learn = Learner(dls, model, nn.CrossEntropyLoss(), cbs=MixUp())
    learn.logger = lambda row: None
    learn.fit(2)
    return learn.recorder.losses, [p.detach().clone() for p in learn.model.parameters()]


def convolutional():
    features = [nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.2)]
    return nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2])
def test_r9_the_same_seed_gives_the_same_bits(threads, count):
    threads(count)
    (first, weights), (second, again) = losses(convolutional()), losses(convolutional())
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
    assert losses(convolutional(), seed=2)[0] != first


def test_r9_training_is_the_same_among_deterministic_algorithms():
    with deterministic():
        first = losses(convolutional())[0]
        assert losses(convolutional())[0] == first


def test_r9_an_operation_without_a_deterministic_form_fails_loudly():
    class Puts(nn.Sequential):
        def forward(self, x):
            put = torch.zeros(1, device=x.device).put_(
                torch.tensor([0]), torch.ones(1), accumulate=False
            )
            return super().forward(x) * put

    model = Puts(nn.Flatten(), nn.Linear(64, 2))
    losses(model)
    with (
        deterministic(),
        pytest.raises(RuntimeError, match="put_ does not have a deterministic implementation"),
    ):
        losses(model)
    losses(model)
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_was_set_before_is_set_again(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with deterministic():
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
