"""Small learners of no domain that a server can be made of."""

import pytest
import torch

from layerwise.core.data.block import DataBlock, TransformBlock
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.transforms.transform import Transform


def share_of_zeros(content: bytes) -> torch.Tensor:
    """(1,) how many of the bytes are 0, for contents of files."""
    if content == b"broken":
        raise ValueError("this is broken")
    return torch.tensor([content.count(0) / len(content)])


class WordCount(Transform):
    """A text to the number of its words."""

    takes_text = True

    def encodes(self, o: str) -> torch.Tensor:
        return torch.tensor([float(len(o.split()))])


class Doubled(torch.nn.Module):
    """Twice what comes in; waits for an event if it has one, and may fail."""

    event = None
    fails = False

    def forward(self, x):
        if self.fails:
            raise RuntimeError("a secret of the server")
        if self.event is not None:
            self.event.wait(30)
        return 2 * x


def made(step, items) -> Learner:
    block = DataBlock(
        (TransformBlock(type_tfms=step), TransformBlock(type_tfms=lambda o: torch.tensor([1.0]))),
    )
    dls: DataLoaders = block.dataloaders(items, bs=2)
    return Learner(dls, Doubled(), torch.nn.MSELoss())


@pytest.fixture
def files() -> Learner:
    return made(share_of_zeros, [b"\0a", b"\0bc", b"d", b"\0"] * 2)


@pytest.fixture
def texts() -> Learner:
    return made(WordCount(), ["a", "b c"] * 4)
