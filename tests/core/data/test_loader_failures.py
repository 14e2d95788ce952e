"""R8: workers that die, hang or meet bad items say so in seconds and leave no process behind."""

import os
import re
import signal
import time
import warnings

import psutil
import pytest
import torch

from layerwise.core.data.loader import DataLoader
from layerwise.core.errors import DataError


class Files:
    """Samples from files, one of which is bad in some way."""

    def __init__(self, bad=None, what=None, count=32):
        self.items = [f"pictures/{i:02}.png" for i in range(count)]
        self.bad, self.what = bad, what

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if index == self.bad:
            self.what()
        return torch.tensor(float(index))


class Many(Files):
    def __getitem__(self, index):
        if index in (3, 4, 17):
            raise ValueError("cannot be decoded")
        return torch.tensor(float(index))


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def raises():
    raise ValueError("cannot be decoded")


def hangs():
    time.sleep(60)


@pytest.fixture(autouse=True)
def no_process_is_left():
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    yield
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
        if not [p for p in left if p.status() != psutil.STATUS_ZOMBIE]:
            return
        time.sleep(0.05)
    pytest.fail(f"processes are left: {left}")


def read(loader):
    start = time.monotonic()
    try:
        return list(loader)
    finally:
        assert time.monotonic() - start < 15  # 5 on a machine that nobody shares


def test_r8_a_worker_that_is_killed_says_which_batch_was_waited_for():
    loader = DataLoader(Files(13, dies), 4, num_workers=2)
    with pytest.raises(DataError, match=r"killed by signal|exited unexpectedly") as told:
        read(loader)
    assert re.search(r"its worker was at batch (1 or )?3\b", str(told.value))
    assert "12 (str 'pictures/12.png'), 13" in str(told.value)
    assert isinstance(told.value.__cause__, RuntimeError)


def test_r8_a_worker_that_hangs_is_given_up_after_the_timeout():
    loader = DataLoader(Files(5, hangs), 4, num_workers=1, timeout=1)
    with pytest.raises(DataError, match="timed out after 1 seconds") as told:
        read(loader)
    assert "its worker was at batch 1, of the items 4 (str 'pictures/04.png'), 5" in str(told.value)


@pytest.mark.parametrize("workers", [0, 2], ids=["here", "two-workers"])
def test_r8_an_item_that_raises_is_named_with_its_file_and_where_it_happened(workers):
    with pytest.raises(DataError, match=r"item 9 \(str 'pictures/09.png'\): ValueError") as told:
        read(DataLoader(Files(9, raises), 4, num_workers=workers))
    if workers:
        assert "in raises" in "".join(told.value.__notes__)  # the worker's traceback


@pytest.mark.parametrize("workers", [0, 1, 2], ids=str)
def test_r8_bad_items_are_left_out_named_and_counted(workers):
    loader = DataLoader(Many(), 4, num_workers=workers, on_bad_item="skip")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        batches = read(loader)
    texts = [str(w.message) for w in told if "left out" in str(w.message)]
    assert [text.split("(")[0] for text in texts] == [f"left out: item {i} " for i in (3, 4, 17)]
    assert "'pictures/17.png'): ValueError: cannot be decoded" in texts[2]
    assert len(loader.bad_items) == 3
    numbers = torch.cat(batches).tolist()
    assert numbers == [float(i) for i in range(32) if i not in (3, 4, 17)]


def test_r8_a_stream_leaves_bad_items_out_too():
    def decode(sample):
        if sample == 3:
            raise ValueError("cannot be decoded")
        return torch.tensor(float(sample))

    loader = DataLoader(
        (i for i in range(6)), 3, create_item=decode, on_bad_item="skip", indexed=False
    )
    with pytest.warns(UserWarning, match="left out: item int 3: ValueError"):
        assert [b.tolist() for b in loader] == [[0, 1, 2], [4, 5]]


def test_r8_training_goes_on_without_the_bad_items(make_learner):
    from torch import nn

    from layerwise.core.data.loaders import DataLoaders

    class Pairs(Many):
        def __getitem__(self, index):
            x = super().__getitem__(index).reshape(1) / 32
            return x, 2 * x

    train = DataLoader(Pairs(), 4, shuffle=True, num_workers=2, on_bad_item="skip")
    learn = make_learner(
        nn.Linear(1, 1), dls=DataLoaders(train, DataLoader([(x, x) for x in torch.ones(4, 1)], 2))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learn.fit(2)
    assert len(train.bad_items) == 6
    assert len(learn.recorder.losses) == 16


def test_r8_leaving_the_loop_early_leaves_no_worker():
    for number, _ in enumerate(DataLoader(Files(), 4, num_workers=2)):
        if number == 1:
            break


def test_another_policy_is_refused():
    with pytest.raises(ValueError, match="on_bad_item='ignore'; give 'raise' or 'skip'"):
        DataLoader([1, 2], 1, on_bad_item="ignore")
