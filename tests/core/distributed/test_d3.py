"""D3: a random process is killed, all start again from the checkpoint, and the end is the same."""

import contextlib
import os
import random
import signal
import time

import pytest
import torch


def killed_trial(start_job, out, seed, kills):
    """One training of two processes with up to `kills` SIGKILLs; the hashes at its end."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    words = [out, "--pause", 0.15, "--workers", 1]
    process = start_job(2, "resumed.py", *words, options=["--max-restarts", "5"])
    seen: set[str] = set()
    done = 0
    end = time.monotonic() + 150
    while process.poll() is None and time.monotonic() < end and done < kills:
        files = [out / "pid.0", out / "pid.1"]
        pids = [file.read_text() for file in files if file.exists()]
        if len(pids) == 2 and all(pids) and not seen & set(pids) and list(out.glob("ids.0.*")):
            seen |= set(pids)
            pid = draw.choice(pids)
            time.sleep(draw.uniform(1.0, 4.0))
            with contextlib.suppress(ProcessLookupError):  # it was done before
                os.kill(int(pid), signal.SIGKILL)
                done += 1
        time.sleep(0.05)
    told = process.communicate(timeout=200)[1]
    assert process.returncode == 0, told
    return {(out / f"hash.{rank}").read_text() for rank in (0, 1)}, done


@pytest.fixture
def uninterrupted(run_job, tmp_path):
    """The hash at the end of a training that nobody disturbs."""
    finished = run_job(2, "resumed.py", tmp_path / "whole", "--workers", 1)
    assert finished.returncode == 0, finished.stderr
    hashes = {(tmp_path / "whole" / f"hash.{rank}").read_text() for rank in (0, 1)}
    assert len(hashes) == 1
    return hashes


@pytest.mark.timeout(600)
def test_d3_a_killed_process_leaves_no_trace_in_the_result(start_job, uninterrupted, tmp_path):
    hashes, done = killed_trial(start_job, tmp_path / "0", 0, 1)
    assert done == 1
    assert hashes == uninterrupted


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_d3_ten_trials_with_up_to_two_kills(start_job, uninterrupted, tmp_path):
    equal, kills = 0, 0
    for seed in range(1, 11):
        hashes, done = killed_trial(start_job, tmp_path / str(seed), seed, 2)
        equal += hashes == uninterrupted
        kills += done
    assert equal == 10
    assert kills >= 10
    print(f"D3: {equal}/10 equal, {kills} kills")


@pytest.mark.parametrize("batches", [5, 12])
def test_d3_a_training_that_ends_within_a_group_of_batches_goes_on_the_same(results, batches):
    for part in results(2, "gone_on"):
        (weights, rows, losses), (again, rows_again, losses_again) = part["whole"], part[batches]
        assert all(torch.equal(again[name], value) for name, value in weights.items())
        assert rows_again == rows
        assert losses_again == losses
