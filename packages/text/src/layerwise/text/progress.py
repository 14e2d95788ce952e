"""A bar for work on many texts, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from layerwise.core.train.progress import in_notebook

__all__: list[str] = []


@contextmanager
def bar(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """A function that moves a bar on; it does nothing where no one watches."""
    if not (sys.stderr.isatty() or in_notebook()):
        yield lambda _count: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=what, leave=False, dynamic_ncols=True) as shown:

        def step(count: int) -> None:
            shown.update(count)

        yield step
