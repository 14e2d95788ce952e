"""`layerwise train birds`: what the package adds to the command line."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.metrics.classification import accuracy

from layerwise_birds.blocks import SongBlock
from layerwise_birds.learner import song_learner
from layerwise_birds.songs import read_songs

__all__ = ["train"]


def train(data: Path, out: Path = Path("birds.lw"), epochs: int = 5, bs: int = 16) -> None:
    """Learn to tell birds by the songs of a table, and write the model to a file.

    Args:
        data: a CSV file, in each row a singer and the pitches of a song in kHz.
        out: the file of the model, for `load_learner`.
        epochs: how many times each song is heard.
        bs: songs in a batch.
    """
    block = DataBlock((SongBlock, CategoryBlock), getters=[ItemGetter(0), ItemGetter(1)])
    learn = song_learner(block.dataloaders(read_songs(data), bs=bs), metrics=accuracy)
    learn.fit_one_cycle(epochs)
    learn.export(out.resolve())
