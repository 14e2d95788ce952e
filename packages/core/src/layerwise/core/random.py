"""Randomness that is keyed, not streamed.

Whoever makes a sample or a batch does so inside `keyed(run_seed, epoch, index)`; whatever draws
random numbers there takes `generator()`. The draw then depends on the key alone: not on the number
of workers, on prefetching, or on what was drawn before.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "deterministic",
    "draw_seed",
    "generator",
    "get_random_states",
    "isolated",
    "keyed",
    "mix_key",
    "no_random",
    "seed_everything",
    "set_random_states",
    "set_seed",
    "uniform",
]

RandomStates = dict[str, Any]

_MASK = (1 << 64) - 1
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_current: ContextVar[keyed | None] = ContextVar("layerwise_random_key", default=None)


def mix_key(*parts: int) -> int:
    """A 63-bit seed from integers; any change of one part changes about half of the bits.

    The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), applied part by part.

    Example:
        >>> mix_key(42, 0, 7) == mix_key(42, 0, 7), mix_key(42, 0, 7) == mix_key(42, 7, 0)
        (True, False)
    """
    state = 0
    for part in parts:
        state = (state + 0x9E3779B97F4A7C15 + part) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


class keyed:  # noqa: N801 - used as a context manager, like `suppress` or `closing`
    """Within this context `generator()` is a generator seeded from the key.

    The generator is only made when something draws, so that the context costs about a microsecond
    where nothing is random. It may be entered again; each time it starts afresh.

    Args:
        parts: integers, as a rule (run seed, epoch, index).

    Example:
        >>> with keyed(1, 2, 3):
        ...     a = torch.rand(2, generator=generator())
        >>> with keyed(1, 2, 3):
        ...     b = torch.rand(2, generator=generator())
        >>> torch.equal(a, b)
        True
    """

    __slots__ = ("_generator", "_parts", "_token")

    def __init__(self, *parts: int) -> None:
        self._parts = parts
        self._generator: torch.Generator | None = None

    def __enter__(self) -> Self:
        self._generator = None
        self._token: Token[keyed | None] = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _current.reset(self._token)

    def generator(self) -> torch.Generator:
        """The generator of this key, made at the first call."""
        if self._generator is None:
            self._generator = torch.Generator().manual_seed(mix_key(*self._parts))
        return self._generator


def generator() -> torch.Generator | None:
    """The CPU generator of the sample or batch being made; None outside, where torch's own is used.

    Pass it on as it is: `torch.rand(n, generator=generator())`.
    """
    current = _current.get()
    return None if current is None else current.generator()


def uniform(low: float = 0.0, high: float = 1.0) -> float:
    """One number from [low, high), drawn with `generator()`.

    Example:
        >>> with keyed(0):
        ...     0.5 <= uniform(0.5, 0.75) < 0.75
        True
    """
    return low + (high - low) * float(torch.rand((), generator=generator(), dtype=torch.float64))


def draw_seed() -> int:
    """A new 62-bit seed from torch's global generator, so that `set_seed` repeats it."""
    return int(torch.randint(1 << 62, ()).item())


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


def set_seed(s: int, reproducible: bool = False) -> None:
    """Seed the global generators of Python, numpy and torch with `s`.

    Args:
        s: the seed.
        reproducible: also make cuDNN choose deterministic kernels, at some cost of speed.
    """
    seed_everything(s)
    if reproducible:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


@contextmanager
def deterministic() -> Iterator[None]:
    """Inside, torch uses deterministic algorithms alone, and an operation that has none raises.

    With a seed and the same machine, versions and number of threads, two runs are then equal bit
    for bit on accelerators too. On the CPU they are so anyway, but for a few operations, which are
    found in this way. What was set before is set again at the end.

    Raises:
        RuntimeError: from torch, inside, where an operation has no deterministic form; names it.

    Example:
        >>> with deterministic():
        ...     torch.are_deterministic_algorithms_enabled()
        True
    """
    before = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, workspace = torch.backends.cudnn.benchmark, os.environ.get(_WORKSPACE)
    try:
        torch.backends.cudnn.benchmark = False
        os.environ.setdefault(_WORKSPACE, ":4096:8")  # what torch asks for with CUDA
        torch.use_deterministic_algorithms(True)
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warned)
        torch.backends.cudnn.benchmark = benchmark
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)


def get_random_states() -> RandomStates:
    """The states of the global generators of Python, numpy and torch, for `set_random_states`."""
    states: RandomStates = {
        "random_state": random.getstate(),
        "numpy_state": np.random.get_state(),
        "torch_state": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["torch_cuda_state"] = torch.cuda.get_rng_state_all()
    return states


def set_random_states(
    random_state: Any,
    numpy_state: Any,
    torch_state: Tensor,
    torch_cuda_state: list[Tensor] | None = None,
) -> None:
    """Put back what `get_random_states` returned: `set_random_states(**states)`."""
    random.setstate(random_state)
    np.random.set_state(numpy_state)
    torch.set_rng_state(torch_state)
    if torch_cuda_state is not None:
        torch.cuda.set_rng_state_all(torch_cuda_state)


class isolated:  # noqa: N801 - a context manager, like `keyed`
    """Within this context the global generators of Python, numpy and torch (CPU) start at `seed`.

    Outside they go on as if nothing had been drawn. So a user's reader or transform that draws
    from `random`, `np.random` or torch gives the same in the main process and in any worker. About
    20 microseconds: cheap enough for every batch, unlike `no_random`, which covers devices too.
    One thing is lost: the second of two normal numbers that `np.random.randn` makes at a time.

    Args:
        seed: what the three generators start from.
        restore: put the former states back; a worker process has no use for them.
    """

    __slots__ = ("_restore", "_seed", "_spare", "_states")

    def __init__(self, seed: int, *, restore: bool = True) -> None:
        self._seed = seed
        self._restore = restore

    def __enter__(self) -> None:
        if self._restore:
            # Another bit generator for numpy: copying the state of its own takes 50 microseconds,
            # making one 90.
            numpy = np.random.mtrand.get_bit_generator()
            self._states = random.getstate(), numpy, torch.default_generator.get_state()
            self._spare = _SPARE.pop() if _SPARE else np.random.MT19937(0)
            np.random.mtrand.set_bit_generator(self._spare)
        random.seed(self._seed)
        np.random.seed(self._seed & 0xFFFFFFFF)
        torch.default_generator.manual_seed(self._seed)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._restore:
            python, numpy, torch_ = self._states
            random.setstate(python)
            np.random.mtrand.set_bit_generator(numpy)
            torch.default_generator.set_state(torch_)
            _SPARE.append(self._spare)


_SPARE: list[np.random.MT19937] = []
"""Bit generators that stand in for numpy's own, one for each context inside another."""


@contextmanager
def no_random(seed: int = 42, reproducible: bool = False) -> Iterator[None]:
    """A fixed seed inside, the former states of all global generators outside.

    Example:
        >>> with no_random():
        ...     a = torch.rand(1)
        >>> with no_random():
        ...     b = torch.rand(1)
        >>> torch.equal(a, b)
        True
    """
    states = get_random_states()
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    try:
        set_seed(seed, reproducible=reproducible)
        yield
    finally:
        set_random_states(**states)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = flags
