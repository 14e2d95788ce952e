"""Equal seeds give equal weights, bit for bit: with any number of workers, in any process."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.core.data.block import DataBlock, RegressionBlock, TransformBlock
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.split import RandomSplitter
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import MSELossFlat
from layerwise.core.random import set_seed, uniform
from layerwise.core.train.callback import Callback
from layerwise.core.transforms.random import RandTransform


class Jitter(RandTransform):
    """Augmentation as it should be written: it draws from the keyed generator."""

    def before_call(self, b, split_idx):
        super().before_call(b, split_idx)
        self.by = uniform(-0.1, 0.1)

    def encodes(self, x: torch.Tensor):
        return x + self.by


def careless(number):
    """A reader as users write them: it draws from three global generators."""
    noise = random.random() + np.random.rand() + torch.rand(()).item()  # noqa: S311
    return torch.tensor([number, number**2, 0.01 * noise], dtype=torch.float32)


def tidy(number):
    """A reader that draws nothing, not even when the data are built."""
    return torch.tensor([number, number**2, 1.0], dtype=torch.float32)


def build_data(num_workers, reader=careless):
    block = DataBlock(
        (TransformBlock(type_tfms=reader), RegressionBlock()),
        get_y=lambda number: 3.0 * number,
        splitter=RandomSplitter(seed=1),
        item_tfms=Jitter(0.7),
    )
    numbers = [i / 40 for i in range(40)]
    return block.dataloaders(numbers, bs=8, num_workers=num_workers, device="cpu")


def build_model():
    return nn.Sequential(
        nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 1)
    )


def trained(num_workers=0, *, seed=42, seed_first=True, reader=careless, before=None):
    """The model after two epochs."""
    if seed_first:
        set_seed(seed)
    dls = build_data(num_workers, reader)
    if not seed_first:
        set_seed(seed)
    learn = Learner(dls, build_model(), MSELossFlat(), lr=0.05)
    learn.logger = lambda row: None
    if before is not None:
        before(learn)
    learn.fit_one_cycle(2)
    return learn


def digest(learn):
    """A number for all weights and buffers, to the last bit."""
    state = hashlib.sha256()
    for name, value in learn.model.state_dict().items():
        state.update(name.encode() + value.numpy().tobytes())
    return state.hexdigest()


@pytest.fixture(scope="module")
def expected():
    return digest(trained())


@pytest.mark.parametrize("num_workers", [1, 2])
def test_weights_are_bit_equal_for_any_number_of_workers(expected, num_workers):
    assert digest(trained(num_workers)) == expected


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_seed_may_be_set_before_or_after_the_data_are_built(num_workers):
    first, after = (trained(num_workers, seed_first=s, reader=tidy) for s in (True, False))
    assert digest(first) == digest(after)


def test_another_process_gets_the_same_weights(expected):
    here = Path(__file__)
    code = f"import sys; sys.path.insert(0, {str(here.parent)!r}); import {here.stem} as t; "
    threads = torch.get_num_threads()  # how sums are split decides their last bits
    code += f"t.torch.set_num_threads({threads}); print(t.digest(t.trained()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr[-2000:]


def test_another_seed_gets_other_weights(expected):
    assert digest(trained(seed=43)) != expected


def test_what_was_drawn_before_the_seed_does_not_matter(expected):
    for _ in range(3):
        random.random()  # noqa: S311
        np.random.rand()
        torch.rand(5)
    assert digest(trained()) == expected


def test_searching_a_learning_rate_in_between_does_not_matter(expected):
    assert (
        digest(trained(before=lambda learn: learn.lr_find(num_it=10, show_plot=False))) == expected
    )


def test_the_order_and_the_augmentation_change_from_epoch_to_epoch():
    dls = build_data(0)
    set_seed(0)
    learn = Learner(dls, build_model(), MSELossFlat())
    learn.logger = lambda row: None
    epochs: list[list[torch.Tensor]] = []
    learn.model.register_forward_pre_hook(
        lambda module, inputs: epochs[-1].append(inputs[0].clone()) if learn.training else None
    )
    learn.fit(2, cbs=Callback(before_epoch=lambda: epochs.append([])))
    first, second = (torch.cat(e) for e in epochs)
    assert not torch.equal(first, second)
    assert not torch.equal(first[first[:, 0].argsort()], second[second[:, 0].argsort()])


def test_the_user_s_own_draws_go_on_as_if_nothing_had_been_loaded():
    """Loading leaves Python's and numpy's alone; from torch's a fit draws its one seed."""
    random.seed(1)
    np.random.seed(1)
    expected_draws = random.Random(1).random(), np.random.RandomState(1).rand()  # noqa: S311
    data = [(careless(i), torch.zeros(1)) for i in range(8)]
    random.seed(1)
    np.random.seed(1)
    learn = Learner(DataLoaders(DataLoader(data, 4)), nn.Linear(3, 1), MSELossFlat())
    learn.logger = lambda row: None
    learn.fit(1)
    assert (random.random(), np.random.rand()) == expected_draws  # noqa: S311


def test_a_training_that_stopped_goes_on_with_the_data_of_its_epoch():
    """Order and augmentation depend on seed and epoch, so an epoch can be done alone."""

    def seen(start_epoch):
        set_seed(3)
        learn = Learner(build_data(0), build_model(), MSELossFlat())
        learn.logger = lambda row: None
        inputs: list[torch.Tensor] = []
        learn.model.register_forward_pre_hook(lambda m, given: inputs.append(given[0].clone()))
        set_seed(4)
        learn.fit(3, start_epoch=start_epoch)
        return inputs

    whole, last = seen(0), seen(2)
    assert all(torch.equal(a, b) for a, b in zip(whole[-len(last) :], last, strict=True))
