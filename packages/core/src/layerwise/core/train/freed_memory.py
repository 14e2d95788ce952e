"""Memory freed in training stays with the process, instead of going back to the system each step.

glibc asks the system for every large block anew, and each of its pages is filled with zeros at the
first touch. A step on the CPU frees and asks for all its activations: for a convolutional network
that is a quarter of the time.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

__all__: list[str] = []

# Of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER = 2**31 - 1
# Where glibc's own adjusting ends once blocks of such sizes have been freed (mallopt(3)).
_LARGEST_THRESHOLD, _BLOCKS = 32 * 1024 * 1024, 65_536
_OF_THE_USER = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")

_lock = Lock()
_depth = 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within this context, memory that is freed is used again; behind it, it is given back.

    Where another C library or allocator is in use, or the environment says how memory is to be
    handled (`MALLOC_...`, `GLIBC_TUNABLES`, `LD_PRELOAD`), nothing is changed. Contexts may lie
    within each other, and in several threads.
    """
    library = _glibc()
    if library is None:
        yield
        return
    _enter(library)
    try:
        yield
    finally:
        _leave(library)


def _enter(library: Any) -> None:
    global _depth
    with _lock:
        _depth += 1
        if _depth == 1:
            library.mallopt(_MMAP_MAX, 0)
            library.mallopt(_TRIM_THRESHOLD, _NEVER)


def _leave(library: Any) -> None:
    global _depth
    with _lock:
        _depth -= 1
        if _depth == 0:
            library.mallopt(_MMAP_MAX, _BLOCKS)
            library.mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
            library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_THRESHOLD)
            library.malloc_trim(0)


def give_back_freed() -> None:
    """Nothing; the system gets back what was freed between blocks that are still in use.

    For after work that has made and freed many large blocks, whose holes fit nothing that comes.
    """
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> Any | None:
    """The C library, if it is one that can be told, and nobody else tells it."""
    if platform.system() != "Linux" or any(name.startswith(_OF_THE_USER) for name in os.environ):
        return None
    library = ctypes.CDLL(None)
    names = ("gnu_get_libc_version", "mallopt", "malloc_trim")
    return library if all(hasattr(library, name) for name in names) else None
