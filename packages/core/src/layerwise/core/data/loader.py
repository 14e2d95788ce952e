"""`DataLoader`: batches from a data set, every step of it a method that can be replaced.

An epoch is a list of *jobs*, one per batch: a number and the indices of its samples. Jobs are done
in this process or by the workers of `torch.utils.data`; what a job makes depends on its key (run
seed, epoch, number, index) alone, so neither workers nor prefetching change the data.
"""

from __future__ import annotations

import copy
import multiprocessing
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, count, islice, repeat
from pickle import PicklingError
from typing import Any, ClassVar, Self

import torch
import torch.utils.data as torch_data

from layerwise.core.data.collate import fa_collate, fa_convert
from layerwise.core.data.jobs import (
    Failure,
    Job,
    JobKey,
    JobSampler,
    Key,
    LeftOut,
    Purpose,
    Share,
    Stream,
    Worker,
    repeats,
)
from layerwise.core.devices import available_cores, default_device
from layerwise.core.errors import DataError, SkipItemException, refuse_unknown
from layerwise.core.items import noop
from layerwise.core.nested import to_device
from layerwise.core.random import draw_seed, generator, isolated, keyed, mix_key
from layerwise.core.transforms.pipeline import describe

__all__ = ["DataLoader", "worker_count"]

# A worker that makes fewer batches than this costs more to start than it saves.
_BATCHES_PER_WORKER = 4


