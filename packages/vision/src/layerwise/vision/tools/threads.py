"""Work on many files at once, in threads, with a bar.

Pillow and the network let other threads run while they decode, encode and wait, so that threads do
at least as well here as processes, which would have to be started and sent everything.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from layerwise.core.devices import available_cores
from layerwise.core.train.progress import in_notebook

__all__: list[str] = []

T = TypeVar("T")
R = TypeVar("R")


def core_count(n_workers: int | None, name: str = "n_workers") -> int:
    """`n_workers`, or as many as there are cores for this process when None.

    Raises:
        ValueError: if it is negative. 0 is 1: all in the thread that asks.
    """
    if n_workers is None:
        return available_cores()
    if n_workers < 0:
        raise ValueError(f"{name}={n_workers}; give how many threads, or None for one a core")
    return max(1, n_workers)


def in_threads(
    func: Callable[[T], R], items: Sequence[T], n_workers: int, what: str | None = None
) -> Iterator[tuple[int, R]]:
    """The number of each of `items` with what `func` makes of it, as they are done.

    With a name for the work, there is a bar where someone watches. Few more than `n_workers` are
    begun ahead, so that a consumer that stops, stops the work.
    """
    bar = _bar(len(items), what)
    try:
        for pair in _each(func, items, n_workers):
            yield pair
            bar()
    finally:
        bar(close=True)


def _each(func: Callable[[T], R], items: Sequence[T], n_workers: int) -> Iterator[tuple[int, R]]:
    if n_workers == 1 or len(items) < 2:
        for i, item in enumerate(items):
            yield i, func(item)
        return
    waiting = iter(enumerate(items))
    running: dict[Future[R], int] = {}
    with ThreadPoolExecutor(n_workers, "pictures") as pool:
        try:
            while True:
                while len(running) < 2 * n_workers and (pair := next(waiting, None)) is not None:
                    running[pool.submit(func, pair[1])] = pair[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            for future in running:
                future.cancel()


def _bar(total: int, what: str | None) -> Callable[..., object]:
    """Moves a bar on by one, or closes it; does nothing where no one watches."""
    if what is None or not (sys.stderr.isatty() or in_notebook()):
        return lambda close=False: None  # noqa: ARG005 - as the one below
    from tqdm.auto import tqdm

    bar = tqdm(total=total, desc=what, leave=False, dynamic_ncols=True)
    return lambda close=False: bar.close() if close else bar.update()
