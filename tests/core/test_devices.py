import os
import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from layerwise.core import devices
from layerwise.core.devices import (
    default_device,
    distrib_barrier,
    maybe_gather,
    num_distrib,
    rank_distrib,
    setup_cuda,
)


@pytest.fixture
def accelerator(monkeypatch):
    """Pretend that torch lists an accelerator of a kind; clears what is remembered of it."""

    def pretend(kind):
        found = None if kind is None else torch.device(kind)
        monkeypatch.setattr(
            torch.accelerator, "current_accelerator", lambda check_available=False: found
        )
        monkeypatch.setattr(torch.accelerator, "current_device_index", lambda: 0)
        devices._failure.cache_clear()
        devices._warn_once.cache_clear()

    yield pretend
    devices._failure.cache_clear()
    devices._warn_once.cache_clear()


def test_without_an_accelerator_it_is_the_cpu_and_demanding_one_says_what_to_do(accelerator):
    accelerator(None)
    assert default_device() == torch.device("cpu")
    with pytest.raises(RuntimeError, match=r"finds no accelerator here.*use=False"):
        default_device(use=True)


def test_an_accelerator_that_is_listed_but_broken_gives_the_cpu_and_one_warning(accelerator):
    # Operations on the meta device have no values, so that reading the result fails.
    accelerator("meta")
    with pytest.warns(UserWarning, match="'meta' is present but does not work.*using the CPU"):
        assert default_device() == torch.device("cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert default_device() == torch.device("cpu")
    with pytest.raises(RuntimeError, match="operation on 'meta' failed"):
        default_device(use=True)


def test_an_accelerator_that_works_is_taken_unless_it_is_refused(accelerator):
    accelerator("cpu")  # the one kind that works everywhere
    assert default_device() == torch.device("cpu", 0)
    assert default_device(use=True) == torch.device("cpu", 0)
    assert default_device(use=False) == torch.device("cpu")


def test_setup_cuda_does_nothing_without_cuda(monkeypatch):
    before = torch.backends.cudnn.benchmark
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    setup_cuda()
    assert torch.backends.cudnn.benchmark is before


def test_setup_cuda_switches_the_measuring_of_cudnn(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    setup_cuda()
    assert torch.backends.cudnn.benchmark
    setup_cuda(benchmark=False)
    assert not torch.backends.cudnn.benchmark


@pytest.mark.gpu
def test_the_default_device_of_a_machine_with_a_gpu_is_that_gpu():
    assert default_device(use=True).type == "cuda"


def test_alone_there_is_nothing_to_wait_for_and_nothing_to_gather():
    x = torch.ones(2)
    distrib_barrier()
    assert (num_distrib(), rank_distrib()) == (0, 0)
    assert maybe_gather(x) is x


def test_the_launcher_is_believed_before_the_group_exists(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (num_distrib(), rank_distrib()) == (4, 3)
    assert maybe_gather(torch.ones(1)).shape == (1,)


def _gather_in_a_process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    distrib_barrier()
    rows = torch.full((2 - rank, 2), float(rank))  # two rows here, one there
    found = {
        "facts": (num_distrib(), rank_distrib()),
        "rows": maybe_gather(rows).tolist(),
        "columns": maybe_gather(rows.T, axis=1).tolist(),
        "number": maybe_gather(torch.tensor(float(rank))).item(),
        "count": maybe_gather(torch.tensor(rank)).item(),
    }
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="file stores of gloo need absolute POSIX paths")
def test_two_processes_gather_parts_of_unequal_length(tmp_path):
    mp.spawn(_gather_in_a_process, args=(str(tmp_path),), nprocs=2)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found["facts"] == (2, rank)
        assert found["rows"] == [[0, 0], [0, 0], [1, 1]]
        assert found["columns"] == [[0, 0, 1], [0, 0, 1]]
        assert found["number"] == found["count"] == 0.5
