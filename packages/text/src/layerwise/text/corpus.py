"""`Corpus`: the tokens of all documents in one row, in memory or in a file that is mapped into it.

A language model reads a corpus as one long text. As one tensor, any piece of it is an index away,
however long it is; the order of the documents is a table of where each begins.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Corpus", "read_corpus"]

# N: tokens of all documents. D: documents.


class Corpus:
    """Documents of token numbers, one behind the other; item i is the i-th of them.

    Args:
        tokens: (N,) numbers of all tokens, of any type of whole numbers. A tensor over a file
            (`torch.from_file`, or `torch.from_numpy` of a `np.memmap`) stays on the disk.
        lens: (D,) tokens of each document.
        starts: (D,) where in `tokens` each begins; each where the one before ends, when None.

    Raises:
        ValueError: if the documents do not lie within the tokens.

    Example:
        >>> corpus = Corpus(torch.arange(6), torch.tensor([2, 1, 3]))
        >>> corpus[2], corpus.arranged(torch.tensor([2, 0, 1])).read(torch.arange(6))
        (tensor([3, 4, 5]), tensor([3, 4, 5, 0, 1, 2]))
    """

    def __init__(self, tokens: Tensor, lens: Tensor, starts: Tensor | None = None) -> None:
        self.tokens, self.lens = tokens, lens
        self._upper = lens.cumsum(0)  # where each document ends in this order
        before = self._upper - lens
        self.starts = before if starts is None else starts
        self._shift = None if starts is None else starts - before
        if len(lens) and bool((self.starts + lens).max() > len(tokens)):
            raise ValueError(
                f"documents of {self.size} tokens do not lie within the {len(tokens)} of the "
                "corpus; lens are the lengths of the documents that tokens consist of"
            )

    @property
    def size(self) -> int:
        """How many tokens the documents have together."""
        return int(self._upper[-1]) if len(self._upper) else 0

    def __len__(self) -> int:
        return len(self.lens)

    def __getitem__(self, index: int) -> Tensor:
        start = int(self.starts[index])
        return self.tokens[start : start + int(self.lens[index])].long()

    def arranged(self, order: Tensor) -> Corpus:
        """The documents `order` (D,), in that order; the tokens stay where they are."""
        return Corpus(self.tokens, self.lens[order], self.starts[order])

    def read(self, places: Tensor) -> Tensor:
        """The tokens at `places` of the row that the documents make.

        Args:
            places: any shape, from 0 to `size`.

        Returns:
            int64 of the same shape.
        """
        flat = places.flatten()
        if self._shift is not None:
            flat = flat + self._shift[torch.searchsorted(self._upper, flat, right=True)]
        return self.tokens[flat].long().view_as(places)


def read_corpus(documents: Iterable[Tensor], memory: int = 2 << 30) -> Corpus:
    """The documents as one corpus, each read once.

    Args:
        documents: (T,) token numbers each, T may be 0.
        memory: bytes, 4 a token, that may lie in memory; a longer corpus goes to a temporary file
            that the system removes, and of which it keeps in memory what is in use.

    Example:
        >>> corpus = read_corpus(torch.arange(n) for n in (2, 0, 3))
        >>> corpus.tokens.tolist(), corpus.lens.tolist()
        ([0, 1, 0, 1, 2], [2, 0, 3])
    """
    lens: list[int] = []
    held, file = bytearray(), None
    with ExitStack() as files:
        for document in documents:
            held += document.to(torch.int32).contiguous().numpy().tobytes()
            lens.append(len(document))
            if len(held) > memory:
                file = file or files.enter_context(tempfile.TemporaryFile())
                _write(file, held)
        if file is None:
            tokens = torch.from_numpy(np.frombuffer(held, np.int32)) if held else torch.tensor([])
        else:
            _write(file, held)
            # What is mapped stays when the file is closed; writable, since torch wants that.
            mapped: Any = np.memmap(file, np.int32, mode="c")
            tokens = torch.from_numpy(mapped)
    return Corpus(tokens, torch.tensor(lens, dtype=torch.int64))


def _write(file: IO[bytes], held: bytearray) -> None:
    """Move what is held to the file."""
    file.write(held)
    file.flush()
    held.clear()
