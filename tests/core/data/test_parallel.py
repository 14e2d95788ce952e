"""The parallel generator: order, bounds, errors, and no process left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.data.parallel import parallel_gen
from layerwise.core.errors import DataError


class Square:
    def __init__(self, plus=0):
        self.plus = plus

    def __call__(self, items):
        for item in items:
            yield item**2 + self.plus


class Grow:
    """Results far larger than what a pipe holds."""

    def __call__(self, items):
        return (bytes(item) for item in items)


class Fail:
    def __init__(self, how):
        self.how = how

    def __call__(self, items):
        for item in items:
            if item == 7:
                self.how(item)
            yield item


def key_error(item):
    raise KeyError(f"no {item}")


def die(_item):
    os.kill(os.getpid(), signal.SIGKILL)


class Short:
    def __call__(self, items):
        return list(items)[1:]


class Broken:
    def __init__(self):
        raise RuntimeError("no model")

    def __call__(self, items):
        return items


class Lambdas:
    def __call__(self, items):
        return (lambda: None for _ in items)


class Gathers:
    """Takes three items before it gives a result, as libraries that work in batches do."""

    def __call__(self, items):
        taken = list(items)
        yield from taken[:2]
        raise ValueError("a batch is broken")


@pytest.fixture(scope="module", autouse=True)
def others():
    """Processes that tests before these left running, such as the service of a logger."""
    _others.update(child.pid for child in psutil.Process().children(recursive=True))
    yield
    _others.clear()


_others: set[int] = set()


def children():
    return [c for c in psutil.Process().children(recursive=True) if c.pid not in _others]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-99, 99), max_size=40), st.integers(0, 3), st.integers(1, 9))
def test_results_come_in_order_for_any_number_of_workers(items, workers, chunk):
    made = list(parallel_gen(Square, iter(items), workers, chunk_size=chunk, plus=1))
    assert made == [item**2 + 1 for item in items]
    assert not children()


def test_items_and_results_larger_than_a_pipe_pass():
    sizes = [1 << 20] * 12
    assert [len(made) for made in parallel_gen(Grow, sizes, 2, chunk_size=2)] == sizes
    blocks = [bytes(1 << 20)] * 12
    assert len(list(parallel_gen(_Lengths, blocks, 2, chunk_size=2))) == 12


class _Lengths:
    def __call__(self, items):
        return ((len(item), bytes(1 << 20)) for item in items)


def test_items_are_read_only_as_far_as_results_are_wanted():
    read = 0

    def stream():
        nonlocal read
        while True:
            read += 1
            yield read

    made = parallel_gen(Square, stream(), 3, chunk_size=4)
    assert [next(made) for _ in range(40)] == [i**2 for i in range(1, 41)]
    assert read <= 40 + (2 * 3 + 1) * 4
    made.close()
    assert not children()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_is_raised_as_it_was_with_the_item_named(workers):
    with pytest.raises(KeyError, match="no 7") as raised:
        list(parallel_gen(Fail, range(20), workers, how=key_error))
    assert any("item 7 was worked on: 7" in note for note in raised.value.__notes__)
    assert not children()


def test_where_items_are_taken_in_advance_all_that_may_be_meant_are_named():
    with pytest.raises(ValueError, match="broken") as raised:
        list(parallel_gen(Gathers, range(4), 0, chunk_size=4))
    assert "item 3 was worked on: 3, or in one of the 1 before it" in raised.value.__notes__[0]


def test_an_error_of_the_setup_reaches_the_caller():
    with pytest.raises(RuntimeError, match="no model"):
        list(parallel_gen(Broken, range(3), 2))


def test_a_worker_that_dies_is_told_with_its_items():
    with pytest.raises(DataError, match=r"exit code -9 at the items 6 to 7"):
        list(parallel_gen(Fail, range(20), 2, chunk_size=2, how=die))
    assert not children()


def test_results_that_cannot_be_sent_are_told():
    with pytest.raises(Exception, match=r"(?i)pickle|local") as raised:
        list(parallel_gen(Lambdas, range(3), 2))
    assert any("have to be picklable" in note for note in raised.value.__notes__)


@pytest.mark.parametrize("workers", [0, 1])
def test_as_many_results_as_items_are_demanded(workers):
    with pytest.raises(ValueError, match="Short gave 4 results for 5 items"):
        list(parallel_gen(Short, range(5), workers, chunk_size=5))


@pytest.mark.parametrize(("name", "wrong"), [("n_workers", -1), ("chunk_size", 0)])
def test_settings_out_of_range_are_refused_at_once(name, wrong):
    with pytest.raises(ValueError, match=name):
        parallel_gen(Square, [1], **{name: wrong})


def test_no_more_processes_are_started_than_have_something_to_do():
    made = parallel_gen(Square, range(3), 8, chunk_size=2)
    next(made)
    assert len(children()) == 2
    made.close()


def test_an_iterator_that_is_forgotten_ends_its_processes():
    made = parallel_gen(Square, iter(int, 1), 2)
    next(made)
    assert len(children()) == 2
    del made
    assert not children()


def test_inside_a_daemon_work_is_done_there():
    with multiprocessing.get_context().Pool(1) as pool:
        assert pool.apply(_inside) == [0, 1, 4]


def _inside():
    return list(parallel_gen(Square, range(3)))


_PROGRAM = """
import signal, time
from layerwise.core.data.parallel import parallel_gen

class Wait:
    def __call__(self, items):
        for item in items:
            time.sleep(0.05)
            yield item

# A shell lets what it runs in the background ignore this signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
for i in parallel_gen(Wait, iter(int, 1), 2, chunk_size=1):
    print("made", flush=True)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them(sent, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    run = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "made\n"
    workers = psutil.Process(run.pid).children(recursive=True)
    assert len(workers) == 2
    try:
        run.send_signal(sent)
        _, told = run.communicate(timeout=20)
    finally:
        run.kill()
    if sent is signal.SIGINT:
        assert told.count("Traceback") == 1
        assert "KeyboardInterrupt" in told
    end = time.monotonic() + 10
    while any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers):
        assert time.monotonic() < end, "a worker outlived its parent"
        time.sleep(0.05)


def test_work_can_be_spawned():
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    try:
        # Of names that a fresh process can import, which those of this file are not.
        assert list(parallel_gen(partial(partial, map, len), [[3, 1], [2]], 1)) == [2, 1]
    finally:
        multiprocessing.set_start_method(before, force=True)
