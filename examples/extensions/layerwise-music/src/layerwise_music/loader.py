"""`MusicDataLoader`: batches for a language model of music, each tune in a key of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from layerwise.core.random import generator
from layerwise.text.corpus import Corpus
from layerwise.text.lm_loader import LMDataLoader
from torch import Tensor

from layerwise_music.tokens import FIRST_NOTE
from layerwise_music.types import TensorMusic

__all__ = ["MusicDataLoader", "transpose_documents"]

# N: tokens of all documents. D: documents.

_PITCHES = 128


class MusicDataLoader(LMDataLoader):
    """An `LMDataLoader` whose batches show as notes, and which transposes tunes in training.

    Each tune is moved by a number of half tones, drawn anew for each epoch from its key: all
    batches of an epoch, in any worker, see it in the same key.

    Args:
        dataset: token numbers by `music_vocab`, a document each.
        bs: streams that are read at once.
        seq_len: tokens of each in a batch.
        transpose: half tones up or down at most, on the training split alone; 0 for none.
        kwargs: the other arguments of `LMDataLoader`.

    Example:
        >>> dl = MusicDataLoader([torch.arange(60, 73)], bs=1, seq_len=4)
        >>> x, y = dl.one_batch()
        >>> x.tolist(), y.tolist(), type(x).__name__
        ([[60, 61, 62, 63]], [[61, 62, 63, 64]], 'TensorMusic')
    """

    def __init__(
        self, dataset: Any, bs: int = 32, seq_len: int = 128, *, transpose: int = 0, **kwargs: Any
    ) -> None:
        if transpose < 0:
            raise ValueError(
                f"transpose={transpose}; give half tones up or down at most, 0 or more"
            )
        self.transpose = transpose
        super().__init__(dataset, bs=bs, seq_len=seq_len, **kwargs)

    def arrange(self, corpus: Corpus) -> Corpus:
        """The tunes as one epoch reads them: in an order and in keys of its own."""
        arranged = super().arrange(corpus)
        if not self.transpose or getattr(self.dataset, "split_idx", None) != 0:
            return arranged
        most = self.transpose
        by = torch.randint(-most, most + 1, (len(arranged),), generator=generator())
        return transpose_documents(arranged, by)

    def create_batches(self, samps: Iterable[Any]) -> Iterator[Any]:
        """The pieces `samps` and what comes next in each, (B, T) both."""
        for x, y in super().create_batches(samps):
            yield TensorMusic(x), TensorMusic(y)

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        return {**super().settings(), "transpose": self.transpose}


def transpose_documents(corpus: Corpus, by: Tensor) -> Corpus:
    """The documents with their notes some half tones higher, each by its own number.

    Where a note would leave the 128 pitches of MIDI, its document is moved by less.

    Args:
        corpus: documents of token numbers by `music_vocab`.
        by: (D,) half tones for each document.

    Example:
        >>> corpus = Corpus(torch.tensor([3, 64, 2, 65]), torch.tensor([2, 2]))
        >>> transpose_documents(corpus, torch.tensor([5, -1])).tokens
        tensor([ 3, 69,  2, 64])
    """
    tokens = corpus.read(torch.arange(corpus.size))  # (N,)
    owners = torch.arange(len(corpus)).repeat_interleave(corpus.lens)  # (N,)
    pitches = tokens - FIRST_NOTE
    is_note = (pitches >= 0) & (pitches < _PITCHES)
    notes, of = pitches[is_note], owners[is_note]
    lowest = torch.full_like(by, _PITCHES - 1).scatter_reduce(0, of, notes, "amin")
    highest = torch.zeros_like(by).scatter_reduce(0, of, notes, "amax")
    by = by.clamp(-lowest, _PITCHES - 1 - highest)
    return Corpus(torch.where(is_note, tokens + by[owners], tokens), corpus.lens)
