import socket
import subprocess
import sys
import time

import pytest

PROGRAM = """
import subprocess, sys, time
from layerwise.core.distributed import watch
watch._EVERY, watch._PATIENCE = 0.1, 0.3
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
with watch.watched(sys.argv[1]):
    print("ready", flush=True)
    input()
    child.communicate(b"\\n")
    if sys.argv[2] == "wait":
        time.sleep(60)
"""


@pytest.fixture
def place():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def started(server, what):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, f"127.0.0.1:{server.getsockname()[1]}", what],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    server.accept()[0].close()  # it has looked, and found someone
    return process


def test_a_place_that_is_lost_ends_the_process_once_its_children_have_ended(place):
    process = started(place, "wait")
    place.close()
    time.sleep(1.5)
    assert process.poll() is None
    told = process.communicate("\n", timeout=20)[1]
    assert process.returncode == 1
    assert "has lost the network: no answer from 127.0.0.1:" in told


def test_what_ends_by_itself_ends_as_it_will(place):
    process = started(place, "go")
    place.close()
    assert process.communicate("\n", timeout=20)[1] == ""
    assert process.returncode == 0


def test_before_it_was_reached_nothing_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, address, "wait"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(1.5)
    assert process.poll() is None
    process.kill()
    process.communicate()
