"""Requests that wait are predicted together, and each gets its own answer."""

import threading
import warnings

import pytest
import torch

from layerwise.core.data.block import DataBlock
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.serve.limits import Refused
from layerwise.core.serve.worker import Worker


def size(content: bytes) -> torch.Tensor:
    """The length of what is sent; some contents are no good."""
    if content == b"bad":
        raise DataError("it is bad")
    if content == b"odd":
        warnings.warn("it is odd", UserWarning, stacklevel=2)
    return torch.tensor([float(len(content))])


class Slow(torch.nn.Module):
    """Says what it is given, and when it may."""

    def __init__(self):
        super().__init__()
        self.may, self.batches = threading.Event(), []
        self.may.set()

    def forward(self, x):
        assert self.may.wait(20)
        self.batches.append(len(x))
        return x


@pytest.fixture
def worker():
    block = DataBlock(get_x=size, get_y=size)
    model = Slow()
    dls = block.dataloaders([b"a", b"bc"] * 40, bs=64)
    made = Worker(Learner(dls, model, torch.nn.MSELoss()))
    model.batches.clear()
    yield made
    model.may.set()
    made.close()


def ask(worker, *requests):
    """Ask while the model is busy with another request; the answers to all but that one."""
    model = worker.learn.model
    model.may.clear()
    first = worker.submit([b"x"])
    while not first.running():
        pass
    asked = [worker.submit(items) for items in requests]
    model.may.set()
    first.result(20)
    return asked


def values(found):
    return [answer["value"] for answer in found.answers]


def test_what_waits_becomes_one_batch_and_each_gets_its_own(worker):
    asked = ask(worker, [b"12"], [b"1", b"1234"], [b"123"])
    assert [values(each.result(20)) for each in asked] == [[2.0], [1.0, 4.0], [3.0]]
    assert worker.learn.model.batches == [1, 4]


def test_no_batch_of_several_requests_is_larger_than_the_most(worker):
    asked = ask(worker, *[[b"1"] * 20] * 3, [b"1"] * 50)
    assert [len(each.result(20).answers) for each in asked] == [20, 20, 20, 50]
    assert worker.learn.model.batches == [1, 20, 20, 20, 50]


def test_what_one_request_does_wrong_is_told_to_it_alone(worker):
    good, bad, last = ask(worker, [b"12"], [b"1", b"bad"], [b"123"])
    assert (values(good.result(20)), values(last.result(20))) == ([2.0], [3.0])
    with pytest.raises(Refused, match=r"files\[1\].*it is bad"):
        bad.result(20)


def test_a_note_goes_to_the_request_that_it_is_about(worker):
    plain, odd = ask(worker, [b"12"], [b"odd"])
    assert plain.result(20).notes == []
    assert odd.result(20).notes == ["it is odd"]


def test_a_cancelled_request_is_left_out(worker):
    model = worker.learn.model
    model.may.clear()
    first = worker.submit([b"x"])
    while not first.running():
        pass
    gone, kept = worker.submit([b"12"]), worker.submit([b"1"])
    assert gone.cancel()
    model.may.set()
    assert values(kept.result(20)) == [1.0]
    assert model.batches == [1, 1]


def test_at_the_end_nobody_is_left_waiting(worker):
    model = worker.learn.model
    model.may.clear()
    first = worker.submit([b"x"])
    while not first.running():
        pass
    waiting = worker.submit([b"12"])
    closing = threading.Thread(target=worker.close)
    closing.start()
    model.may.set()
    closing.join(20)
    assert values(first.result(20)) == [1.0]
    assert waiting.done()
