"""`WeightedDL`: samples come as often as their weights say, and the epoch repeats by its key."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.block import DataBlock, TransformBlock
from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.data.split import EndSplitter
from layerwise.core.data.weighted import WeightedDL


def epoch(dl, seed=0, number=0, skip=0):
    dl.set_epoch(seed, number, skip)
    return [x for batch in dl for x in batch.tolist()]


def test_samples_come_as_often_as_their_weights_say():
    wgts = [0.0, 1.0, 2.0, 5.0, 0.0]
    dl = WeightedDL(list(range(5)), bs=5, wgts=wgts)
    counts = Counter(x for number in range(2000) for x in epoch(dl, 0, number))
    assert counts[0] == counts[4] == 0
    total = sum(counts.values())
    assert total == 10_000
    for sample, weight in enumerate(wgts):
        chance = weight / 8
        tolerance = 5 * (chance * (1 - chance) / total) ** 0.5
        assert abs(counts[sample] / total - chance) <= tolerance


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20).filter(any), st.integers(0, 1000))
def test_what_has_no_weight_never_comes(wgts, seed):
    found = epoch(WeightedDL(list(range(len(wgts))), bs=4, wgts=wgts), seed)
    assert len(found) == len(wgts)
    assert all(wgts[x] > 0 for x in found)


def test_an_epoch_depends_on_its_key_alone_and_can_be_taken_up():
    dl = WeightedDL(list(range(20)), bs=4, wgts=range(20))
    torch.manual_seed(1)
    first = epoch(dl, 5, 2)
    torch.manual_seed(2)
    assert epoch(dl, 5, 2) == first
    assert epoch(dl, 5, 3) != first
    assert epoch(dl, 5, 2, skip=3) == first[12:]
    assert epoch(dl.new(num_workers=2), 5, 2) == first


def test_without_shuffle_every_sample_comes_once_and_no_weights_are_uniform():
    dl = WeightedDL(list(range(6)), bs=4, wgts=[0, 0, 0, 0, 0, 1], shuffle=False)
    assert epoch(dl) == list(range(6))
    assert sorted(epoch(WeightedDL(list(range(6)), bs=4))) == list(range(6))


def test_a_loader_over_other_data_has_no_weights():
    dl = WeightedDL(list(range(6)), bs=4, wgts=[1, 0, 0, 0, 0, 0])
    assert set(epoch(dl.new())) == {0}
    assert sorted(epoch(dl.new([7, 8, 9]))) == [7, 8, 9]
    assert set(epoch(dl.new([7, 8], wgts=[0, 1]))) == {8}
    with pytest.raises(TypeError, match="TfmdDL has no weights"):
        dl.new(cls=TfmdDL)


@pytest.mark.parametrize(
    ("wgts", "told"),
    [
        ([1.0, 2.0], r"weights of shape \(2,\) for 3 samples"),
        ([-1.0, 1, 1], "a weight of -1; give finite numbers of 0 or more"),
        ([0, 0, 0], "all 3 weights are 0; give one above 0 at least"),
        ([1, float("nan"), 1], "a weight of nan"),
    ],
)
def test_what_cannot_be_weights_is_refused(wgts, told):
    with pytest.raises(ValueError, match=told):
        WeightedDL([1, 2, 3], wgts=wgts)


def test_datasets_make_weighted_loaders_of_their_training_split():
    dsets = Datasets(list(range(10)), [[torch.tensor]], splits=[[0, 2, 4, 6], [1, 3, 5, 7, 8, 9]])
    every = [1.0 if i == 4 else 0.0 for i in range(10)]
    for wgts in (every, [0, 0, 1, 0]):
        dls = dsets.weighted_dataloaders(wgts, bs=2, device="cpu")
        assert {int(x) for (batch,) in dls.train for x in batch} == {4}
        assert [int(x) for (batch,) in dls.valid for x in batch] == [1, 3, 5, 7, 8, 9]
    with pytest.raises(ValueError, match="5 weights for 10 items, 4 of them for training"):
        dsets.weighted_dataloaders([1] * 5)
    with pytest.raises(ValueError, match="an order of its own"):
        dsets.weighted_dataloaders(every, dl_type=WeightedDL)


def test_a_block_takes_weights_or_a_function_of_the_item():
    block = DataBlock(
        [TransformBlock, TransformBlock], get_y=lambda x: x * 2, splitter=EndSplitter(0.25)
    )
    items = [float(i) for i in range(8)]
    for wgts in ([0, 0, 0, 1, 0, 0, 0, 0], lambda item: item == 3):
        dls = block.weighted_dataloaders(items, wgts, bs=3, device="cpu")
        x, y = dls.one_batch()
        assert x.tolist() == [3.0] * 3
        assert y.tolist() == [6.0] * 3
