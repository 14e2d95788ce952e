"""Work in threads: results with their numbers, errors as they are, little begun ahead."""

import threading
import time

import pytest

from layerwise.vision.tools.report import FilesReport
from layerwise.vision.tools.threads import core_count, in_threads


@pytest.mark.parametrize("n_workers", [1, 4])
def test_each_item_comes_back_once_with_its_number(n_workers):
    found = dict(in_threads(lambda x: x * x, list(range(50)), n_workers, "square"))
    assert found == {i: i * i for i in range(50)}
    assert list(in_threads(str, [], n_workers, "nothing")) == []


def test_several_are_at_work_at_once():
    meet = threading.Barrier(3, timeout=10)
    found = in_threads(lambda _: meet.wait() >= 0, list(range(3)), 3, "meet")
    assert [ok for _, ok in found] == [True] * 3


@pytest.mark.parametrize("n_workers", [1, 4])
def test_an_error_stops_the_work(n_workers):
    begun = []

    def fail(i):
        begun.append(i)
        time.sleep(0.001)
        raise RuntimeError(f"no {i}")

    with pytest.raises(RuntimeError, match="no "):
        list(in_threads(fail, list(range(1000)), n_workers, "fail"))
    assert len(begun) <= 2 * n_workers


def test_a_consumer_that_stops_stops_the_work():
    begun: list[None] = []
    for _ in in_threads(begun.append, [None] * 1000, 2, "stop"):
        break
    assert len(begun) <= 5


def test_a_report_lists_a_few_reasons():
    failed = {f"{i}.jpg": "empty" for i in range(5)}
    assert repr(FilesReport(failed=failed)).splitlines() == [
        "0 done, 0 kept, 5 failed", "  0.jpg: empty", "  1.jpg: empty", "  2.jpg: empty",
        "  and 2 more, in `failed`",
    ]  # fmt: skip


def test_the_count_of_threads_is_checked():
    assert (core_count(0), core_count(3)) == (1, 3)
    assert core_count(None) >= 1
    with pytest.raises(ValueError, match="n_workers=-2"):
        core_count(-2)
