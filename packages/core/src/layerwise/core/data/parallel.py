"""`parallel_gen`: a class with a setup and a call over items, run by several processes at once.

Results come in the order of the items and while later ones are still being made. A process gets at
most two chunks ahead, so that neither items nor results pile up, however slow the reader is.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

import torch

from layerwise.core.data.jobs import Failure
from layerwise.core.devices import available_cores
from layerwise.core.errors import DataError

__all__ = ["ParallelWork", "parallel_gen"]

T_contra = TypeVar("T_contra", contravariant=True)
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

_AHEAD = 2  # chunks that a process has been given and not given back
_CHUNK = 32  # items of a chunk: few enough to bound memory, many enough to be worth a message
_Message = tuple[int, list[Any]] | Exception
"""The number of a first item and the chunk, or what went wrong when it was unpacked."""

_PATIENCE = 5.0  # seconds for a process to end when it is told to


class ParallelWork(Protocol[T_contra, R_co]):
    """What `parallel_gen` runs: made once in each process, then called on iterators of items.

    Whatever takes long to set up belongs into `__init__`.
    """

    def __call__(self, items: Iterator[T_contra], /) -> Iterable[R_co]:
        """One result for each of `items`, in their order."""


def parallel_gen(
    make: Callable[..., ParallelWork[T, R]],
    items: Iterable[T],
    n_workers: int | None = None,
    *,
    chunk_size: int | None = None,
    **settings: Any,
) -> Iterator[R]:
    """The results of `make(**settings)` over `items`, in their order, made by several processes.

    `items` are read as they are needed and results are given as soon as they and all before them
    are there, so that both may be streams longer than memory. Processes end when the iterator is
    used up, closed or forgotten, and when this process ends, however it does.

    Args:
        make: a class with `__init__(**settings)` and `__call__(items) -> results`; see
            `ParallelWork`. Where processes are spawned (macOS, Windows), it has to stand at the
            top level of a module.
        items: anything that can be pickled.
        n_workers: processes; 0 does the work here; by default one for each core, or 0 inside of a
            worker of a loader, which may start none.
        chunk_size: items that go to a process in one message. By default 32, or fewer where there
            are too few items to go round.
        settings: for `make`.

    Raises:
        ValueError: if `n_workers` or `chunk_size` is out of range, or `make` gives more or fewer
            results than there were items.
        DataError: if a process dies; says with what and at which items.
        Exception: whatever `make` raises, with notes that name the item and the place.

    Example:
        >>> class Power:
        ...     def __init__(self, exponent: int) -> None: self.exponent = exponent
        ...     def __call__(self, items): return (item**self.exponent for item in items)
        >>> list(parallel_gen(Power, range(5), n_workers=2, exponent=2))
        [0, 1, 4, 9, 16]
    """
    workers = _worker_count(n_workers)
    size = _chunk_size(chunk_size, items, workers)
    if workers == 0:
        return _here(make, settings, items, size)
    return _by_processes(make, settings, items, workers, size)


def _worker_count(n_workers: int | None) -> int:
    if n_workers is None:
        return 0 if multiprocessing.current_process().daemon else available_cores()
    if n_workers < 0:
        raise ValueError(f"n_workers={n_workers}; give how many processes, 0 for none but this one")
    return n_workers


def _chunk_size(chunk_size: int | None, items: Any, workers: int) -> int:
    if chunk_size is None:
        spread = len(items) // (4 * max(1, workers)) if isinstance(items, Sized) else _CHUNK
        return max(1, min(_CHUNK, spread))
    if chunk_size < 1:
        raise ValueError(f"chunk_size={chunk_size}; a message has one item at least")
    return chunk_size


# -- the work itself -------------------------------------------------------------------------


def _worked(work: ParallelWork[Any, R], chunk: Sequence[Any], start: int) -> Iterator[R]:
    """The results of `work` for `chunk`, whose first item has the number `start`."""
    taken = given = 0

    def each() -> Iterator[Any]:
        nonlocal taken
        for item in chunk:
            taken += 1
            yield item

    try:
        for result in work(each()):
            given += 1
            yield result
    except Exception as error:
        at = max(given, taken - 1)
        item = f"{chunk[at]!r:.200}" if at < len(chunk) else "the end"
        before = f", or in one of the {at - given} before it" if at > given else ""
        error.add_note(f"while item {start + at} was worked on: {item}{before}")
        raise
    if given != len(chunk):
        raise ValueError(
            f"{type(work).__name__} gave {given} results for {len(chunk)} items (from item "
            f"{start} on); its __call__ has to give one result for each item"
        )


def _here(
    make: Callable[..., ParallelWork[T, R]], settings: dict[str, Any], items: Iterable[T], size: int
) -> Iterator[R]:
    work = make(**settings)
    waiting, start = iter(items), 0
    while chunk := list(islice(waiting, size)):
        yield from _worked(work, chunk, start)
        start += len(chunk)


# -- processes -------------------------------------------------------------------------------


class _Process:
    """A process at work, and the chunks that it owes."""

    def __init__(
        self, make: Any, settings: dict[str, Any], number: int, others: Sequence[_Process]
    ) -> None:
        context = multiprocessing.get_context()
        self.number = number
        self.owes: deque[tuple[int, int]] = deque()  # first item and count of each chunk
        self.connection, theirs = context.Pipe()
        is_fork = context.get_start_method() == "fork"
        # A forked process has copies of our ends of the pipes, which would hide that we are gone.
        ours = [p.connection for p in [*others, self]] if is_fork else []
        self.process = context.Process(
            target=_serve, args=(make, settings, theirs, ours), daemon=True
        )
        try:
            self.process.start()
        except (AttributeError, TypeError) as error:
            error.add_note(
                "while the work was sent to a process: where processes are spawned, classes have "
                "to stand at the top level of a module; or pass n_workers=0"
            )
            raise
        finally:
            theirs.close()

    def give(self, chunk: list[Any], start: int) -> None:
        self.owes.append((start, len(chunk)))
        try:
            self.connection.send((start, chunk))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self.died() from error

    def take(self) -> list[Any]:
        try:
            made = self.connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self.died() from error
        self.owes.popleft()
        if isinstance(made, Failure):
            made.raise_again()
        return list(made)

    def died(self) -> DataError:
        self.process.join(_PATIENCE)
        start, count = self.owes[0]
        return DataError(
            f"worker process {self.number} died with exit code {self.process.exitcode} at the "
            f"items {start} to {start + count - 1} (a negative code is a signal; -9 often means "
            "that memory ran out). With n_workers=0 the work is done here, where its error is seen"
        )

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


def _by_processes(
    make: Any, settings: dict[str, Any], items: Iterable[Any], workers: int, size: int
) -> Iterator[Any]:
    waiting, start = iter(items), 0
    processes: list[_Process] = []
    turns: deque[_Process] = deque()  # whose results come next
    try:
        while True:
            while len(turns) < _AHEAD * workers and (chunk := list(islice(waiting, size))):
                if len(processes) < workers:  # none is started that would have nothing to do
                    processes.append(_Process(make, settings, len(processes), processes))
                    turns.append(processes[-1])
                else:
                    # The turns go round, so that it is the turn of whoever has waited longest.
                    turns.append(turns[-workers])
                turns[-1].give(chunk, start)
                start += len(chunk)
            if not turns:
                return
            yield from turns.popleft().take()
    finally:
        for process in processes:
            process.end()


def _serve(make: Any, settings: dict[str, Any], pipe: Connection, ours: list[Connection]) -> None:
    """What a process does: chunks in, lists of results out, until the pipe is closed."""
    for connection in ours:
        connection.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever the parent does when it is told to end
    torch.set_num_threads(1)  # as in the workers of a loader: the cores are taken by the others
    chunks: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    # Read by a thread, so that the parent never waits to send while we wait to send.
    threading.Thread(target=_read, args=(pipe, chunks), daemon=True).start()
    work: Any = None
    with suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone, or wants no more
        while True:
            try:
                start, chunk = _opened(chunks.get())
                work = make(**settings) if work is None else work
                made: Any = list(_worked(work, chunk, start))
            except Exception as error:  # sent to the parent, which raises it
                made = Failure(error)
            _send(pipe, made)


def _send(pipe: Connection, made: Any) -> None:
    try:
        pipe.send(made)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # results that cannot be pickled
        error.add_note("while results were sent to the parent process; they have to be picklable")
        pipe.send(Failure(error))


def _read(pipe: Connection, chunks: queue.SimpleQueue[_Message]) -> None:
    while True:
        try:
            chunks.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(0)  # the parent is gone or wants no more; nothing here is worth a cleanup
        except Exception as error:  # items whose class is not found here
            chunks.put(error)


def _opened(message: _Message) -> tuple[int, list[Any]]:
    if isinstance(message, Exception):
        raise message
    return message
