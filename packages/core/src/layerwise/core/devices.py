"""Where tensors go: the accelerator that really works here, and the facts of a distributed run."""

from __future__ import annotations

import os
import warnings
from functools import cache

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = [
    "any_process",
    "default_device",
    "distrib_barrier",
    "largest_of_processes",
    "maybe_gather",
    "num_distrib",
    "rank_distrib",
    "setup_cuda",
    "sum_processes",
]

_CPU = torch.device("cpu")


def available_cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def default_device(use: bool | None = None) -> torch.device:
    """The device to train on: the accelerator of this machine if it works, else the CPU.

    CUDA, ROCm, MPS, XPU and whatever else `torch.accelerator` knows are tried with a real
    operation, once per process, since a device can be listed and still be unusable.

    Args:
        use: None takes the accelerator if it works and falls back to the CPU, with one warning
            when it is there but broken; True demands it; False stays on the CPU.

    Raises:
        RuntimeError: with `use=True`, if there is no accelerator or it fails.

    Example:
        >>> default_device(use=False)
        device(type='cpu')
    """
    if use is False:
        return _CPU
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        if use:
            raise RuntimeError(
                "default_device(use=True): torch finds no accelerator here. Install a build of "
                "torch for your device and its driver, or pass use=False for the CPU"
            )
        return _CPU
    reason = _failure(accelerator.type)
    if reason is None:
        return torch.device(accelerator.type, torch.accelerator.current_device_index())
    if use:
        raise RuntimeError(
            f"default_device(use=True): an operation on {accelerator.type!r} failed ({reason}); "
            "mend the driver or the build of torch, or pass use=False for the CPU"
        )
    _warn_once(accelerator.type, reason)
    return _CPU


# Both caches hold facts about this process that cannot change while it runs.
@cache
def _failure(kind: str) -> str | None:
    """Why a small operation on devices of `kind` fails, None when it works."""
    try:
        found = (torch.ones(2, 2, device=kind) @ torch.ones(2, 2, device=kind)).sum().item()
    except Exception as error:  # drivers raise kinds of their own
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return None if found == 8 else f"a matrix product that sums to 8 gave {found}"


@cache
def _warn_once(kind: str, reason: str) -> None:
    warnings.warn(
        f"{kind!r} is present but does not work ({reason}); using the CPU. "
        "Pass device= to choose another one",
        stacklevel=3,
    )


def setup_cuda(benchmark: bool = True) -> None:
    """Let cuDNN measure its algorithms and keep the fastest; nothing happens without CUDA.

    Worth it when batches keep one shape. It makes runs differ in the last bits, so it is only
    ever done by this call.

    Args:
        benchmark: False switches it off again.
    """
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = benchmark


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def num_distrib() -> int:
    """The number of processes that train together, 0 outside of a distributed run.

    Before the process group exists it is what the launcher said (`WORLD_SIZE`).

    Example:
        >>> num_distrib()
        0
    """
    return dist.get_world_size() if _is_distributed() else int(os.environ.get("WORLD_SIZE", "0"))


def rank_distrib() -> int:
    """The number of this process among those that train together, 0 outside of such a run.

    Example:
        >>> rank_distrib()
        0
    """
    return dist.get_rank() if _is_distributed() else int(os.environ.get("RANK", "0"))


def distrib_barrier() -> None:
    """Wait until every process of a distributed run is here; nothing happens outside of one."""
    if _is_distributed() and dist.get_world_size() > 1:
        dist.barrier()


def any_process(flag: bool, device: torch.device | None = None) -> bool:
    """Whether `flag` is true in any process; all have to ask. `flag` itself outside of such a run.

    Args:
        flag: what this process says.
        device: where processes exchange numbers; the CPU when None.

    Example:
        >>> any_process(False)
        False
    """
    return bool(largest_of_processes(int(flag), device))


def largest_of_processes(number: int, device: torch.device | None = None) -> int:
    """The largest `number` that a process has; all have to ask. Itself outside of such a run.

    Args:
        number: that of this process.
        device: where processes exchange numbers; the CPU when None.

    Example:
        >>> largest_of_processes(3)
        3
    """
    if not _is_distributed() or dist.get_world_size() < 2:
        return number
    said = torch.tensor(number, device=device)
    dist.all_reduce(said, dist.ReduceOp.MAX)
    return int(said.item())


def sum_processes(x: Tensor) -> Tensor:
    """The sum of `x` over all processes, which all have to ask for; `x` outside of such a run.

    Args:
        x: of one shape everywhere; stays as it is.

    Example:
        >>> sum_processes(torch.tensor([1, 2]))
        tensor([1, 2])
    """
    if not _is_distributed() or dist.get_world_size() < 2:
        return x
    total = x.clone()
    dist.all_reduce(total)
    return total


def maybe_gather(x: Tensor, axis: int = 0) -> Tensor:
    """The copies of `x` of all processes joined on `axis`, `x` itself outside of such a run.

    Numbers without axes, such as a loss, are averaged. Every process has to make this call; the
    lengths along `axis` may differ between them, as those of the last batch do.

    Args:
        x: (..., N, ...) the part of this process, the same in all other axes everywhere.
        axis: where the parts are joined.
    """
    if not _is_distributed() or (count := dist.get_world_size()) < 2:
        return x
    if x.ndim == 0:
        parts = [torch.empty_like(x) for _ in range(count)]
        dist.all_gather(parts, x.contiguous())
        return torch.stack(parts).mean(0, dtype=None if x.is_floating_point() else torch.float)
    length = torch.tensor(x.shape[axis], device=x.device)
    found = [torch.empty_like(length) for _ in range(count)]
    dist.all_gather(found, length)
    lengths = [int(n) for n in found]
    rows = x.movedim(axis, 0)
    # all_gather takes equal shapes only: short parts are filled up, and cut again afterwards.
    filled = rows.new_zeros((max(lengths), *rows.shape[1:]))
    filled[: len(rows)] = rows
    parts = [torch.empty_like(filled) for _ in range(count)]
    dist.all_gather(parts, filled)
    return torch.cat([p[:n] for p, n in zip(parts, lengths, strict=True)]).movedim(0, axis)
