"""D8: what two processes began, four go on with, on the samples that would have come."""

import json
from collections import defaultdict
from itertools import chain


def steps(folder):
    """The samples of each step, from the notes of all processes; of a step done twice, the last."""
    found: dict = defaultdict(dict)
    for file in sorted(folder.glob("ids.*"), key=lambda f: int(f.name.split(".")[2])):
        rank = int(file.name.split(".")[1])
        for line in file.read_text().splitlines():
            step, ids = json.loads(line)
            found[step][rank] = ids
    return {
        step: list(chain(*(ids for _, ids in sorted(parts.items()))))
        for step, parts in found.items()
    }


def test_d8_four_processes_go_on_where_two_stopped(run_job, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run_job(1, "resumed.py", whole, "--plain").returncode == 0
    until = ["--plain", "--until", 11]
    assert run_job(2, "resumed.py", stopped, *until).returncode == 0
    begun = steps(stopped)
    for file in stopped.glob("ids.*"):
        file.unlink()
    done = run_job(4, "resumed.py", stopped, "--plain")
    assert done.returncode == 0, done.stderr
    expected, rest = steps(whole), steps(stopped)
    assert min(rest) in (6, 9)  # the newest checkpoint, of every third step
    assert max(rest) == max(expected) == 23
    assert {step: sorted(ids) for step, ids in rest.items()} == {
        step: sorted(expected[step]) for step in rest
    }
    assert {**begun, **rest} == expected
    rows = [json.loads((folder / "values.0").read_text()) for folder in (whole, stopped)]
    for a, b in zip(rows[0][-1], rows[1][-1], strict=True):
        assert abs(a - b) < 1e-5
