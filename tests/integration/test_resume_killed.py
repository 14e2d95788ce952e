"""R1, R3 and R5: a training that is killed at any moment goes on as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from layerwise.core.train.checkpoint_folder import CheckpointFolder

SCRIPT = Path(__file__).with_name("train_to_be_killed.py")
STEPS = 72  # 3 epochs of 24 batches


class Run:
    """The script as a process group of its own."""

    def __init__(self, folder, *options):
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines = []

    def read_until(self, wanted):
        """Read lines up to one that `wanted` says yes to; False if the process ends before."""
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if wanted(line.strip()):
                return True
        return False

    def at_step(self, number):
        return self.read_until(lambda line: line.startswith("step ") and int(line[5:]) >= number)

    def kill(self, number=signal.SIGKILL, *, group=True):
        if group:
            os.killpg(self.process.pid, number)
        else:
            os.kill(self.process.pid, number)

    def end(self):
        """The exit code; what is left of the output goes to `lines`."""
        out, self.errors = self.process.communicate(timeout=120)
        self.lines += out.splitlines()
        return self.process.returncode

    @property
    def done(self):
        found = [line.split()[1] for line in self.lines if line.startswith("done ")]
        return found[0] if found else None


def to_the_end(folder, *options):
    run = Run(folder, *options)
    assert run.end() == 0, run.errors
    return run.done


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The fingerprint of two trainings that nobody disturbed, which is the same."""
    runs = [Run(tmp_path_factory.mktemp("whole")) for _ in range(2)]
    codes = [run.end() for run in runs]
    assert codes == [0, 0], runs[0].errors
    assert runs[0].done == runs[1].done
    return runs[0].done


def kill_at(run, step, delay):
    """SIGKILL a while after `step`; False if the training was done before."""
    if not run.at_step(step):
        run.end()
        return False
    time.sleep(delay)
    run.kill()
    run.end()
    return True


def last_step(run):
    steps = [int(line[5:]) for line in run.lines if line.startswith("step ")]
    return steps[-1] if steps else 0


def test_r1_killed_five_times_the_training_ends_bit_equal(uninterrupted, tmp_path):
    draw = random.Random(0)  # noqa: S311 - when to kill
    kills = sorted(draw.sample(range(4, STEPS - 4), 5))
    for step in kills:
        # From a few steps before a save to a few behind it: also while one is written.
        assert kill_at(Run(tmp_path, "--pause", "0.002"), step, draw.uniform(0, 0.03))
    run = Run(tmp_path)
    assert run.end() == 0, run.errors
    assert last_step(run) == STEPS
    first = int(next(line for line in run.lines if line.startswith("step "))[5:])
    assert first > kills[-1] - 8  # it did go on, and did not start anew
    assert run.done == uninterrupted
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_r1_twenty_trials_with_up_to_two_kills_each(uninterrupted, tmp_path):
    draw = random.Random(1)  # noqa: S311 - when to kill
    kills, equal = 0, 0
    for trial in range(20):
        folder = tmp_path / str(trial)
        for _ in range(draw.randint(1, 2)):
            kills += kill_at(Run(folder), draw.randint(1, STEPS), draw.uniform(0, 0.06))
        equal += to_the_end(folder) == uninterrupted
    print(f"R1: {equal}/20 bit-equal after {kills} kills")
    assert equal == 20
    assert kills >= 20


@pytest.mark.parametrize(
    ("workers", "prefetch"), [(0, None), (1, None), (4, 5)], ids=["0", "1", "4-prefetch-5"]
)
def test_r3_resumed_with_other_workers_the_result_is_the_same(
    uninterrupted, tmp_path, workers, prefetch
):
    assert kill_at(Run(tmp_path), 10 + 7 * workers, 0.0)
    options = ["--workers", str(workers)]
    options += ["--prefetch", str(prefetch)] if prefetch else []
    assert to_the_end(tmp_path, *options) == uninterrupted


def stopped(run):
    """Where the newest checkpoint stands: (epoch, batches)."""
    fit = CheckpointFolder(run / "checkpoints").newest()[1]["fit"]
    return fit["epoch"], fit["batches"]


@pytest.mark.parametrize(
    ("name", "code", "step", "twice"),
    [("SIGTERM", 143, 20, False), ("SIGINT", 130, 31, False), ("SIGUSR1", 138, 40, False),
     ("SIGTERM", 143, 50, True)],
    ids=["term", "int", "usr1", "term-twice"],
)  # fmt: skip
def test_r5_a_signal_finishes_the_step_saves_and_leaves(
    uninterrupted, tmp_path, name, code, step, twice
):
    number = getattr(signal, name)
    run = Run(tmp_path, "--every", "1ep", "--pause", "0.01")
    assert run.at_step(step)
    time.sleep(0.012 + 0.001 * step % 0.01)  # somewhere in the next step
    for _ in range(1 + twice):
        run.kill(number, group=False)
    assert run.end() == code, run.errors
    last = last_step(run)
    epoch, batches = stopped(tmp_path)
    assert 24 * epoch + batches in (last, last + 1)  # the step that it was in is printed after it
    assert to_the_end(tmp_path) == uninterrupted


def test_r5_a_signal_to_the_whole_group_kills_workers_but_loses_no_step(uninterrupted, tmp_path):
    run = Run(tmp_path, "--every", "1ep", "--pause", "0.03")
    assert run.at_step(30)
    time.sleep(0.015)  # in the step: the loader has its next batches ready
    run.kill(signal.SIGTERM)
    assert run.end() == 143, run.errors
    epoch, batches = stopped(tmp_path)
    assert 24 * epoch + batches >= last_step(run) >= 30
    assert to_the_end(tmp_path) == uninterrupted


def test_r5_a_signal_in_validation_keeps_the_state_at_the_end_of_training(uninterrupted, tmp_path):
    run = Run(tmp_path, "--every", "2ep", "--pause", "0.01")
    assert run.read_until(lambda line: line == "validating")
    run.kill(signal.SIGTERM, group=False)
    assert run.end() == 143, run.errors
    assert stopped(tmp_path) == (0, 24)
    assert to_the_end(tmp_path) == uninterrupted


def test_r5_the_users_own_handler_is_called_too(tmp_path):
    run = Run(tmp_path, "--own-handler", "--pause", "0.005")
    assert run.at_step(5)
    run.kill(signal.SIGTERM, group=False)
    assert run.end() == 143, run.errors
    assert "own handler" in run.lines
