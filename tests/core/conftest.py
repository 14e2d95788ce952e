"""What tests of training share: a small learner over made-up numbers, and an ear for its events."""

import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import SGD
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import Event


def made_samples(count, width=3, seed=0):
    """Inputs (width,) and the target (1,): a line through them, so that training helps."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, width, generator=generator)
    targets = inputs @ torch.arange(1.0, width + 1)[:, None] + 0.5
    return list(zip(inputs, targets, strict=True))


@pytest.fixture
def samples():
    """A function that makes a list of (input, target)."""
    return made_samples


@pytest.fixture
def make_learner(tmp_path):
    """A function that makes a quiet learner: 32 training samples in 4 batches, 16 to validate."""

    def make(model=None, *, dls=None, seed=0, bs=8, n=32, n_valid=16, num_workers=0, **settings):
        torch.manual_seed(seed)
        if dls is None:
            train = DataLoader(made_samples(n), bs, shuffle=True, num_workers=num_workers)
            valid = DataLoader(made_samples(n_valid, seed=1), bs, num_workers=num_workers)
            dls = DataLoaders(train, valid)
        quiet = settings.pop("quiet", True)
        defaults = {"loss_func": nn.MSELoss(), "opt_func": SGD, "lr": 0.1, "path": tmp_path}
        learn = Learner(dls, model or nn.Linear(3, 1), **{**defaults, **settings})
        if quiet:
            learn.logger = lambda row: None
        return learn

    return make


class Ear(Callback):
    """Notes the events it hears, in the order in which they come."""

    def __init__(self):
        super().__init__()
        self.heard = []


def _noting(event):
    def note(self):
        self.heard.append(event.value)

    return note


for _event in Event:
    setattr(Ear, _event.value, _noting(_event))


@pytest.fixture
def ear():
    """A callback that notes every event in `heard`."""
    return Ear()
