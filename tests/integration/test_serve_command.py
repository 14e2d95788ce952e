"""`layerwise serve` as a process: it starts, answers, finishes what is under way, and ends."""

import signal
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytest.importorskip("layerwise.collab.all", reason="layerwise-collab is not installed")
import httpx
import pandas as pd

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.core.serve.command import serve

PROGRAM = """
import sys
from layerwise.core.serve.command import serve
sys.exit(serve(sys.argv[1], port=int(sys.argv[2])))
"""


ROW = b'{"row": {"user": 1, "film": "film 2"}}'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    rows = [(user, f"film {i}", 1 + (user + i) % 5) for user in range(8) for i in range(6)]
    dls = CollabDataLoaders.from_df(
        pd.DataFrame(rows, columns=["user", "film", "rating"]), seed=1, bs=16
    )
    path = tmp_path_factory.mktemp("films")
    return collab_learner(dls, 4, y_range=(0, 5.5), path=path).export("films.lw")


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def running(bundle, port):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, bundle, str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health")
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def opened(port, size):
    """A connection on which the head of a request with a body of `size` bytes has been sent."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    raw.sendall(
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % size
    )
    return raw


def test_a_body_of_200_mb_is_refused_at_once_and_what_is_under_way_is_finished(running, port):
    with opened(port, 200_000_000) as raw:
        start = time.monotonic()
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
        assert time.monotonic() - start < 2
    assert httpx.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok"}
    with opened(port, len(ROW)) as raw:
        raw.sendall(ROW[:10])
        time.sleep(0.5)
        running.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert running.poll() is None
        raw.sendall(ROW[10:])
        answer = b""
        while part := raw.recv(1000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"value":' in answer
    told, _ = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGTERM
    assert "Application shutdown complete" in told
    assert "Traceback" not in told


def test_a_file_that_is_no_bundle_is_told(tmp_path, capsys):
    (tmp_path / "x.lw").write_bytes(b"no bundle")
    assert serve(tmp_path / "x.lw") == 1
    assert "cannot be used" in capsys.readouterr().err


def test_a_limit_that_is_none_is_told(bundle, capsys):
    assert serve(bundle, max_items=0) == 1
    assert "max_items=0; give a number above zero" in capsys.readouterr().err


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_told(bundle, capsys, port):
    assert serve(bundle, port=port) == 1
    assert f"port={port}; give a number from 0 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken_is_no_success(bundle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert serve(bundle, port=taken.getsockname()[1]) == 1
