"""`PartialDL`: epochs of the right length over random parts, all of them in the long run."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.block import DataBlock, TransformBlock
from layerwise.core.data.dataset import Datasets
from layerwise.core.data.partial import PartialDL
from layerwise.core.data.split import EndSplitter


def batches(dl, seed=0, number=0, skip=0):
    dl.set_epoch(seed, number, skip)
    return [batch.tolist() for batch in dl]


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 8), st.booleans())
def test_the_length_is_that_of_what_comes(count, part, bs, drop_last):
    dl = PartialDL(list(range(count)), bs=bs, partial_n=part, drop_last=drop_last)
    found = batches(dl)
    assert len(found) == len(dl)
    samples = [x for batch in found for x in batch]
    assert len(set(samples)) == len(samples)
    whole = min(count, part)
    assert len(samples) == (whole // bs * bs if drop_last else whole)


def test_epochs_see_other_parts_and_all_in_the_long_run():
    dl = PartialDL(list(range(20)), bs=5, partial_n=5)
    parts = [tuple(batches(dl, 0, number)[0]) for number in range(60)]
    assert len(set(parts)) > 50
    assert {x for part in parts for x in part} == set(range(20))


def test_an_epoch_depends_on_its_key_and_can_be_taken_up():
    dl = PartialDL(list(range(20)), bs=2, partial_n=9)
    first = batches(dl, 3, 1)
    torch.rand(1)
    assert batches(dl, 3, 1) == first
    assert batches(dl, 3, 1, skip=2) == first[2:]
    assert batches(dl.new(num_workers=2), 3, 1) == first


def test_without_shuffle_every_sample_comes_once():
    dl = PartialDL(list(range(6)), bs=4, partial_n=2, shuffle=False)
    assert batches(dl) == [[0, 1, 2, 3], [4, 5]]
    assert len(dl) == 2


def test_a_loader_over_other_data_has_all_of_them():
    dl = PartialDL(list(range(6)), bs=4, partial_n=2)
    assert len(batches(dl.new())[0]) == 2
    assert sorted(batches(dl.new([7, 8, 9]))[0]) == [7, 8, 9]


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="partial_n=0"):
        PartialDL([1], partial_n=0)


def test_datasets_and_blocks_make_them():
    dsets = Datasets(list(range(10)), [[torch.tensor]], splits=[range(8), [8, 9]])
    dls = dsets.partial_dataloaders(4, bs=2, device="cpu")
    assert (len(dls.train), len(dls.valid)) == (2, 1)
    assert [x.tolist() for (x,) in dls.valid] == [[8, 9]]
    block = DataBlock([TransformBlock, TransformBlock], splitter=EndSplitter(0.2))
    dls = block.partial_dataloaders([float(i) for i in range(10)], 6, bs=2, device="cpu")
    assert len(list(dls.train)) == 3


def test_predictions_over_the_training_data_are_of_all_of_them(make_learner, samples):
    from layerwise.core.data.loader import DataLoader
    from layerwise.core.data.loaders import DataLoaders

    data = samples(12)
    dls = DataLoaders(PartialDL(data, bs=4, partial_n=4), DataLoader(data[:4], 4))
    learn = make_learner(dls=dls)
    learn.fit(2)
    assert learn.recorder.iters == [1, 2]
    targets = learn.get_preds(ds_idx=0)[1]
    assert torch.equal(targets, torch.stack([y for _, y in data]))
