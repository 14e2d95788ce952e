"""A watch on the machine where launchers meet: a cut cable is noticed in half a minute.

Torch's launcher asks there with no time limit. When the network is gone no answer comes, and no
error either until the system gives up, a quarter of an hour later.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__: list[str] = []

_EVERY = 5.0
_PATIENCE = 20.0
_PORT = 29400  # torch's own, where none is given


@contextmanager
def watched(place: str) -> Iterator[None]:
    """End this process, inside this context, once `place` is lost and no child is left.

    Before it was reached for the first time nothing is lost, since machines start one by one.

    Args:
        place: "host:port".
    """
    over = threading.Event()
    threading.Thread(target=_watch, args=(place, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(place: str, over: threading.Event) -> None:
    reached = None  # when it was, last
    while not over.wait(_EVERY / 10 if reached is None else _EVERY):
        if _answers(place):
            reached = time.monotonic()
        lost = reached is not None and time.monotonic() - reached > _PATIENCE
        if lost and not _has_children():
            told = f"{socket.gethostname()} has lost the network: no answer from {place}, where"
            print(f"{told} the machines meet, for {_PATIENCE:g} s", file=sys.stderr, flush=True)
            os._exit(1)  # the main thread waits in torch and hears nothing


def _answers(place: str) -> bool:
    host, _, port = place.partition(":")
    try:
        socket.create_connection((host, int(port or _PORT)), timeout=_EVERY).close()
    except OSError:
        return False
    return True


def _has_children() -> bool:
    """Whether processes that this one has started still run; False where that cannot be told."""
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return any(_is_running(int(pid)) for file in lists for pid in file.read_text().split())


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has ended meanwhile
        return False
    return state != "Z"