class DataLoader:
    """Batches of `dataset`, in an order and with an augmentation that depend on a key alone.

    Each keyword of `hooks` is the name of a method below (`create_item`, `before_batch`,
    `shuffle_fn`, ...) and replaces it on this loader; subclasses override the same methods.

    Args:
        dataset: with `__getitem__` and `__len__`, or only iterable (a stream, which each worker
            reads whole and makes its share of the batches of).
        bs: samples per batch; None when each sample is a batch already.
        shuffle: a new order each epoch.
        drop_last: leave out a last batch that is not full.
        n: use only the first `n` samples.
        indexed: whether samples are fetched by index; found out from the data set when None.
        num_workers: processes that make batches; None: as many as `worker_count` says.
        pin_memory: workers' batches go to page-locked memory, for faster transfers to a GPU.
        timeout: seconds to wait for a worker; 0 waits for ever.
        device: where batches go; stays where it was made when None.
        persistent_workers: keep workers from one epoch to the next; they keep the loader as it was
            in the first, so change no transform or setting after it.
        prefetch_factor: batches each worker prepares ahead; 2 when None.
        on_bad_item: "raise" ends the epoch where an item cannot be made; "skip" leaves the item out
            of its batch, with a warning that names it, and lists it in `bad_items`.
        batch_size: the name that `torch.utils.data` has for `bs`.

    Raises:
        TypeError: for a keyword that is no hook; names the nearest.
        DataError: while iterating, when an item or a batch cannot be made; names it.

    Example:
        >>> dl = DataLoader(list(range(10)), bs=4)
        >>> [batch.tolist() for batch in dl]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """

    # Settings beside `bs` that new items are loaded with, so that exports hold them.
    _exported: ClassVar[tuple[str, ...]] = ()

    _hooks: ClassVar[tuple[str, ...]] = (
        "wif",
        "before_iter",
        "after_item",
        "before_batch",
        "after_batch",
        "after_iter",
        "create_batches",
        "create_item",
        "create_batch",
        "do_item",
        "do_batch",
        "chunkify",
        "retain",
        "get_idxs",
        "sample",
        "shuffle_fn",
        "randomize",
    )

    def __init__(
        self,
        dataset: Any = None,
        bs: int | None = None,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        n: int | None = None,
        indexed: bool | None = None,
        num_workers: int | None = 0,
        pin_memory: bool = False,
        timeout: float = 0,
        device: torch.device | str | None = None,
        persistent_workers: bool = False,
        prefetch_factor: int | None = None,
        on_bad_item: str = "raise",
        batch_size: int | None = None,
        **hooks: Callable[..., Any],
    ) -> None:
        refuse_unknown(
            type(self).__name__,
            set(hooks) - set(self._hooks),
            loader_options(type(self)),  # type: ignore[arg-type]  # classes are hashable
        )
        if batch_size is not None:
            bs = batch_size
        if bs is not None and bs < 1:
            raise ValueError(f"bs={bs}; a batch has at least one sample, or pass bs=None")
        if on_bad_item not in ("raise", "skip"):
            raise ValueError(f"on_bad_item={on_bad_item!r}; give 'raise' or 'skip'")
        if indexed is None:
            indexed = _is_indexed(dataset)
        if shuffle and not indexed:
            raise ValueError("shuffle=True needs a data set with __getitem__; this one is a stream")
        self.dataset, self.bs, self.shuffle, self.drop_last = dataset, bs, shuffle, drop_last
        self.indexed, self.pin_memory, self.timeout = indexed, pin_memory, timeout
        self.n = _length(dataset, n, indexed)
        self.device = torch.device(device) if device is not None else None
        self.persistent_workers, self.prefetch_factor = persistent_workers, prefetch_factor
        self.on_bad_item = on_bad_item
        self.bad_items: list[str] = []
        self._untold: list[str] = []  # in a worker: bad items that the main process has to hear of
        shares_itself_out = isinstance(dataset, torch_data.IterableDataset)
        if num_workers is None:
            batches = None if self.n is None else -(-self.n // (bs or 1))
            num_workers = 0 if shares_itself_out else worker_count(batches, self.device)
        if num_workers and shares_itself_out:
            raise ValueError(
                f"num_workers={num_workers}: {type(dataset).__name__} is an IterableDataset of "
                "torch, which decides itself what each worker reads; use torch's own DataLoader "
                "for it, which every Learner takes, or num_workers=0"
            )
        self.num_workers = num_workers
        self._key: Key | None = None
        self._skip = 0
        self._position: tuple[Key, int] | None = None
        self._torch: torch_data.DataLoader[Any] | None = None
        self._limit = n
        self._share: Share | None = None
        self._replaced = hooks
        for name, function in hooks.items():
            setattr(self, name, function)

    # -- one epoch -------------------------------------------------------------------------

    def __len__(self) -> int:
        """Batches per epoch; unknown for a stream without `n`."""
        if self.n is None:
            raise TypeError("this loader reads a stream; how many batches it gives is not known")
        if self.bs is None:
            return self.n
        return self.n // self.bs if self.drop_last else -(-self.n // self.bs)

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch, on `device`, through `after_batch`."""
        self.randomize()
        key, first = self._take_key(), self._skip
        self.before_iter()
        try:
            for number, made in enumerate(self._made(key), first):
                self._position = key, number + 1
                yield self._finish(made, key, number)
        finally:
            self._skip = 0
        self.after_iter()

    def set_epoch(self, seed: int, epoch: int, skip: int = 0) -> None:
        """Fix order and augmentation of the next epoch: equal arguments, equal data.

        Args:
            seed: of the run.
            epoch: which one of the run.
            skip: batches to leave out at its beginning, which are not made.
        """
        self._key, self._skip = (seed, epoch), skip

    def state_dict(self) -> dict[str, int]:
        """Where the last epoch stands: run seed, epoch, and batches that it has given."""
        if self._position is None:
            return {}
        (seed, epoch), batches = self._position
        return {"seed": seed, "epoch": epoch, "batches": batches}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next epoch go on where `state` stands, with any number of workers."""
        if state:
            self.set_epoch(state["seed"], state["epoch"], state["batches"])

    def randomize(self) -> None:
        """Choose a key for an epoch for which `set_epoch` gave none, from torch's generator."""
        if self._key is None:
            self._key = (draw_seed(), 0)

    def one_batch(self) -> Any:
        """The first batch, made in this process."""
        if self.n is not None and len(self) == 0:
            raise ValueError(
                f"this loader has no batch: {self.n} samples, bs={self.bs}, "
                f"drop_last={self.drop_last}"
            )
        pinned, skip = self._key, self._skip
        self.randomize()
        key, self._skip = self._take_key(), 0
        # An epoch that set_epoch asked for is still to come.
        self._key = pinned
        self.before_iter()
        try:
            for made in self._local(key):
                return self._finish(made, key, 0)
        finally:
            self._skip = skip
        raise ValueError("this loader gave no batch; its stream is empty or all items were skipped")

    def peek(self) -> Any:
        """`one_batch` for whoever only wants to know what batches are like: draws no seed."""
        with isolated(0):
            return self.one_batch()

    def _take_key(self) -> Key:
        key, self._key = self._key, None
        if key is None:
            raise ValueError("randomize left this loader without a key; call set_epoch in it")
        return key

    def _finish(self, made: Any, key: Key, number: int) -> Any:
        batch = made if self.device is None else to_device(made, self.device)
        with keyed(*key, number, Purpose.BATCH, *self._place):
            return self.after_batch(batch)

    def _made(self, key: Key) -> Iterator[Any]:
        return self._local(key) if self.num_workers == 0 else self._by_workers(key)

    def _local(self, key: Key) -> Iterator[Any]:
        if self.indexed:
            for job in self.jobs(key):
                yield from self.do_job(job, restore=True)
        else:
            yield from chain.from_iterable(self.read_stream(key))

    def _by_workers(self, key: Key) -> Iterator[Any]:
        results = self._started(self._torch_loader(key))
        try:
            for number in count(self._skip):
                try:
                    result = next(results, None)
                except RuntimeError as error:  # torch's word for a worker that died or hangs
                    owed = [self._skip + at for at in _owed_by_the_dead(results)] or [number]
                    _end_workers(results, error)
                    self._torch = None
                    told = self._awaited(key, owed)
                    raise DataError(f"{error}\n{told}") from error
                if result is None:
                    return
                for made in result:
                    if isinstance(made, Failure):
                        made.raise_again()
                    if isinstance(made, LeftOut):
                        self._note_bad(made.told)
                    else:
                        yield made
        finally:
            del results  # an error that is kept keeps this frame, and workers would wait in it

    def _awaited(self, key: Key, numbers: Sequence[int]) -> str:
        """Which batches a worker did not give, and of what they were to be made."""
        told = f"its worker was at batch {' or '.join(map(str, numbers))}"
        jobs = [job for job in self.jobs(key) if job[1] in numbers] if self.indexed else []
        if not jobs:
            return told
        items = [i for job in jobs for i in job[2]]
        named = ", ".join(f"{i}{self._source(i)}" for i in items[:12])
        more = ", ..." if len(items) > 12 else ""
        return f"{told}, of the items {named}{more}; with num_workers=0 the error itself is seen"

    def take_untold(self) -> list[str]:
        """In a worker: what there is to say of items that were left out; said once."""
        told, self._untold = self._untold, []
        return told

    def _note_bad(self, told: Iterable[str]) -> None:
        for line in told:
            self.bad_items.append(line)
            warnings.warn(f"left out: {line}", stacklevel=2)

    def _started(self, loader: torch_data.DataLoader[Any]) -> Iterator[list[Any]]:
        try:
            return iter(loader)
        except (AttributeError, TypeError, PicklingError) as error:
            error.add_note(
                "while this loader was sent to its worker processes, which are started by "
                f"{multiprocessing.get_start_method()!r} here: functions and classes have to stand "
                "at the top level of a module for that (no lambda); or pass num_workers=0"
            )
            raise

    def _torch_loader(self, key: Key) -> torch_data.DataLoader[Any]:
        """The stock loader whose workers do our jobs; kept when workers persist."""
        if self._torch is None or not self.indexed:
            work: Any = Worker(self) if self.indexed else Stream(self, key)
            self._torch = torch_data.DataLoader(
                work,
                batch_size=None,
                sampler=JobSampler(self) if self.indexed else None,
                num_workers=self.num_workers,
                pin_memory=self.pin_memory,
                timeout=self.timeout,
                worker_init_fn=self.wif,
                persistent_workers=self.persistent_workers and self.indexed,
                prefetch_factor=self.prefetch_factor,
                collate_fn=noop,
                generator=torch.Generator(),  # else torch draws from the global one
            )
        if self.indexed:
            self._torch.sampler.key = key  # type: ignore[attr-defined]  # it is a JobSampler
        loader = self._torch
        if not self.persistent_workers:
            self._torch = None
        return loader

    # -- what a job does -------------------------------------------------------------------

    def jobs(self, key: Key) -> Iterator[Job]:
        """The epoch as jobs: (key, number of the batch, indices of its samples)."""
        with keyed(*key, Purpose.ORDER):
            indices = list(self.sample())
        draws = repeats(indices)
        size = self.bs or 1
        for number, start in enumerate(range(0, len(indices), size)):
            if number < self._skip:
                continue
            chunk = indices[start : start + size]
            if len(chunk) == size or not self.drop_last:
                job: Job = key, number, chunk, draws[start : start + size] if draws else None
                yield job if self._share is None else self._share.of(job)

    def do_job(self, job: Job, *, restore: bool) -> list[Any]:
        """The batches of one job; none when all of its items were skipped."""
        key, number, indices, _ = job
        seed = mix_key(*key, number, Purpose.GLOBAL, *self._place)
        try:
            with isolated(seed, restore=restore), JobKey(job, seed, self.bs or 1) as current:
                made = list(self.create_batches(current.each(indices)))
                if self._share is not None and len(made) != 1:
                    raise DataError(
                        f"process {self._share.rank} has {len(made)} batches where the others have "
                        "one, since its samples were skipped or split; several processes need one "
                        "each, so leave such items out of the data set"
                    )
                return made
        except Exception as error:
            error.add_note(f"while batch {number} was made, of the items {indices}")
            raise

    def read_stream(self, key: Key, part: int = 0, parts: int = 1) -> Iterator[list[Any]]:
        """The results of the jobs `part`, `part + parts`, ... of a stream, which is read whole."""
        restore = parts == 1
        with isolated(mix_key(*key, Purpose.ORDER), restore=restore):
            source = repeat(None) if self.dataset is None else iter(self.dataset)
        samples = islice(source, self.n)
        size = self.bs or 1
        for number in count():
            seed = mix_key(*key, number, Purpose.GLOBAL)
            # Items of a stream have no index; their place in it is their key.
            job: Job = (key, number, range(number * size, (number + 1) * size), None)
            with isolated(seed, restore=restore), JobKey(job, seed, size) as current:
                chunk = _read(samples, size, number * size)
                if not chunk and number == 0 and isinstance(self.dataset, Iterator):
                    raise DataError(
                        f"the stream, a {type(self.dataset).__name__}, is used up: an iterator can "
                        "be read once; pass an object whose __iter__ starts anew for each epoch"
                    )
                if not chunk or (len(chunk) < size and self.drop_last):
                    return
                if number < self._skip or (number - self._skip) % parts != part:
                    continue
                done = list(self.create_batches(current.each(chunk)))
            yield done

    def shared(self, share: Share) -> Self:
        """A copy that makes of each batch what one of several processes needs of it."""
        part = copy.copy(self)
        part._share = share
        return part

    @property
    def _place(self) -> tuple[int, ...]:
        """What the seeds of this process have beyond those of one process alone."""
        return (self._share.rank,) if self._share is not None and self._share.rank else ()

    # -- steps that can be replaced --------------------------------------------------------

    def get_idxs(self) -> list[Any]:
        """The indices of one epoch, in order."""
        indices: list[Any] = list(range(self.n or 0))
        return self.shuffle_fn(indices) if self.shuffle else indices

    def sample(self) -> Iterable[Any]:
        """What `create_item` gets, sample by sample."""
        return self.get_idxs()

    def shuffle_fn(self, idxs: Sequence[Any]) -> list[Any]:
        """`idxs` in a random order, which the key decides."""
        order = torch.randperm(len(idxs), generator=generator())
        return [idxs[i] for i in order.tolist()]

    def create_item(self, s: Any) -> Any:
        """The sample with index `s`; for a stream, `s` is the sample itself."""
        return self.dataset[s] if self.indexed else s

    def after_item(self, item: Any) -> Any:
        """What is done to each sample."""
        return item

    def do_item(self, s: Any) -> Any:
        """A finished sample: created, then through `after_item`."""
        return self.after_item(self.create_item(s))

    def before_batch(self, samples: Any) -> Any:
        """What is done to the samples of a batch before they are stacked."""
        return samples

    def create_batch(self, samples: Any) -> Any:
        """A batch from samples; one sample that is a batch already is only converted."""
        return fa_convert(samples) if self.prebatched else fa_collate(samples)

    def retain(self, batch: Any, samples: Any) -> Any:  # noqa: ARG002 - for subclasses
        """`batch` with what the samples had and stacking lost; stacking here loses nothing."""
        return batch

    def do_batch(self, samples: Any) -> Any:
        """A finished batch of samples."""
        prepared = self.before_batch(samples)
        return self.retain(self.create_batch(prepared), prepared)

    def chunkify(self, samples: Iterable[Any]) -> Iterable[Any]:
        """Samples in lists of a batch each; as they come where they are batches."""
        if self.prebatched:
            return samples
        chunk = list(samples)
        return [chunk] if chunk else []

    def create_batches(self, samps: Iterable[Any]) -> Iterable[Any]:
        """The batches of one job, as a rule one; `samps` are indices, or samples of a stream."""
        return map(self.do_batch, self.chunkify(self._items(samps)))

    def _items(self, samps: Iterable[Any]) -> Iterator[Any]:
        for s in samps:
            try:
                yield self.do_item(s)
            except SkipItemException:
                continue
            except Exception as error:
                # A pipeline has wrapped the exception once; that one is what happened.
                wrapped = error.__cause__ if isinstance(error, DataError) else None
                bad = self._item_error(s, error)
                if self.on_bad_item == "raise":
                    raise bad from (wrapped or error)
                if torch_data.get_worker_info() is None:
                    self._note_bad([str(bad)])
                else:
                    self._untold.append(str(bad))

    def _item_error(self, s: Any, error: Exception) -> DataError:
        told = self._source(s)
        what = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
        return DataError(f"item {s if self.indexed else describe(s)}{told}: {what}")

    def _source(self, s: Any) -> str:
        """What item `s` is made from (a file, as a rule), in brackets; nothing if not known."""
        items: Any = getattr(self.dataset, "items", None)
        known = self.indexed and hasattr(items, "__getitem__") and isinstance(s, int)
        if not known or s >= len(items):
            return ""
        source = items.iloc[s].to_dict() if hasattr(items, "iloc") else items[s]
        return f" ({describe(source)})" if source is not None else ""

    def after_batch(self, batch: Any) -> Any:
        """What is done to each batch, on the device."""
        return batch

    def before_iter(self) -> None:
        """Called before each epoch."""

    def after_iter(self) -> None:
        """Called after each epoch that was read to its end."""

    wif: Callable[[int], None] | None = None  # worker initialisation, called with the worker's id

    # -- the rest --------------------------------------------------------------------------

    @property
    def prebatched(self) -> bool:
        """Whether each sample is a batch already."""
        return self.bs is None

    def to(self, device: torch.device | str | None) -> Self:
        """Send batches to `device` from now on."""
        self.device = torch.device(device) if device is not None else None
        return self

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        names = (
            "bs shuffle drop_last indexed num_workers pin_memory timeout device "
            "persistent_workers prefetch_factor on_bad_item"
        )
        own = {name: getattr(self, name) for name in names.split()}
        return {**own, "n": self._limit, **self._replaced}

    def new(self, dataset: Any = None, cls: type[DataLoader] | None = None, **kwargs: Any) -> Any:
        """A loader like this one, over `dataset` if given, with other settings where given."""
        if dataset is None:
            dataset = self.dataset
        settings = self.settings()
        if dataset is not self.dataset:
            # Length, stream or not, and workers worth starting belong to the data set.
            settings.update(n=None, indexed=None, num_workers=None if self.num_workers else 0)
        return (cls or type(self))(dataset, **{**settings, **kwargs})

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_torch": None}


def _owed_by_the_dead(results: Any) -> list[int]:
    """The batches that dead workers have not given: they died at one of them."""
    workers = getattr(results, "_workers", ())
    dead = {number for number, worker in enumerate(workers) if not worker.is_alive()}
    # A task with a result has that behind the number of its worker.
    tasks = getattr(results, "_task_info", {}).items()
    return sorted(at for at, task in tasks if len(task) == 1 and task[0] in dead)


def _end_workers(results: Any, error: BaseException) -> None:
    """End what hangs at once, and let the error keep nothing of the workers alive."""
    for worker in getattr(results, "_workers", ()):
        worker.terminate()
    traceback.clear_frames(error.__traceback__)


def worker_count(batches: int | None, device: torch.device | str | None = None) -> int:
    """Processes worth starting for that many batches: one for each four, as far as cores go.

    Where an accelerator computes, all cores are free for them, eight at most. On the CPU they take
    from the computation, whose threads wait for the slowest: a quarter of the cores, so that a
    machine of two makes batches in the main process.

    Args:
        batches: of an epoch; None for a stream.
        device: where the model is; `default_device()` when None.

    Example:
        >>> worker_count(3, "cuda")
        0
    """
    cores = available_cores()
    is_cpu = (default_device() if device is None else torch.device(device)).type == "cpu"
    most = cores // 4 if is_cpu else min(cores, 8)
    return most if batches is None else min(most, batches // _BATCHES_PER_WORKER)


def _is_indexed(dataset: Any) -> bool:
    return hasattr(dataset, "__getitem__") and not isinstance(dataset, torch_data.IterableDataset)


def _length(dataset: Any, n: int | None, indexed: bool) -> int | None:
    try:
        size: int | None = len(dataset)
    except (TypeError, NotImplementedError):
        size = None
    if indexed and size is None and n is None:
        raise ValueError(
            f"{type(dataset).__name__} has no length; pass n=, how many samples an epoch has"
        )
    return n if size is None else size if n is None else min(n, size)


def _read(samples: Iterator[Any], size: int, start: int) -> list[Any]:
    chunk = []
    try:
        for sample in islice(samples, size):
            chunk.append(sample)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(
            f"reading item {start + len(chunk)} of the stream failed: {what}"
        ) from error
    return chunk


@cache  # each loader asks, and reading signatures takes longer than making one
def loader_options(cls: type) -> tuple[str, ...]:
    """The keywords that a class of loader takes, those of its bases and hooks among them."""
    from inspect import signature

    names = chain.from_iterable(
        signature(vars(c)["__init__"]).parameters for c in cls.__mro__ if "__init__" in vars(c)
    )
    return (
        *(n for n in dict.fromkeys(names) if n not in ("self", "hooks", "kwargs", "args")),
        *DataLoader._hooks,
    )
