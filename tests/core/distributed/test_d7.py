"""D7: jobs end cleanly, every time."""

import pytest


def exit_codes(run_job, folder, count):
    """The exit codes of short jobs with DDP and FSDP2; 1 where a process had another than 0."""
    return [run_job(2, "recipes.py", folder, "once").returncode for _ in range(count)]


def test_d7_a_job_ends_with_0(run_job, tmp_path):
    assert exit_codes(run_job, tmp_path / "out", 1) == [0]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_d7_fifty_jobs_end_with_0(run_job, tmp_path):
    assert exit_codes(run_job, tmp_path / "out", 50) == [0] * 50
