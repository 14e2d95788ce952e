"""`DistributedDL`: the batches of any loader, dealt to the processes that train together.

A batch stays what it is for one process: the same samples in the same order, whatever the number of
processes. Each gets a run of its rows; joined in the order of the processes they are the batch. So
the batch size of a loader is that of all processes together, a script means the same with one
process and with eight, and a training that stops with two can go on with four.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any

import torch
import torch.utils.data as torch_data

from layerwise.core.data.jobs import Purpose, Share, rows_of
from layerwise.core.data.loader import DataLoader
from layerwise.core.devices import num_distrib, rank_distrib
from layerwise.core.errors import nearest
from layerwise.core.nested import find_bs, nested_reorder
from layerwise.core.random import draw_seed, isolated, mix_key
from layerwise.core.train.batches import loader_generators

__all__ = ["DistributedDL"]


class DistributedDL:
    """The part of one process in the batches of `dl`.

    Loaders of ours and stock ones of torch over a data set with indices make only what belongs to
    this process; of other loaders, streams among them, each process makes the batch and takes its
    rows. A loader with torch's `DistributedSampler` deals its samples itself and should be used as
    it is. In a batch with fewer samples than processes, those without any get the first sample, so
    that all take part in each step; `is_filler` says so, and it counts nowhere.

    Order and random numbers of a stock loader come from the run's seed, as those of ours do;
    generators that it has are seeded from it at the beginning of each epoch.

    Args:
        dl: any loader, or a list of batches.
        rank: number of this process; that in the group when None.
        world_size: how many there are; those of the group when None.

    Attributes:
        items: how many samples of the current batch are of this process.
        total: how many samples it has in all.

    Example:
        >>> dl = DataLoader(list(range(7)), bs=4)
        >>> [batch.tolist() for batch in DistributedDL(dl, rank=1, world_size=2)]
        [[2, 3], [5, 6]]
    """

    def __init__(self, dl: Any, rank: int | None = None, world_size: int | None = None) -> None:
        self.dl = dl
        self.rank = rank_distrib() if rank is None else rank
        self.world_size = max(1, num_distrib()) if world_size is None else world_size
        if not 0 <= self.rank < self.world_size:
            raise ValueError(
                f"there is no process {self.rank} among {self.world_size}; they count from 0 to "
                f"{self.world_size - 1}"
            )
        self.items = self.total = 0
        self._key: tuple[int, int] | None = None
        self._skip = 0
        self._sizes: deque[int] = deque()
        share = Share(self.rank, self.world_size, self._sizes)
        self._sampler: _DealtBatches | None = None
        self._part: Any = None
        if isinstance(dl, DataLoader) and dl.indexed and not dl.prebatched:
            self._part = dl.shared(share)
        elif _is_stock(dl):
            self._sampler = _DealtBatches(dl.batch_sampler, share)
            self._part = _stock_part(dl, self._sampler)

    @property
    def is_filler(self) -> bool:
        """Whether this process has no sample of its own in the current batch."""
        return self.items == 0

    @property
    def weight(self) -> float:
        """How much more the mean over the own samples counts than that of the average process."""
        return self.items * self.world_size / self.total

    def __len__(self) -> int:
        return len(self.dl)

    def set_epoch(self, seed: int, epoch: int, skip: int = 0) -> None:
        """Fix the data of the next epoch; every process has to give the same.

        Args:
            seed: of the run.
            epoch: which one of the run.
            skip: batches to leave out at its beginning.
        """
        self._key, self._skip = (seed, epoch), skip

    def __iter__(self) -> Iterator[Any]:
        """The parts of this process, batch by batch."""
        key, skip = self._take_key()
        self._sizes.clear()
        if self._part is None:
            yield from self._sliced(key, skip)
            return
        if self._sampler is None:
            self._part.set_epoch(*key, **({"skip": skip} if skip else {}))
            batches: Iterator[Any] = iter(self._part)
        else:
            batches = self._stock_batches(key, skip)
        for batch in batches:
            self._count(self._sizes.popleft())
            yield batch

    def _take_key(self) -> tuple[tuple[int, int], int]:
        key, skip = self._key, self._skip
        self._key, self._skip = None, 0
        if key is None:
            from layerwise.core.distributed.exchange import from_first

            key = (from_first(draw_seed()), 0)
        return key, skip

    def _count(self, total: int) -> None:
        first, stop = rows_of(total, self.rank, self.world_size)
        self.items, self.total = stop - first, total

    def _stock_batches(self, key: tuple[int, int], skip: int) -> Iterator[Any]:
        assert self._sampler is not None  # noqa: S101 - for the type checker
        self._sampler.key, self._sampler.skip = key, skip
        if hasattr(self.dl.sampler, "set_epoch"):
            self.dl.sampler.set_epoch(key[1])
        for generator in loader_generators(self.dl):
            generator.manual_seed(mix_key(*key, Purpose.ORDER))
        with isolated(mix_key(*key, Purpose.GLOBAL, self.rank)):
            batches = iter(self._part)
        for number in count(skip):
            with isolated(mix_key(*key, number, Purpose.GLOBAL, self.rank)):
                try:
                    batch = next(batches)
                except StopIteration:
                    return
            yield batch

    def _sliced(self, key: tuple[int, int], skip: int) -> Iterator[Any]:
        """The rows of this process in batches that every process makes."""
        keyed_loader = hasattr(self.dl, "set_epoch")
        if keyed_loader:
            self.dl.set_epoch(*key, **({"skip": skip} if skip else {}))
        with isolated(mix_key(*key, Purpose.GLOBAL)):
            batches = iter(self.dl)
        for number in count(skip if keyed_loader else 0):
            with isolated(mix_key(*key, number, Purpose.GLOBAL)):
                try:
                    batch = next(batches)
                except StopIteration:
                    return
            if number < skip:
                continue
            total = find_bs(batch)
            first, stop = rows_of(total, self.rank, self.world_size)
            self.items, self.total = stop - first, total
            yield nested_reorder(batch, torch.arange(first, max(stop, first + 1)) % total)

    def __getattr__(self, name: str) -> Any:
        """An attribute of the loader."""
        if name.startswith("_") or name == "dl":
            raise AttributeError(name)
        try:
            return getattr(self.dl, name)
        except AttributeError as error:
            error.add_note(f"{type(self).__name__} has no {name!r}.{nearest(name, dir(self))}")
            raise


class _DealtBatches(torch_data.Sampler[list[int]]):
    """The batches of a stock sampler, of each the indices of one process."""

    def __init__(self, batches: Any, share: Share) -> None:
        self.batches, self.share = batches, share
        self.key = (0, 0)
        self.skip = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        found = iter(self.batches)
        for number in count():
            # Every process draws the same here, whatever else it draws.
            with isolated(mix_key(*self.key, number, Purpose.ORDER)):
                indices = next(found, None)
            if indices is None:
                return
            if number >= self.skip:
                yield self.share.cut(list(indices))


def _is_stock(dl: Any) -> bool:
    """Whether a loader is torch's own, over samples that are fetched by index."""
    if type(dl) is not torch_data.DataLoader or dl.batch_sampler is None:
        return False
    return not isinstance(dl.dataset, torch_data.IterableDataset)


def _stock_part(dl: Any, sampler: _DealtBatches) -> torch_data.DataLoader[Any]:
    """A stock loader like `dl` that makes the batches of `sampler`."""
    return torch_data.DataLoader(
        dl.dataset,
        batch_sampler=sampler,
        num_workers=dl.num_workers,
        collate_fn=dl.collate_fn,
        pin_memory=dl.pin_memory,
        timeout=dl.timeout,
        worker_init_fn=dl.worker_init_fn,
        multiprocessing_context=dl.multiprocessing_context,
        generator=dl.generator,
        prefetch_factor=dl.prefetch_factor,
        persistent_workers=dl.persistent_workers,
    )


def deals_itself(dl: Any) -> bool:
    """Whether a loader gives each process its own samples already."""
    sampler = getattr(dl, "sampler", None)
    return isinstance(dl, DistributedDL) or isinstance(
        sampler, torch_data.distributed.DistributedSampler
    )
