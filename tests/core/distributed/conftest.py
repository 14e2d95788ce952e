"""Jobs of several processes: started by the launcher, once for all tests that read results."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

JOBS = Path(__file__).parent / "jobs"


def command(nproc, script, *args, options=()):
    """The words that start a job; without the launcher for one process."""
    if nproc == 1:
        return [sys.executable, str(JOBS / script), *map(str, args)]
    count = str(nproc or 1)  # 0: a node with one process
    launcher = [sys.executable, "-m", "layerwise.core.cli", "launch", "--nproc", count]
    return [*launcher, *options, str(JOBS / script), *map(str, args)]


def environment():
    """One thread a process: they share the cores with each other and with other tests."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def run(nproc, script, *args, options=(), timeout=240):
    """Run a job to its end."""
    return subprocess.run(
        command(nproc, script, *args, options=options),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture
def run_job():
    """A function that runs a job and returns the finished process."""
    return run


@pytest.fixture
def start_job():
    """A function that starts a job and returns its process; what still runs is killed later."""
    started = []

    def start(nproc, script, *args, options=()):
        words = command(nproc, script, *args, options=options)
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            words, env=environment(), stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()


class TwoHosts:
    """Two namespaces of the network with a cable between them: as far apart as two machines."""

    def __init__(self):
        self.agents = []

    def __enter__(self):
        for number in (0, 1):
            self._ip("netns", "add", f"lw{number}")
        self._ip(
            "link", "add", "lwv0", "netns", "lw0", "type", "veth", "peer", "lwv1", "netns", "lw1"
        )
        for number in (0, 1):
            own = ["-n", f"lw{number}"]
            self._ip(*own, "addr", "add", f"10.213.7.{number + 1}/24", "dev", f"lwv{number}")
            self._ip(*own, "link", "set", f"lwv{number}", "up")
            self._ip(*own, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for number in (0, 1):  # with the workers, who would keep the pipes open
            inside = subprocess.run(
                ["ip", "netns", "pids", f"lw{number}"], capture_output=True, text=True, check=False
            )
            for pid in inside.stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            subprocess.run(["ip", "netns", "del", f"lw{number}"], check=False)
        for agent in self.agents:
            agent.communicate()

    def _ip(self, *words):
        subprocess.run(["ip", *words], check=True)

    def start(self, script, *args):
        """Start a job with a process on each host; returns the launchers."""
        for number in (0, 1):
            words = [sys.executable, "-m", "layerwise.core.cli", "launch", "--nproc", "1"]
            words += ["--nnodes", "2", "--rdzv", "10.213.7.1:29511"]
            words += ["--addr", f"10.213.7.{number + 1}"]
            words += ["--no-host" if number else "--host", str(JOBS / script), *map(str, args)]
            self.agents.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", f"lw{number}", *words],
                    env={**environment(), "GLOO_SOCKET_IFNAME": f"lwv{number}"},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
        return self.agents

    def cut(self):
        """Cut the cable."""
        self._ip("-n", "lw0", "link", "set", "lwv0", "down")


@pytest.fixture
def two_hosts():
    """Two hosts; needs root."""
    with TwoHosts() as hosts:
        yield hosts


@pytest.fixture
def wait_for():
    """A function that waits for a condition, and fails where it does not come true."""

    def wait(condition, seconds=90):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "this took too long"
            time.sleep(0.1)

    return wait


_NAMES = {
    1: "sizes masked accumulated thawed unseen parted beside untargeted written",
    2: "sizes stock masked accumulated thawed norms sharded loaded sharded_by_torch found_rate "
    "unused first refusals gone_on unseen parted beside untargeted each diverged overflown spoilt "
    "short_of_memory dealt_by_torch averaged written",
    4: "sizes stock loaded",
}


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A function from (processes, name of a function in recipes.py) to what each process returned.

    The workers of pytest share the folder, and whoever asks first runs the job.
    """
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "jobs"
    base.mkdir(exist_ok=True)

    def read(nproc, name):
        if nproc == 4:
            read(2, "sharded")  # whose file it loads
        folder, done = base / str(nproc), base / f"{nproc}.done"
        try:
            (base / f"{nproc}.begun").mkdir()
        except FileExistsError:
            end = time.monotonic() + 240
            while not done.exists() and time.monotonic() < end:
                time.sleep(0.2)
        else:
            folder.mkdir()
            if nproc == 4:
                (folder / "models").symlink_to(base / "2" / "models")
            finished = run(nproc, "recipes.py", folder, *_NAMES[nproc].split())
            done.write_text(f"{finished.returncode}\n{finished.stdout}\n{finished.stderr}")
        code, told = done.read_text().split("\n", 1)
        assert code == "0", told
        return [torch.load(folder / f"{name}.{rank}.pt") for rank in range(nproc)]

    return read
