"""Drawn scenes: dark discs and bright boxes on grey, with where they are."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from layerwise.core.data.block import DataBlock
from layerwise.core.data.split import IndexSplitter
from layerwise.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock


def drawn(count, side, seed=0):
    """Arrays (side, side, 3), and boxes and labels of each."""
    draws = np.random.default_rng(seed)
    pictures, boxes, labels = [], [], []
    for _ in range(count):
        picture = Image.fromarray(draws.integers(110, 140, (side, side, 3), dtype=np.uint8))
        pen = ImageDraw.Draw(picture)
        here = []
        for half in (0, side // 2)[: draws.integers(1, 3)]:  # one in each half: none hides another
            size = int(draws.integers(side // 4, side // 2 - 2))
            x = half + int(draws.integers(0, side // 2 - size))
            y = int(draws.integers(0, side - size))
            bright = bool(draws.integers(2))
            if bright:
                pen.rectangle((x, y, x + size, y + size), fill=(255, 230, 200))
            else:
                pen.ellipse((x, y, x + size, y + size), fill=(20, 20, 60))
            here.append(([x, y, x + size + 1, y + size + 1], "box" if bright else "disc"))
        pictures.append(np.asarray(picture))
        boxes.append([box for box, _ in here])
        labels.append([label for _, label in here])
    return pictures, boxes, labels


@pytest.fixture(scope="session")
def scenes():
    """A function from a number of scenes and their size to loaders; the last sixth validates."""

    def make(count=12, side=48, bs=4, **settings):
        block = DataBlock.from_columns(
            blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
            n_inp=1,
            splitter=IndexSplitter(range(count - count // 6, count)),
            **settings,
        )
        return block.dataloaders(drawn(count, side), bs=bs, num_workers=0, device="cpu")

    return make
