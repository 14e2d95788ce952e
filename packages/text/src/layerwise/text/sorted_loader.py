"""`SortedDL`: texts of like length in one batch, so that little of it is padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.data.loaders import TfmdDL
from layerwise.core.random import generator, isolated
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import Transform
from layerwise.text.lengths import known_lengths
from layerwise.text.padding import Pad_Chunk

__all__ = ["SortedDL"]

_BATCHES_SORTED = 50  # at a time, in training: enough for like lengths, few enough for chance

_VALIDATION = 1  # the number of its split


class SortedDL(TfmdDL):
    """A loader that puts samples of like size together.

    Without `shuffle` samples come from the largest to the smallest. With it they are shuffled, then
    sorted within stretches of 50 batches, and the batches are shuffled; the one with the largest
    sample of all comes first, so that memory runs out there if it is too small. Which samples make
    up a last batch that is not full is left to chance.

    Sizes are those of `res`, else what the transforms of the data know of the lengths of texts.
    Where nothing is known, each sample is read once to be measured; outside of training it is kept
    until its batch is made, so that a text is not tokenised twice.

    Args:
        dataset: samples.
        sort_func: the size of a sample; the length of its first member when None.
        res: (N,) the size of each sample, where it is known.
        bs: samples per batch.
        shuffle: see above.
        seq_len: tokens of a chunk where `before_batch` pads by chunks; as it says when None.
        kwargs: the other arguments of `TfmdDL`.

    Raises:
        ValueError: if `res` has not one size for each sample.

    Example:
        >>> texts = [torch.arange(n) for n in (2, 5, 3, 1)]
        >>> [batch.shape[1] for batch in SortedDL(texts, bs=1)]
        [5, 3, 2, 1]
    """

    def __init__(
        self,
        dataset: Any,
        sort_func: Callable[[Any], float] | None = None,
        res: Sequence[float] | Tensor | None = None,
        bs: int | None = 64,
        shuffle: bool = False,
        seq_len: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.sort_func, self.res = sort_func, res
        self._sizes: Tensor | None = None
        self._kept: dict[int, Any] = {}
        if res is not None and len(res) != len(dataset):
            raise ValueError(f"res has {len(res)} sizes for {len(dataset)} samples; give one each")
        if seq_len is not None:
            kwargs["before_batch"] = _by_chunks(kwargs.get("before_batch"), seq_len)
        super().__init__(dataset, bs, shuffle, **kwargs)

    @property
    def sizes(self) -> Tensor:
        """(N,) the size of each sample; found when first asked for."""
        if self._sizes is None:
            known = self.res
            if known is None and self.sort_func is None:
                known = known_lengths(self.dataset)
            self._sizes = self._measured() if known is None else torch.as_tensor(known)
        return self._sizes

    def _measured(self) -> Tensor:
        measure = self.sort_func or _length_of_first
        sizes = []
        with isolated(0):  # what readers draw here must not move the seeds of what comes later
            for i in range(self.n or 0):
                sample = super().create_item(i)
                sizes.append(measure(sample))
                if getattr(self.dataset, "split_idx", None) == _VALIDATION:
                    self._kept[i] = sample
        return torch.tensor(sizes)

    def create_item(self, s: Any) -> Any:
        """The sample with index `s`."""
        return self._kept.pop(s) if s in self._kept else super().create_item(s)

    def get_idxs(self) -> list[Any]:
        """The indices of one epoch, in order."""
        if self.shuffle:
            return super().get_idxs()
        order: list[Any] = self.sizes[: self.n].argsort(descending=True, stable=True).tolist()
        return order

    def shuffle_fn(self, idxs: Sequence[Any]) -> list[Any]:
        """`idxs` shuffled, but for sizes that are put together; see the class."""
        bs = self.bs or 1
        order = torch.tensor(idxs)[torch.randperm(len(idxs), generator=generator())]
        full = len(order) // bs * bs
        if not full:
            return self._falling(order).tolist()
        # The largest of all is to be in the first batch, so it has to be in a full one.
        largest = int(self.sizes[order].argmax())
        order[[0, largest]] = order[[largest, 0]]
        size = _BATCHES_SORTED * bs
        stretches = [order[at : min(at + size, full)] for at in range(0, full, size)]
        batches = torch.cat([self._falling(stretch) for stretch in stretches]).view(-1, bs)
        later = 1 + torch.randperm(len(batches) - 1, generator=generator())
        batches = torch.cat([batches[:1], batches[later]])
        return [*batches.flatten().tolist(), *self._falling(order[full:]).tolist()]

    def _falling(self, indices: Tensor) -> Tensor:
        """`indices`, the largest sample first."""
        return indices[self.sizes[indices].argsort(descending=True, stable=True)]

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        return {**super().settings(), "sort_func": self.sort_func, "res": self.res}

    def new(self, dataset: Any = None, cls: Any = None, **kwargs: Any) -> Any:
        """A loader like this one; sizes are those of its own data."""
        is_other = dataset is not None and dataset is not self.dataset
        if is_other:
            kwargs = {"res": None, **kwargs}
        made = super().new(dataset, cls, **kwargs)
        is_same = not is_other and kwargs.keys().isdisjoint(("sort_func", "res"))
        if is_same and isinstance(made, SortedDL):
            made._sizes = self._sizes
        return made


def _by_chunks(steps: Any, seq_len: int) -> list[Transform]:
    """The steps, those that pad by chunks with other ones."""
    found = list(Pipeline(steps))
    chunked = [step for step in found if isinstance(step, Pad_Chunk)]
    if not chunked:
        raise ValueError(
            f"seq_len={seq_len} is the length of chunks, by which nothing pads here; give "
            "before_batch=Pad_Chunk(seq_len=...)"
        )
    new = [Pad_Chunk(**{**step.settings(), "seq_len": seq_len}) for step in chunked]
    return [step for step in found if step not in chunked] + list[Transform](new)


def _length_of_first(sample: Any) -> int:
    """How long the first member of a sample is, or the sample where it is no tuple."""
    return len(sample[0] if isinstance(sample, tuple) else sample)
