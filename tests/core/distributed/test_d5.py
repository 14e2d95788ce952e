"""D5: a process stops answering or fails: all end, soon, and say who and in what."""

import os
import time
from pathlib import Path

import pytest

LIMIT = 6.0


def broken(start_job, out, how):
    """The output of a job that breaks, and the seconds from then to its end."""
    process = start_job(2, "broken.py", out, how, LIMIT)
    told = process.communicate(timeout=120)[1]
    ended = time.time()
    assert process.returncode not in (0, None)
    begun = max(float(file.read_text()) for file in out.glob("at.*"))
    for file in out.glob("pid.*"):
        assert not Path(f"/proc/{file.read_text()}").exists(), "a process is left over"
    return told, ended - begun


def test_d5_a_stopped_process_ends_all_within_the_limit_and_is_named(start_job, tmp_path):
    told, seconds = broken(start_job, tmp_path / "out", "stop")
    assert seconds < LIMIT + 10
    assert "process 0 of 2" in told
    assert "could not finish all_reduce of the gradients, in the backward pass" in told
    assert "process 1 gave no sign of life" in told


def test_d5_an_error_in_one_process_ends_all_at_once_and_is_shown(start_job, tmp_path):
    told, seconds = broken(start_job, tmp_path / "out", "raise")
    assert seconds < LIMIT + 10
    assert "OSError: the disk of process 1 is gone" in told


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root for namespaces")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_d5_a_cut_cable_ends_both_hosts(two_hosts, wait_for, tmp_path):
    agents = two_hosts.start("broken.py", tmp_path / "out", "cut", LIMIT)
    wait_for((tmp_path / "out" / "at.0").exists)
    two_hosts.cut()
    cut = time.time()
    told = agents[0].communicate(timeout=120)[1]
    assert time.time() - cut < LIMIT + 10
    assert agents[0].returncode not in (0, None)
    assert "could not finish all_reduce of the gradients" in told
    assert "process 1" in told
    # The other launcher has lost the place to meet, and gives up after its own patience.
    agents[1].communicate(timeout=120)
    assert agents[1].returncode not in (0, None)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root for namespaces")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_d5_two_hosts_train_as_one_does(two_hosts, run_job, tmp_path):
    agents = two_hosts.start("resumed.py", tmp_path / "hosts", "--plain")
    told = [agent.communicate(timeout=200)[1] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], told
    assert run_job(2, "resumed.py", tmp_path / "one", "--plain").returncode == 0
    assert (tmp_path / "hosts" / "hash.0").read_text() == (tmp_path / "one" / "hash.0").read_text()
