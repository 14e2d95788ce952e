"""GANs trained by two processes of one machine, compared with the same in one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent / "jobs" / "turns.py"


@pytest.fixture
def run(tmp_path):
    """A function from processes and names in jobs/turns.py to what each process returned."""

    def call(nproc, *names):
        folder = tmp_path / str(nproc)
        folder.mkdir()
        launcher = ["-m", "layerwise.core.cli", "launch", "--nproc", str(nproc)]
        command = [*(launcher if nproc > 1 else []), str(SCRIPT), str(folder), *names]
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            check=False,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return {
            name: [torch.load(folder / f"{name}.{rank}.pt") for rank in range(nproc)]
            for name in names
        }

    return call


def assert_equal(one, several):
    """What two processes have is what one has."""
    for part in several:
        for name, weight in one["weights"].items():
            torch.testing.assert_close(part["weights"][name], weight, atol=1e-5, rtol=0)
        assert part["names"] == one["names"]
        for row, other in zip(part["values"], one["values"], strict=True):
            assert row == pytest.approx(other, abs=1e-5)
        for name in ("losses", "gen_losses", "crit_losses"):
            assert len(one[name]) > 0
            assert part[name] == pytest.approx(one[name], abs=1e-5)
        for name in ("pictures", "item_losses"):
            torch.testing.assert_close(part[name], one[name], atol=1e-5, rtol=0)
    for picture, other in zip(several[0]["kept"], one["kept"], strict=True):
        torch.testing.assert_close(picture, other, atol=1e-5, rtol=0)


def test_two_processes_train_what_one_does(run):
    names = ["plain", "penalty"]
    one, two = run(1, *names), run(2, *names)
    for name in names:
        assert_equal(one[name][0], two[name])
    draws = [part["draws"] for part in two["penalty"]]
    assert (draws[0] != draws[1]).all()  # each its own numbers


@pytest.mark.slow
def test_two_processes_take_turns_by_one_loss_and_step_in_groups(run):
    names = ["accumulated", "two_optimizers", "adaptive"]
    one, two = run(1, *names), run(2, *names)
    for name in names:
        assert_equal(one[name][0], two[name])
    turns = one["adaptive"][0]["turns"]
    assert 3 < sum(turns) < len(turns) - 3
    assert turns != [True, False] * (len(turns) // 2)
    assert all(part["turns"] == turns for part in two["adaptive"])


@pytest.mark.slow
def test_two_processes_go_on_in_the_middle_of_a_turn(run):
    found = run(2, "resumed", "sharded")
    for part in found["resumed"]:
        through, again = part["through"], part["again"]
        assert all(map(torch.equal, again["weights"], through["weights"]))
        for name in ("values", "gen_losses", "crit_losses"):
            assert again[name] == through[name]
    for part in found["sharded"]:
        assert part["said"].startswith("the loss of a GAN calls generator and critic")
        assert part["said"].endswith('pass strategy="ddp"')
