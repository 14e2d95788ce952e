"""Batches cut from arrays: the same as any loader makes of them, sample by sample."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.array_loader import ArrayDataset, ArrayDL
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.distributed.loader import DistributedDL
from layerwise.core.learner import Learner
from layerwise.core.metrics.regression import mae
from layerwise.core.restore import load_learner
from layerwise.core.transforms.transform import Transform


def data_of(count):
    x = torch.arange(count * 3.0).view(count, 3)
    return ArrayDataset(x, torch.arange(count), np.arange(count) * 0.5, n_inp=2)


def numbers(batches):
    return [batch[1].tolist() for batch in batches]


def same(ours, others):
    ours, others = list(ours), list(others)
    assert len(ours) == len(others)
    for mine, other in zip(ours, others, strict=True):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            assert a.dtype == b.dtype
            assert torch.equal(a, b)


# -- the same as the loader of samples -------------------------------------------------------------


@given(
    count=st.integers(1, 300), bs=st.integers(1, 70), shuffle=st.booleans(),
    drop_last=st.booleans(), skip=st.integers(0, 5), n=st.none() | st.integers(1, 400),
)  # fmt: skip
def test_batches_are_those_of_the_loader_of_samples(count, bs, shuffle, drop_last, skip, n):
    data = data_of(count)
    settings = {"bs": bs, "shuffle": shuffle, "drop_last": drop_last, "n": n}
    ours, others = ArrayDL(data, **settings), TfmdDL(data, **settings)
    assert len(ours) == len(others)
    for loader in (ours, others):
        loader.set_epoch(7, 2, skip)
    same(ours, others)


@pytest.mark.parametrize("processes", [2, 3])
def test_shares_of_several_processes_join_to_the_batches(processes):
    data = data_of(101)
    whole = ArrayDL(data, bs=8, shuffle=True)
    whole.set_epoch(3, 1)
    parts = []
    for rank in range(processes):
        part = DistributedDL(ArrayDL(data, bs=8, shuffle=True), rank, processes)
        part.set_epoch(3, 1)
        parts.append([(part.items, batch[1].tolist()) for batch in part])
    joined = [
        [i for items, rows in shares for i in rows[:items]] for shares in zip(*parts, strict=True)
    ]
    assert joined == numbers(whole)


def test_workers_make_the_same_batches():
    data = data_of(20)
    here, there = ArrayDL(data, bs=6, shuffle=True), ArrayDL(data, bs=6, shuffle=True)
    there.num_workers = 1
    for loader in (here, there):
        loader.set_epoch(1, 0)
    same(here, there)


def test_steps_for_samples_are_done_for_each():
    loader = ArrayDL(data_of(5), bs=2, after_item=lambda member: member * 10)
    assert numbers(loader) == [[0, 10], [20, 30], [40]]
    kept = ArrayDL(data_of(5), bs=2, get_idxs=lambda: [4, 0, 2])
    assert numbers(kept) == [[4, 0], [2]]


class Double(Transform):
    def encodes(self, x: torch.Tensor):
        return x * 2


def test_transforms_of_batches_are_done():
    loader = ArrayDL(data_of(5), bs=2, after_batch=Double())
    assert [batch[1].tolist() for batch in loader] == [[0, 2], [4, 6], [8]]
    assert [batch[1].tolist() for batch in loader] == [[0, 2], [4, 6], [8]]


def test_batches_share_no_memory_with_the_data():
    data = data_of(6)
    for batch in ArrayDL(data, bs=2):
        batch[0].fill_(-1)
    assert data.arrays[0].min() == 0


# -- arrays on the disk ----------------------------------------------------------------------------


def test_files_are_read_by_the_rows_of_a_batch(tmp_path):
    values = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    loader = ArrayDL(ArrayDataset(mapped, torch.arange(1000)), bs=64, shuffle=True)
    for x, rows in loader:
        assert torch.equal(x, torch.from_numpy(values)[rows])


# -- with a learner --------------------------------------------------------------------------------


def linear_data(count=64):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return ArrayDataset(x, x @ torch.tensor([[1.0], [-2.0], [0.5]]))


def test_a_learner_trains_exports_and_predicts_new_arrays(tmp_path):
    data = linear_data()
    dls = DataLoaders(ArrayDL(data, bs=16, shuffle=True), ArrayDL(data, bs=16), path=tmp_path)
    learn = Learner(dls, torch.nn.Linear(3, 1), torch.nn.MSELoss(), metrics=mae, lr=0.1)
    with learn.no_logging():
        learn.fit(30)
    assert learn.validate()[1] < 0.05
    learn.export("lines.lw")
    loaded = load_learner(tmp_path / "lines.lw")
    new = linear_data(10)
    preds, targets = loaded.get_preds(dl=loaded.dls.test_dl(new))
    expected, _ = learn.get_preds(dl=dls.test_dl(new))
    assert torch.equal(preds, expected)
    assert (preds - targets).abs().mean() < 0.05


# -- wrong use -------------------------------------------------------------------------------------


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"arrays of \[3, 4\] rows"):
        ArrayDataset(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match="pass one for each member"):
        ArrayDataset()


def test_data_of_samples_are_refused():
    with pytest.raises(TypeError, match="list has no gather; pass ArrayDataset"):
        ArrayDL([1, 2])


def test_an_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match=r"shufle.*Did you mean"):
        ArrayDL(data_of(3), shufle=True)
