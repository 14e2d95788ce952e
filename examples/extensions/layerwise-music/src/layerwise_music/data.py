"""`MusicDataLoaders`: loaders for language models of music, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from layerwise.core.data.block import DataBlock
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.errors import DataError
from layerwise.core.types import PathLike

from layerwise_music.blocks import MusicBlock
from layerwise_music.reading import get_music_files, read_scores
from layerwise_music.score import Score

__all__ = ["MusicDataLoaders"]


class MusicDataLoaders(DataLoaders):
    """Loaders for scores.

    All methods take besides: `steps` of a quarter, the grid of time; `seq_len`, tokens of a row in
    a batch; `transpose`, half tones up or down by which tunes are moved in training at most; and
    `kwargs`, settings of `MusicDataLoader` (`bs`, `val_bs`, ...).
    """

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        train: str = "train",
        valid: str = "valid",
        valid_pct: float | None = None,
        seed: int | None = None,
        steps: int = 12,
        seq_len: int = 128,
        transpose: int = 0,
        on_bad: str = "raise",
        **kwargs: Any,
    ) -> DataLoaders:
        """From files of music below folders for training and validation.

        Args:
            path: where the folders are.
            train: name of the folder for training.
            valid: name of the folder for validation.
            valid_pct: a random share of all scores below `path` validates instead.
            seed: decides that share.
            steps: see the class.
            seq_len: see the class.
            transpose: see the class.
            on_bad: see `read_scores`.
            kwargs: see the class.

        Raises:
            DataError: if there is no music where it should be; or for a file that cannot be read.
        """
        settings = {"steps": steps, "seq_len": seq_len, "transpose": transpose, **kwargs}
        if valid_pct is not None:
            scores = _scores(get_music_files(path), steps, on_bad, str(path))
            return cls.from_scores(
                scores, valid_pct=valid_pct, seed=seed, path=Path(path), **settings
            )
        first, second = (
            _scores(get_music_files(Path(path) / name), steps, on_bad, str(Path(path) / name))
            for name in (train, valid)
        )
        return cls.from_scores(first, second, path=Path(path), **settings)

    @classmethod
    def from_files(
        cls,
        files: Iterable[PathLike],
        valid_pct: float = 0.1,
        seed: int | None = None,
        path: PathLike = ".",
        steps: int = 12,
        seq_len: int = 128,
        transpose: int = 0,
        on_bad: str = "raise",
        **kwargs: Any,
    ) -> DataLoaders:
        """From files of music; a random share of their scores validates.

        Args:
            files: the files.
            valid_pct: that share.
            seed: decides it.
            path: where what belongs to the task is written.
            steps: see the class.
            seq_len: see the class.
            transpose: see the class.
            on_bad: see `read_scores`.
            kwargs: see the class.

        Raises:
            DataError: if there is no music in them, or one cannot be read.
        """
        scores = _scores(files, steps, on_bad, "these files")
        return cls.from_scores(
            scores, None, valid_pct, seed, path, steps, seq_len, transpose, **kwargs
        )

    @classmethod
    def from_scores(
        cls,
        scores: Sequence[Score],
        valid_scores: Sequence[Score] | None = None,
        valid_pct: float = 0.1,
        seed: int | None = None,
        path: PathLike = ".",
        steps: int = 12,
        seq_len: int = 128,
        transpose: int = 0,
        **kwargs: Any,
    ) -> DataLoaders:
        """From scores in memory.

        Args:
            scores: for training; for both, where there are no others.
            valid_scores: for validation; a random share of `scores` when None.
            valid_pct: that share.
            seed: decides it.
            path: where what belongs to the task is written.
            steps: see the class.
            seq_len: see the class.
            transpose: see the class.
            kwargs: see the class.
        """
        items = [*scores, *(valid_scores or ())]
        splitter = (
            RandomSplitter(valid_pct, seed=seed)
            if valid_scores is None
            else IndexSplitter(range(len(scores), len(items)))
        )
        block = DataBlock(MusicBlock(steps, seq_len, transpose), splitter=splitter)
        return cls.from_dblock(block, items, path=Path(path), **kwargs)


def _scores(files: Iterable[PathLike], steps: int, on_bad: str, place: str) -> list[Score]:
    found = read_scores(files, steps, on_bad=on_bad)
    if not found:
        raise DataError(
            f"there is no music in {place}; files with the endings .abc, .csv, .mid and .midi are "
            "read. Say where they are: train= and valid=, or let a share validate, valid_pct="
        )
    return found
