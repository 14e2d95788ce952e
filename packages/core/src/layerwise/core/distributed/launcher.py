"""`layerwise launch`: a script, started as several processes that train together.

Torch's own launcher does the work, in this process: it starts the others, tells each its number,
passes signals on, and starts all of them again when one has died.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from layerwise.core.distributed.watch import watched

__all__ = ["launch"]


def launch(
    script: str,
    args: Sequence[str] = (),
    *,
    nproc: int | str = "auto",
    nnodes: str = "1",
    rdzv: str | None = None,
    host: bool | None = None,
    addr: str | None = None,
    max_restarts: int = 0,
    module: bool = False,
) -> None:
    """Run `script` in several processes, and come back when all have ended.

    Args:
        script: a file of Python, or with `module` the name of a module.
        args: its arguments.
        nproc: processes on this machine; "auto": one for each GPU, or one where there is none.
        nnodes: machines, "2", or from how many to how many, "1:2": training goes on with those that
            are there.
        rdzv: "host:port" where the machines meet, the same on all of them.
        host: whether this machine is the one of `rdzv`; found out from its name when None.
        addr: the address of this machine for the others; found out from its name when None.
        max_restarts: how many times all processes are started again after one has died; a script
            that fits with `resume=True` goes on where it was.
        module: whether `script` is a module.

    Raises:
        torch.distributed.elastic.multiprocessing.errors.ChildFailedError: if a process failed for
            the last time; says which, and how it ended.
    """
    from torch.distributed import run

    several = nnodes not in ("1", "1:1")
    if several and rdzv is None:
        raise ValueError(
            f"nnodes={nnodes!r}: machines need a place to meet; pass --rdzv HOST:PORT with the "
            "name of one of them, the same on all"
        )
    count = _processes(nproc)
    options = ["--nproc-per-node", str(count), "--max-restarts", str(max_restarts)]
    if rdzv is None:
        options.append("--standalone")
    else:
        options += ["--nnodes", nnodes, "--rdzv-backend", "c10d", "--rdzv-endpoint", rdzv]
        if host is not None:
            options += ["--rdzv-conf", f"is_host={int(host)}"]
        if addr is not None:
            options += ["--local-addr", addr]
    if module:
        options.append("-m")
    if ":" in nnodes:
        # With a store that outlives its group, torch 2.13 never tells a machine that joins later
        # where that store is, and all wait for each other.
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    # Torch sets one thread a process, with a warning, where nothing is said.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    with watched(rdzv) if rdzv is not None else nullcontext():
        run.main([*options, script, *args])


def _processes(nproc: int | str) -> int:
    if nproc != "auto":
        return int(nproc)
    import torch

    return torch.cuda.device_count() or 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `layerwise launch` to `parser`."""
    parser.add_argument("script", help="a file of Python, or with -m the name of a module")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="arguments of the script")
    parser.add_argument("--nproc", default="auto", help="processes on this machine (one per GPU)")
    parser.add_argument("--nnodes", default="1", help='machines, "2", or "1:2" for as many as come')
    parser.add_argument("--rdzv", metavar="HOST:PORT", help="where the machines meet")
    parser.add_argument(
        "--host",
        action=argparse.BooleanOptionalAction,
        help="this machine is HOST (found out from its name)",
    )
    parser.add_argument("--addr", help="address of this machine (found out from its name)")
    parser.add_argument("--max-restarts", type=int, default=0, help="starts after a process died")
    parser.add_argument("-m", "--module", action="store_true", help="the script is a module")


def run_arguments(found: argparse.Namespace) -> None:
    """Do what `layerwise launch` was asked to; leaves with 1 where a process failed."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        launch(
            found.script,
            found.args,
            nproc=found.nproc,
            nnodes=found.nnodes,
            rdzv=found.rdzv,
            host=found.host,
            addr=found.addr,
            max_restarts=found.max_restarts,
            module=found.module,
        )
    except ChildFailedError as error:  # the processes have told what happened
        sys.exit(str(error))
