"""Small learners whose parts have one weight each, and others that make pictures of noise."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from layerwise.core.data.block import DataBlock, TransformBlock
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.source import get_image_files
from layerwise.core.data.split import IndexSplitter
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.random import set_seed
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.augment.item import Resize
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.gan import (
    GANLearner,
    basic_critic,
    basic_generator,
    generate_noise,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from layerwise.vision.types import PILImageBW


@pytest.fixture
def make_small():
    """A function that makes a GANLearner of two linear layers, 8 batches of 2 an epoch."""

    def make(valid=False, opt_func=SGD, **settings):
        numbers = torch.Generator().manual_seed(0)
        data = [
            (torch.randn(1, generator=numbers), torch.randn(1, generator=numbers) + 3)
            for _ in range(16)
        ]
        set_seed(0)
        loaders = [DataLoader(data, bs=2), *([DataLoader(data[:4], bs=2)] if valid else [])]
        losses = wasserstein_generator_loss, wasserstein_critic_loss
        learn = GANLearner(
            DataLoaders(*loaders), nn.Linear(1, 1), nn.Linear(1, 1), *losses,
            opt_func=opt_func, lr=0.1, **settings,
        )  # fmt: skip
        learn.logger = lambda row: None
        return learn

    return make


@pytest.fixture(scope="session")
def drawings(tmp_path_factory):
    """A folder of 24 grey pictures of bright squares, 20 x 20."""
    folder = tmp_path_factory.mktemp("drawings")
    draw = np.random.default_rng(0)
    for i in range(24):
        pixels = np.zeros((20, 20), np.uint8)
        top, left = draw.integers(0, 12, 2)
        pixels[top : top + 8, left : left + 8] = 200
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def make_wgan(drawings, tmp_path):
    """A function that makes a small WGAN for pictures of 16 pixels a side."""

    def make(splitter=None, **settings):
        block = DataBlock(
            blocks=(TransformBlock, ImageBlock(PILImageBW)),
            get_x=generate_noise,
            get_items=get_image_files,
            splitter=splitter or IndexSplitter([]),
            item_tfms=Resize(16),
            batch_tfms=Normalize.from_stats([0.5], [0.5]),
        )
        dls = block.dataloaders(drawings, bs=4, num_workers=0, device="cpu")
        set_seed(0)
        leaky = partial(nn.LeakyReLU, negative_slope=0.2)
        critic_norm = {"norm_type": None} if settings.get("gp") else {}
        learn = GANLearner.wgan(
            dls,
            basic_generator(16, 1, n_features=8, n_extra_layers=1),
            basic_critic(16, 1, n_features=8, act_cls=leaky, **critic_norm),
            **{"opt_func": partial(Adam, mom=0.0), "path": tmp_path, **settings},
        )
        learn.logger = lambda row: None
        return learn

    return make
