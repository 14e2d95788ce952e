"""The jobs of a loader: one per batch, done in the main process or by workers of torch.

What a job makes depends on its key alone, so nothing here knows who does it.
"""

from __future__ import annotations

import operator
import pickle
import traceback
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import torch
import torch.utils.data as torch_data

from layerwise.core.errors import DataError
from layerwise.core.random import keyed, mix_key

__all__: list[str] = []

Key = tuple[int, int]
"""Run seed and epoch."""

Job = tuple[Key, int, Sequence[Any], Sequence[int] | None]
"""Key, number of the batch, indices of its samples, and how often each came before in the epoch."""


class Purpose(IntEnum):
    """What a key is for, so that no two purposes share their numbers."""

    ORDER = 0
    GLOBAL = 1
    ITEM = 2
    BATCH = 3


def rows_of(size: int, rank: int, processes: int) -> tuple[int, int]:
    """The rows, from one to before another, that a process has of a batch of `size`.

    Example:
        >>> [rows_of(7, rank, 3) for rank in range(3)]
        [(0, 2), (2, 4), (4, 7)]
    """
    return rank * size // processes, (rank + 1) * size // processes


@dataclass
class Share:
    """What one of several processes makes of each batch: a run of its samples.

    A process without any makes the first sample, since all have to take part in each step.

    Args:
        rank: number of the process.
        processes: how many there are.
        sizes: gets the size of each whole batch, in order.
    """

    rank: int
    processes: int
    sizes: deque[int]

    def cut(self, whole: Any) -> Any:
        """The part of this process in the indices of a batch."""
        first, stop = rows_of(len(whole), self.rank, self.processes)
        self.sizes.append(len(whole))
        return whole[first:stop] if stop > first else whole[:1]

    def of(self, job: Job) -> Job:
        """The part of this process in a job."""
        key, number, indices, draws = job
        own = self.cut(indices)
        if draws is not None:
            first, stop = rows_of(len(indices), self.rank, self.processes)
            draws = draws[first:stop] if stop > first else draws[:1]
        return key, number, own, draws


class _JobMaker(Protocol):
    """What the classes here need of a loader."""

    def jobs(self, key: Key) -> Iterator[Job]:
        """The jobs of the epoch with that key."""

    def do_job(self, job: Job, *, restore: bool) -> list[Any]:
        """The batches of one job; `restore` puts the global generators back afterwards."""

    def read_stream(self, key: Key, part: int = 0, parts: int = 1) -> Iterator[list[Any]]:
        """The results of the jobs `part`, `part + parts`, ... of a stream."""

    def take_untold(self) -> list[str]:
        """What there is to say of items that were left out."""


class Worker(torch_data.Dataset[Any]):
    """What a worker holds: the loader, asked for one job at a time."""

    def __init__(self, maker: _JobMaker) -> None:
        self.maker = maker

    def __getitem__(self, job: Job) -> list[Any]:
        try:
            return [*self.maker.do_job(job, restore=False), *_left_out(self.maker)]
        except Exception as error:  # sent to the main process, which raises it
            return [Failure(error)]


class JobSampler(torch_data.Sampler[Job]):
    """The jobs of an epoch, as a sampler of torch; `key` says of which."""

    def __init__(self, maker: _JobMaker) -> None:
        self.maker = maker
        self.key: Key = (0, 0)

    def __iter__(self) -> Iterator[Job]:
        return self.maker.jobs(self.key)


class Stream(torch_data.IterableDataset[Any]):
    """A stream read by every worker, each making every n-th batch; order as with one process."""

    def __init__(self, maker: _JobMaker, key: Key) -> None:
        self.maker, self.key = maker, key

    def __iter__(self) -> Iterator[list[Any]]:
        info = torch_data.get_worker_info()
        part, parts = (info.id, info.num_workers) if info else (0, 1)
        try:
            for made in self.maker.read_stream(self.key, part, parts):
                yield [*made, *_left_out(self.maker)]
        except Exception as error:  # sent to the main process, which raises it
            yield [Failure(error)]


class LeftOut:
    """What a worker has to say of items that it has left out."""

    def __init__(self, told: list[str]) -> None:
        self.told = told


def _left_out(maker: _JobMaker) -> list[LeftOut]:
    told = maker.take_untold()
    return [LeftOut(told)] if told else []


class Failure:
    """An exception on its way from a worker; pickling alone would drop its cause and traceback."""

    def __init__(self, error: Exception) -> None:
        self.error = _picklable(error)
        self.cause = _picklable(error.__cause__) if error.__cause__ else None
        self.trace = "".join(traceback.format_exception(error))

    def raise_again(self) -> None:
        """Raise the exception here, with the worker's traceback as a note."""
        info = f"in a worker process:\n{self.trace}"
        self.error.add_note(info)
        raise self.error from self.cause


def _picklable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was dumped a moment ago
    except Exception:  # whatever a class of the user's does when it is copied
        return DataError(f"{type(error).__name__}: {error}")
    return error


class JobKey(keyed):
    """The key of a job and, while one of its items is made, the key of that item.

    One object for the job, since a context for each item costs more than many an item does.
    """

    __slots__ = ("_job", "_of", "_own", "_place", "_size")

    def __init__(self, job: Job, seed: int, size: int) -> None:
        super().__init__(seed)
        self._job, self._size = job, size
        self._place: int | None = None  # of the item being made, within its job
        self._of: int | None = None  # of the item that `_own` is for
        self._own: torch.Generator | None = None

    def each(self, samples: Iterable[Any]) -> Iterator[Any]:
        """`samples`, the key of each in force until the next is asked for."""
        for self._place, sample in enumerate(samples):
            yield sample
        self._place = None

    def generator(self) -> torch.Generator:
        """The generator of the item being made, otherwise that of the job."""
        if self._place is None:
            return super().generator()
        if self._own is None or self._of != self._place:
            self._of = self._place
            self._own = torch.Generator().manual_seed(mix_key(*self._item_key(self._place)))
        return self._own

    def _item_key(self, place: int) -> tuple[int, ...]:
        key, number, indices, draws = self._job
        try:
            index = operator.index(indices[place])
        except TypeError:  # an index that is no number is known by its place in the epoch
            index = number * self._size + place
        return (*key, index, draws[place] if draws else 0, Purpose.ITEM)


def repeats(indices: list[Any]) -> list[int] | None:
    """For each index how often it came before, so that no two draws are equal; None if never.

    Example:
        >>> repeats([3, 5, 3])
        [0, 0, 1]
    """
    try:
        if len(set(indices)) == len(indices):
            return None
    except TypeError:  # indices that cannot be counted: their place is their number
        return None
    seen: Counter[Any] = Counter()
    draws = []
    for index in indices:
        draws.append(seen[index])
        seen[index] += 1
    return draws
