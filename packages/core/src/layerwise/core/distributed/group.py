"""The group of processes that train together: joined, left in order, and explained when it breaks.

The launcher (`layerwise launch`, `torchrun`) starts the processes and tells each its number. What
is here makes them a group, with a time limit of minutes where torch would wait for half an hour,
and takes it down in the one order in which processes end cleanly.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist

from layerwise.core.devices import num_distrib, rank_distrib

__all__ = ["rank0_first", "setup_distrib", "teardown_distrib"]

P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT = 300.0
"""Seconds that a process waits for the others. Torch waits 1,800; a step takes seconds at most, and
the longest wait in a sound run is for process 0 to write a checkpoint."""

_ANSWER = 1.0
"""Seconds in which a process that lives says so when the group breaks."""

_PATIENCE = 5.0
"""Seconds for the store to say what they said."""

_store: Any = None  # where processes leave a word for each other; the launcher keeps it
_groups = 0  # how many this process has been in: each meets under a name of its own


def setup_distrib(
    gpu: int | None = None, *, backend: str | None = None, timeout: float = TIMEOUT
) -> int | None:
    """Join the group of the processes that the launcher started. Returns the GPU in use, if any.

    Nothing happens where the launcher has started no others, or the group is there already.

    Args:
        gpu: which GPU this process uses; the one with its number on this machine when None.
        backend: what carries the tensors; gloo on CPUs, and NCCL beside it where there are GPUs,
            when None.
        timeout: seconds to wait for the others before it is an error.
    """
    global _store, _groups
    if torch.cuda.is_available():
        gpu = int(os.environ.get("LOCAL_RANK", "0")) if gpu is None else gpu
        torch.cuda.set_device(gpu)
    else:
        gpu = None
    if num_distrib() < 2 or dist.is_initialized():
        return gpu
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]  # it is documented
    from torch.distributed.rendezvous import rendezvous

    limit = timedelta(seconds=timeout)
    if backend is None:
        backend = "gloo" if gpu is None else "cpu:gloo,cuda:nccl"
    store, rank, size = next(rendezvous("env://", timeout=limit))
    _groups += 1
    met = _meet(PrefixStore(f"meeting{_groups}", store), rank, size, timeout)
    _store = PrefixStore(f"words/{met}", store)
    own = PrefixStore(f"group/{met}", store)
    dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=limit)
    _store.set(f"who/{rank}", f"{os.getpid()} {socket.gethostname()}")
    return gpu


def _meet(store: Any, rank: int, size: int, timeout: float) -> str:
    """A name for the group that these very processes have agreed on.

    The launcher's store lives on when processes are started again, and what dead ones have left in
    it would send the new ones to addresses where nobody is. So process 0 lists who is here, and
    each goes on when it finds itself in the list, not one of its name before.
    """
    own = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
    store.set(f"here/{rank}", own)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if rank == 0:
            here = [_read(store, f"here/{number}") for number in range(size)]
            store.set("list", json.dumps([own, here]))
            if all(store.check([f"with/{own}/{number}"]) for number in range(1, size)):
                store.set(f"go/{own}", "")
                return own
        else:
            first, here = json.loads(_read(store, "list") or '["", []]')
            if rank < len(here) and here[rank] == own:
                store.set(f"with/{first}/{rank}", "")
                if store.check([f"go/{first}"]):
                    return str(first)
        time.sleep(0.02)
    raise TimeoutError(
        f"process {rank} of {size} on {socket.gethostname()} has not met the others within "
        f"{timeout:g} s; look at what they say, and whether they can reach this machine"
    )


def _read(store: Any, key: str) -> str:
    return str(store.get(key).decode()) if store.check([key]) else ""


def teardown_distrib() -> None:
    """Leave the group, once all processes are here. Nothing happens where there is none.

    What was wrapped for the group has to be out of use by then: a wrapper that outlives its group
    aborts the process when Python ends (pytorch/pytorch issue 179291).
    """
    _leave(wait=True)


def _leave(*, wait: bool) -> None:
    global _store
    if not dist.is_initialized():
        return
    gc.collect()  # wrappers and their hooks are in reference cycles
    if wait:
        dist.barrier()
    dist.destroy_process_group()
    _store = None


@contextmanager
def joined(*, timeout: float = TIMEOUT, keep: bool = False) -> Iterator[None]:
    """In the group inside this context; out of it afterwards, unless it was there before.

    Args:
        timeout: for `setup_distrib`.
        keep: stay in the group afterwards.
    """
    own = not dist.is_initialized()
    setup_distrib(timeout=timeout)
    try:
        yield
    except BaseException as error:
        _explain(error)
        if own:
            # The others may be gone: waiting for them would hide the error for minutes.
            with contextlib.suppress(RuntimeError):
                _leave(wait=False)
        raise
    if own and not keep:
        teardown_distrib()


def rank0_first(func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `func` returns; process 0 calls it before the others do, as for a download.

    Example:
        >>> rank0_first(max, 1, 2)
        2
    """
    with joined():
        if rank_distrib() == 0:
            result = func(*args, **kwargs)
        if dist.is_initialized():
            dist.barrier()
        if rank_distrib() != 0:
            result = func(*args, **kwargs)
    return result


