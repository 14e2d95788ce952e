"""From data with splits to loaders: which of them shuffles, and with what settings."""

import pytest
import torch

from layerwise.core.data.dataset import Datasets, TfmdLists
from layerwise.core.data.filtered import FilteredBase
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.random import set_seed
from layerwise.core.transforms.transform import Transform


def numbers(n=20, n_valid=5, **settings):
    """Training numbers 0 to n - 1 and validation numbers from n on."""
    splits = [list(range(n)), list(range(n, n + n_valid))]
    return TfmdLists(list(range(n + n_valid)), None, splits=splits, **settings)


def flat(dl):
    return [i for batch in dl for i in batch.tolist()]


def test_training_is_shuffled_and_full_validation_whole_and_in_order():
    dls = numbers(n=20).dataloaders(bs=8, num_workers=0)
    assert len(dls.train) == 2
    assert len(set(flat(dls.train))) == 16
    assert flat(dls.train) != flat(dls.train)
    assert flat(dls.valid) == [20, 21, 22, 23, 24]


def test_one_small_batch_of_training_is_kept():
    dls = numbers(n=3).dataloaders(bs=8, num_workers=0)
    assert sorted(flat(dls.train)) == [0, 1, 2]


def test_shuffling_dropping_and_sizes_can_be_set():
    dls = numbers().dataloaders(bs=8, val_bs=2, shuffle=False, val_shuffle=True, n=7, num_workers=0)
    assert flat(dls.train) == list(range(7))
    assert (dls.valid.bs, dls.valid.shuffle) == (2, True)
    assert sorted(flat(dls.valid)) == [20, 21, 22, 23, 24]
    kept = numbers().dataloaders(bs=8, drop_last=False, num_workers=0)
    assert len(kept.train) == 3


def test_each_split_can_have_settings_of_its_own():
    dls = numbers().dataloaders(bs=8, num_workers=0, dl_kwargs=[{}, {"bs": 3, "drop_last": True}])
    assert [len(b) for b in dls.valid] == [3]
    with pytest.raises(ValueError, match="1 dl_kwargs for 2 splits; give one each"):
        numbers().dataloaders(dl_kwargs=[{}])


def test_the_class_of_loader_comes_from_the_data_or_the_call():
    class Mine(TfmdDL): ...

    assert type(numbers().dataloaders(num_workers=0).valid) is TfmdDL
    assert type(numbers(dl_type=Mine).dataloaders(num_workers=0).valid) is Mine
    assert type(numbers().dataloaders(dl_type=DataLoader).train) is DataLoader


def test_transforms_are_shared_by_the_splits_and_know_them():
    augment = Transform(lambda x: x + 1000, split_idx=0)
    dls = numbers().dataloaders(bs=5, num_workers=0, after_item=[augment])
    assert min(flat(dls.train)) == 1000
    assert flat(dls.valid) == [20, 21, 22, 23, 24]
    assert next(iter(dls.train.after_item)) is next(iter(dls.valid.after_item))


def test_data_without_splits_make_one_loader():
    dls = Datasets([1, 2, 3], [None]).dataloaders(bs=2, num_workers=0)
    assert len(dls) == 1
    with pytest.raises(IndexError, match="no validation loader; there are 1"):
        dls.valid


def test_any_number_of_splits_make_as_many_loaders():
    data = TfmdLists([1, 2, 3], None, splits=[[0], [1], [2]])
    assert [flat(dl) for dl in data.dataloaders(bs=1, num_workers=0)] == [[1], [2], [3]]


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(TypeError, match=r"unknown keyword 'after_batc'.*'after_batch'"):
        numbers().dataloaders(after_batc=None)


def test_batches_go_to_the_device_asked_for(tmp_path):
    dls = numbers().dataloaders(device="meta", num_workers=0, path=tmp_path)
    assert dls.one_batch().device == torch.device("meta")
    assert dls.path == tmp_path


def test_the_seed_decides_whether_it_is_set_before_or_after_the_loaders_are_made():
    def order(dls):
        return flat(dls.train), flat(dls.train)

    set_seed(3)
    before = order(numbers().dataloaders(bs=4, num_workers=0))
    dls = numbers().dataloaders(bs=4, num_workers=0)
    set_seed(3)
    assert order(dls) == before


def test_a_kind_of_data_says_what_a_subset_is():
    class Bare(FilteredBase):
        splits = [[0], [1]]

    with pytest.raises(NotImplementedError, match="Bare does not say what a subset of it is"):
        Bare().train
