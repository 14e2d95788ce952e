"""`layerwise train birds`: a learner made of what a command line says."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import RandomSplitter
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy

from layerwise_birds.blocks import SongBlock
from layerwise_birds.learner import song_learner
from layerwise_birds.songs import read_songs

__all__ = ["birds_training"]


def birds_training(data: Path, *, valid_pct: float = 0.2, bs: int = 16, seed: int = 42) -> Learner:
    """Learn to tell birds by the songs of a table.

    Args:
        data: a CSV file, in each row a singer and the pitches of a song in kHz.
        valid_pct: share of the songs that validates.
        bs: songs in a batch.
        seed: of that share.
    """
    block = DataBlock(
        (SongBlock, CategoryBlock),
        getters=[ItemGetter(0), ItemGetter(1)],
        splitter=RandomSplitter(valid_pct, seed),
    )
    return song_learner(block.dataloaders(read_songs(data), bs=bs), metrics=accuracy)
