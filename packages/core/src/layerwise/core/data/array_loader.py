"""`ArrayDL`: batches cut from arrays, without a sample ever being made on its own.

Rows of a table or ratings are a few numbers each; what a sample costs in Python would be all that
an epoch costs. So the rows of many batches are gathered in one step per array, and batches are
views of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from layerwise.core.data.jobs import Key, Purpose
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.nested import to_device
from layerwise.core.random import generator, keyed

__all__ = ["ArrayDL", "ArrayDataset", "GathersRows"]

# Rows gathered at once: few enough for the caches, many enough to make the calls cheap.
_ROWS_AT_ONCE = 16_384

_NO_ROWS = torch.empty(0, dtype=torch.int64)

_DTYPES = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
)  # fmt: skip

# What a loader may have of its own for single samples; then samples are made one by one.
_BY_SAMPLE = (
    "sample", "get_idxs", "shuffle_fn", "create_item", "do_item", "create_batch", "retain",
    "do_batch", "chunkify", "create_batches",
)  # fmt: skip


class GathersRows(Protocol):
    """Data that an `ArrayDL` can cut batches from."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Any, ...]: ...

    def gather(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The members of a batch of the samples `rows`, copied: each (R, ...) for R rows."""


class ArrayDataset:
    """Samples that lie in arrays: the i-th is row i of each.

    Args:
        arrays: tensors or NumPy arrays of (N, ...) each. Memory-mapped files (`np.memmap`,
            `np.load(..., mmap_mode="r")`) stay on the disk; rows are read as batches need them.
        n_inp: how many of them are input; all but the last, or the one there is, when None.

    Raises:
        ValueError: if there is no array, or the arrays differ in length.

    Example:
        >>> data = ArrayDataset(torch.arange(6).view(3, 2), np.array([0.5, 1.5, 2.5]))
        >>> len(data), data[1]
        (3, (tensor([2, 3]), tensor(1.5000, dtype=torch.float64)))
    """

    def __init__(self, *arrays: Tensor | np.ndarray, n_inp: int | None = None) -> None:
        if not arrays:
            raise ValueError("ArrayDataset was given no array; pass one for each member of a batch")
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"arrays of {lengths} rows; give as many in each, since sample i is row i of all"
            )
        self.arrays = arrays
        self.n_inp = max(1, len(arrays) - 1) if n_inp is None else n_inp

    def settings(self) -> dict[str, Any]:
        """What `from_settings` makes data without samples of, whose arrays are like these."""
        return {
            "members": [[list(a.shape[1:]), str(_rows_of(a, _NO_ROWS).dtype)] for a in self.arrays],
            "n_inp": self.n_inp,
        }

    @classmethod
    def from_settings(cls, members: Sequence[Any], n_inp: int) -> ArrayDataset:
        """Data without samples: for each member the shape of a row and the name of its dtype."""
        dtypes = {str(dtype): dtype for dtype in _DTYPES}
        empty = [torch.empty(0, *shape, dtype=dtypes[dtype]) for shape, dtype in members]
        return cls(*empty, n_inp=n_inp)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(_rows_of(array, torch.tensor([index]))[0] for array in self.arrays)

    def gather(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The members of a batch of the samples `rows`."""
        return tuple(_rows_of(array, rows) for array in self.arrays)


def _rows_of(array: Tensor | np.ndarray, rows: Tensor) -> Tensor:
    """(R, ...) copy of `rows` (R,) of an array, which may lie on the disk."""
    if isinstance(array, Tensor):
        return array.index_select(0, rows.to(array.device))
    return torch.from_numpy(np.ascontiguousarray(array[rows.numpy()]))


class ArrayDL(TfmdDL):
    """A loader over data in arrays, whose epoch costs little more than indexing them.

    Order, `drop_last`, `n`, shares of several processes, going on in the middle of an epoch and
    transforms of batches are those of `TfmdDL`. Where a step for single samples is given
    (`after_item`, `before_batch`, `create_item`, ...), or `num_workers`, it makes them one by one,
    as any loader.

    Args:
        dataset: `ArrayDataset`, or other data with `gather`.
        bs: samples per batch.
        shuffle: a new order each epoch.
        kwargs: the other arguments of `TfmdDL`.

    Raises:
        TypeError: if the data have no `gather`.

    Example:
        >>> data = ArrayDataset(torch.arange(10.0).view(5, 2), torch.arange(5))
        >>> x, y = ArrayDL(data, bs=3).one_batch()
        >>> x.shape, y
        (torch.Size([3, 2]), tensor([0, 1, 2]))
    """

    def __init__(
        self, dataset: Any, bs: int | None = 64, shuffle: bool = False, **kwargs: Any
    ) -> None:
        if not hasattr(dataset, "gather"):
            raise TypeError(
                f"ArrayDL cuts batches from arrays, and {type(dataset).__name__} has no gather; "
                "pass ArrayDataset(x, y), or use TfmdDL for data of single samples"
            )
        self._is_cut = False  # whether the batches of this epoch are cut from gathered rows
        super().__init__(dataset, bs, shuffle, **kwargs)

    def row_order(self) -> Tensor:
        """(n,) the rows of one epoch, in order; in a random one that the key decides."""
        count = self.n or 0
        return torch.randperm(count, generator=generator()) if self.shuffle else torch.arange(count)

    @property
    def is_by_sample(self) -> bool:
        """Whether something asks for samples one by one."""
        kind = type(self)
        return (
            self.bs is None
            or bool(len(self.after_item) or len(self.before_batch))
            or not self._replaced.keys().isdisjoint(_BY_SAMPLE)
            or any(getattr(kind, name) is not getattr(DataLoader, name) for name in _BY_SAMPLE)
        )

    def _local(self, key: Key) -> Iterator[Any]:
        self._is_cut = not self.is_by_sample
        return self._by_rows(key) if self._is_cut else super()._local(key)

    def _by_workers(self, key: Key) -> Iterator[Any]:
        self._is_cut = False
        return super()._by_workers(key)

    def _by_rows(self, key: Key) -> Iterator[tuple[Tensor, ...]]:
        with keyed(*key, Purpose.ORDER):
            order = self.row_order()
        size = self.bs or 1
        batches = len(order) // size if self.drop_last else -(-len(order) // size)
        most = max(1, _ROWS_AT_ONCE // size)
        number, together = self._skip, 1  # the first alone: whoever wants one batch pays for one
        while number < batches:
            rows = order[number * size : min(number + together, batches) * size]
            yield from self._cut(rows, size)
            number += together
            together = min(2 * together, most)

    def _cut(self, rows: Tensor, size: int) -> Iterator[tuple[Tensor, ...]]:
        """The batches of `size` of these rows, on the device."""
        if self._share is None:
            sizes: Any = size
        else:
            parts = [self._share.cut(part) for part in rows.split(size)]  # type: ignore[no-untyped-call]  # of torch
            rows, sizes = torch.cat(parts), [len(part) for part in parts]
        gathered = self.dataset.gather(rows)
        if self.device is not None:
            gathered = to_device(gathered, self.device)
        return zip(*(torch.split(member, sizes) for member in gathered), strict=True)

    def _finish(self, made: Any, key: Key, number: int) -> Any:
        is_finished = self._is_cut and self._types is not None and not len(self.after_batch)
        return made if is_finished else super()._finish(made, key, number)
