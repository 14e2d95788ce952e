"""D4: machines leave and come, and the training goes on to the same end."""

import json
import os
import signal
import socket
from collections import Counter

import pytest


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def last_steps(folder):
    """The samples of each step as it was done last, by all processes of that time together."""
    found: dict[int, dict[tuple[int, int], list[int]]] = {}
    for file in folder.glob("ids.*"):
        _, rank, start, _ = file.name.split(".")
        for line in file.read_text().splitlines():
            step, ids = json.loads(line)
            found.setdefault(step, {})[int(rank), int(start)] = ids
    steps = {}
    for step, parts in found.items():
        last = max(begun for _, begun in parts)
        steps[step] = [i for (_, begun), ids in parts.items() if begun == last for i in ids]
    return steps


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_d4_two_nodes_then_one_then_two(start_job, run_job, wait_for, tmp_path):
    fixed, elastic = tmp_path / "fixed", tmp_path / "elastic"
    assert run_job(2, "resumed.py", fixed, "--plain").returncode == 0
    options = ["--nnodes", "1:2", "--rdzv", f"127.0.0.1:{free_port()}", "--max-restarts", "5"]

    def agent(number):
        words = [elastic, "--plain", "--pause", "1.5"]
        own = [*options, "--host" if number == 0 else "--no-host"]
        return start_job(0, "resumed.py", *words, options=own)

    def done(count):
        lines = (file.read_text().splitlines() for file in elastic.glob("ids.0.*"))
        return len({json.loads(line)[0] for found in lines for line in found}) >= count

    first, second = agent(0), agent(1)
    wait_for(lambda: done(5))
    os.killpg(second.pid, signal.SIGKILL)  # the machine is gone, with all that ran on it
    for pid in elastic.glob("pid.1"):
        os.kill(int(pid.read_text()), signal.SIGKILL)
    wait_for(lambda: done(10), 150)
    third = agent(2)
    assert first.wait(300) == 0, first.communicate()[1]
    third.wait(120)
    steps = last_steps(elastic)
    seen = Counter(i for step in range(24) for i in steps[step])
    assert len(seen) == 96
    assert set(seen.values()) == {4}  # once in each of four epochs
    rows = [json.loads((f / "values.0").read_text())[-1] for f in (fixed, elastic)]
    assert rows[1] == pytest.approx(rows[0], abs=1e-4)
