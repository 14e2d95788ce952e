"""`LMDataLoader`: the documents as one long text, read in `bs` places at once.

The row of all tokens is cut into `bs` streams of equal length. Batch by batch each stream goes on
where it stopped, so that the state of a recurrent model is that of the text before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.data.jobs import Job, Key, Purpose
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.errors import DataError
from layerwise.core.items import L
from layerwise.core.nested import batch_to_samples
from layerwise.core.random import generator, keyed
from layerwise.core.transforms.pipeline import describe
from layerwise.text.corpus import Corpus, read_corpus
from layerwise.text.types import LMTensorText, TensorText

__all__ = ["LMDataLoader"]

# B: streams, rows of a batch. T: tokens of a row, seq_len; fewer in the last batch of an epoch.


class LMDataLoader(TfmdDL):
    """Batches for a language model: (B, T) `LMTensorText`, and the tokens that come next.

    Each document is read once. What a batch costs does not depend on how many there are.

    Args:
        dataset: documents of token numbers, or samples that begin with one; or a `Corpus`.
        lens: tokens of each document where they are known; nothing is read then before the first
            batch is made.
        cache: GiB of tokens, 4 bytes each, that may lie in memory; a longer corpus goes to a
            temporary file.
        bs: streams that are read at once.
        seq_len: tokens of each in a batch.
        num_workers: processes that make batches; cutting them is cheaper than to pass them on.
        corpus: the documents of `dataset`, where they have been read already.
        kwargs: the other arguments of `TfmdDL`. `shuffle` puts the documents in a new order each
            epoch; `n` takes the first so many of them; `after_item` sees each document, once.

    Raises:
        DataError: if there are not enough tokens for one in each stream and one to predict, or a
            document is none; names it.

    Example:
        >>> dl = LMDataLoader([torch.arange(5), torch.arange(5, 13)], bs=2, seq_len=4)
        >>> for x, y in dl: print(x.tolist(), y.tolist())
        [[0, 1, 2, 3], [6, 7, 8, 9]] [[1, 2, 3, 4], [7, 8, 9, 10]]
        [[4, 5], [10, 11]] [[5, 6], [11, 12]]
    """

    unserved: ClassVar[str] = (
        "its model predicts the next token of a text and not something about an item; "
        "continue_text(load_learner(file), text, n_words) goes on with a text"
    )

    _exported: ClassVar = ("seq_len",)

    # No step of single samples but those that read a document.
    _hooks: ClassVar = (
        "wif", "before_iter", "after_item", "after_batch", "after_iter", "arrange", "create_item",
        "do_item", "get_idxs", "randomize",
    )  # fmt: skip

    def __init__(
        self,
        dataset: Any,
        lens: Sequence[int] | Tensor | None = None,
        cache: float = 2,
        bs: int = 64,
        seq_len: int = 72,
        num_workers: int | None = 0,
        *,
        corpus: Corpus | None = None,
        do_setup: bool = True,
        **kwargs: Any,
    ) -> None:
        if seq_len < 1 or not bs:
            raise ValueError(f"bs={bs}, seq_len={seq_len}; give one stream and one token at least")
        super().__init__(dataset, bs, num_workers=num_workers, do_setup=False, **kwargs)
        if len(self.before_batch):
            raise ValueError(
                "before_batch sees the samples of a batch one by one, and a batch of a language "
                "model is cut in one piece; give the transforms as after_batch (batch_tfms)"
            )
        self.seq_len, self.cache, self.lens = seq_len, cache, lens
        self._documents: int = self.n or 0
        self._corpus = _first(dataset if isinstance(dataset, Corpus) else corpus, self._documents)
        self._stream: tuple[Key, Corpus] | None = None  # as it is arranged in an epoch
        size = self.corpus.size if lens is None else int(sum(lens[: self._documents]))
        if 0 < size <= bs:
            raise DataError(
                f"{size} tokens in {self._documents} documents are too few for bs={bs} streams; "
                "give a smaller bs (val_bs for validation), or more text"
            )
        self.stream_len = max(0, size - 1) // bs  # inputs; the target of the last is one further
        self.n = -(-self.stream_len // seq_len) * bs
        if do_setup:
            self._learn_state()

    @property
    def corpus(self) -> Corpus:
        """The documents; read when first asked for."""
        if self._corpus is None:
            found = read_corpus(self._items(range(self._documents)), int(self.cache * 2**30))
            if self.lens is not None and found.lens.tolist() != list(self.lens)[: self._documents]:
                raise DataError(
                    "lens are not the lengths of these documents, which have "
                    f"{found.lens[:5].tolist()}, ... tokens; leave them out"
                )
            self._corpus = found
        return self._corpus

    def create_item(self, s: int) -> Tensor:
        """(T,) document `s`."""
        item = super().create_item(s)
        found = item[0] if isinstance(item, tuple) else item
        text = found if isinstance(found, Tensor) else torch.as_tensor(found, dtype=torch.int64)
        if text.ndim != 1 or text.is_floating_point():
            raise TypeError(
                f"a document is (T,) token numbers, and this one is {describe(found)}; end the "
                "transforms with Numericalize"
            )
        return text

    def before_iter(self) -> None:
        """Read the documents here, once, and not in each worker."""
        super().before_iter()
        self._corpus = self.corpus

    def get_idxs(self) -> list[int]:
        """The pieces of an epoch: i is of stream i % bs. Documents are shuffled, not they."""
        return list(range(self.n or 0))

    def do_job(self, job: Job, *, restore: bool) -> list[Any]:
        """The batch of one job, of the documents as they stand in its epoch."""
        key = job[0]
        if self._stream is None or self._stream[0] != key:
            with keyed(*key, Purpose.ORDER):
                arranged = self.arrange(self.corpus)
            if arranged.size != self.corpus.size:
                raise DataError(
                    f"arrange made {arranged.size} tokens of {self.corpus.size}, and how many "
                    "batches there are was said before; put others in their places, one for one"
                )
            self._stream = key, arranged
        return super().do_job(job, restore=restore)

    def arrange(self, corpus: Corpus) -> Corpus:
        """The documents as one epoch reads them: in an order of its own, where they are shuffled.

        Called once an epoch. A subclass, or a function given as `arrange=`, may draw other tokens
        for those of a document here too, with `generator()`: then they depend on the seed of the
        run and the epoch alone, and all batches of the epoch see the same.
        """
        if not self.shuffle:
            return corpus
        return corpus.arranged(torch.randperm(len(corpus), generator=generator()))

    def create_batches(self, samps: Iterable[Any]) -> Iterable[Any]:
        """The pieces `samps` and what comes next in each, (B, T) both."""
        pieces, bs = torch.tensor(list(samps)), self.bs or 1
        deep = pieces // bs * self.seq_len  # how far into its stream each is: alike, as a rule
        size = min(self.seq_len, self.stream_len - int(deep.max()))
        places = (pieces % bs * self.stream_len + deep)[:, None] + torch.arange(size + 1)
        stream = self._stream[1] if self._stream is not None else self.corpus
        tokens = stream.read(places)
        return [(LMTensorText(tokens[:, :-1]), TensorText(tokens[:, 1:]))]

    def _decode_samples(self, b: Any, max_n: int, full: bool) -> L:
        # Input and target are pieces of one text: both go back the way of the one member.
        back = getattr(self.dataset, "decode", None)
        steps = self.after_item.decode
        samples = (tuple(map(steps, sample)) for sample in batch_to_samples(b, max_n=max_n))
        return L([tuple(back((m,), full)[0] if back else m for m in each) for each in samples])

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        own = {"lens": self.lens, "cache": self.cache, "seq_len": self.seq_len}
        return {**super().settings(), **own, "corpus": self._corpus}

    def new(self, dataset: Any = None, cls: Any = None, **kwargs: Any) -> Any:
        """A loader like this one; of the same documents, it does not read them again."""
        if dataset is not None and dataset is not self.dataset:
            kwargs = {"lens": None, "corpus": None, **kwargs}
        return super().new(dataset, cls, **kwargs)


def _first(corpus: Corpus | None, count: int) -> Corpus | None:
    """The first `count` documents, if there are so many."""
    if corpus is None or len(corpus) == count:
        return corpus
    return corpus.arranged(torch.arange(count)) if len(corpus) > count else None