# -- what to say when the group breaks ---------------------------------------------------------


def _explain(error: BaseException) -> None:
    """Tell the others what happened here; add to `error` who did not answer, and in what."""
    if _store is None or not dist.is_initialized() or isinstance(error, GeneratorExit):
        return
    rank, size = rank_distrib(), num_distrib()
    call = _collective(error)
    said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    try:
        words = _within(_PATIENCE, partial(_exchange_words, rank, size, call, said))
    except Exception as lost:  # the machine with the store is gone
        words = [f"the launcher's store cannot be reached ({type(lost).__name__})"]
    if call is None:
        return
    error.add_note(
        f"process {rank} of {size} on {socket.gethostname()} ({dist.get_backend()}) could not "
        f"finish {call} with the others: {'; '.join(words) or 'all of them answer'}"
    )


def _within(seconds: float, question: Callable[[], list[str]]) -> list[str]:
    """What `question` returns. Behind a cut cable no store answers, and torch waits for ever."""
    answer: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(question())
        except Exception as error:  # for the thread that waits
            answer.put(error)

    threading.Thread(target=ask, daemon=True).start()  # which no exit waits for
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _exchange_words(rank: int, size: int, call: str | None, said: str) -> list[str]:
    """Say what happened here; what the others say, if this process was waiting for them."""
    _store.set(f"word/{rank}", "waiting" if call else f"failed with {said}")
    return [] if call is None else _words(rank, size)


def _words(rank: int, size: int) -> list[str]:
    """What the other processes say of themselves, those that only wait for others left out."""
    end = time.monotonic() + _ANSWER
    others = [number for number in range(size) if number != rank]
    silent = others
    while silent and time.monotonic() < end:
        silent = [n for n in silent if not _store.check([f"word/{n}"])]
        time.sleep(0.1)
    words = [f"process {n} gave no sign of life within {_ANSWER:g} s" for n in silent]
    for n in silent:
        _wake(n)
    for n in others:
        if n not in silent:
            word = _store.get(f"word/{n}").decode()
            words += [] if word == "waiting" else [f"process {n} {word}"]
    return words


def _wake(number: int) -> None:
    """Let a process of this machine go on if it was stopped: it has to hear that this is the end.

    The launcher asks it to end, which a stopped process does not hear, and waits for 30 seconds.
    """
    pid, _, host = _store.get(f"who/{number}").decode().partition(" ")
    if host == socket.gethostname() and hasattr(signal, "SIGCONT"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(pid), signal.SIGCONT)


def _collective(error: BaseException) -> str | None:
    """The exchange with other processes in which `error` arose; None for any other error."""
    if not isinstance(error, RuntimeError):
        return None
    told = f"{type(error).__name__} {error}".lower()
    signs = ("gloo", "nccl", "timed out", "connection closed", "connection reset", "distbackend")
    if not any(sign in told for sign in signs):
        return None
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        file = frame.filename.replace("\\", "/")
        if file.endswith("distributed/distributed_c10d.py") and frame.name != "wrapper":
            return frame.name
        if file.endswith("nn/parallel/distributed.py"):
            return "the broadcast of parameters and buffers (DistributedDataParallel)"
        if "fsdp" in file:
            return "all_gather or reduce_scatter of parameters (FSDP2)"
        if file.endswith("autograd/graph.py"):
            return "all_reduce of the gradients, in the backward pass"
    return "an exchange"
