"""Batches of rows: their shapes and types, drawn, decoded, shown and shared among processes."""

from collections import deque
from itertools import chain

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.core.data.jobs import Share
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.random import keyed
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.loader import TabDataLoader, TabWeightedDL
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing


def people(count=100):
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "job": rng.choice(["clerk", "smith", "cook"], count),
        "age": rng.normal(40, 12, count),
        "number": np.arange(count, dtype=float),
        "pay": rng.choice(["low", "high"], count),
    })  # fmt: skip


def table(count=100, procs=(Categorify, FillMissing), splits=True):
    parts = (list(range(0, count, 2)), list(range(1, count, 2))) if splits else None
    return TabularPandas(people(count), procs, "job", ["age", "number"], "pay", splits=parts)


def flat(lists):
    return list(chain.from_iterable(lists))


def numbers_of(batches):
    """What column `number` of the frame was in each batch."""
    return [batch[1][:, 1].int().tolist() for batch in batches]


def test_batches_are_codes_numbers_and_targets():
    to = table()
    dls = to.dataloaders(bs=16)
    codes, values, target = dls.one_batch()
    assert (codes.shape, values.shape, target.shape) == ((16, 1), (16, 2), (16,))
    assert (codes.dtype, values.dtype, target.dtype) == (torch.int64, torch.float32, torch.int64)
    assert (dls.n_inp, len(dls.train), len(dls.valid)) == (2, 3, 4)
    batches = list(dls.valid)
    torch.testing.assert_close(
        torch.cat([b[0] for b in batches]), torch.tensor(to.valid.cats.to_numpy()).long()
    )
    torch.testing.assert_close(
        torch.cat([b[1] for b in batches]), torch.tensor(to.valid.conts.to_numpy())
    )
    assert torch.cat([b[2] for b in batches]).tolist() == to.valid.y.tolist()


def test_every_training_row_comes_once_in_an_epoch_in_another_order_each_time():
    loader = TabDataLoader(table(splits=False), bs=8, shuffle=True)
    first, second = (flat(numbers_of(loader)) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first != sorted(first)


def test_large_epochs_are_whole():
    count = 40_000  # more rows than are gathered at once
    frame = pd.DataFrame({"number": np.arange(count, dtype=np.float32)})
    to = TabularPandas(frame, None, None, "number")
    seen = torch.cat([batch[1] for batch in TabDataLoader(to, bs=100, shuffle=True)])
    assert torch.equal(seen.flatten().sort().values, torch.arange(float(count)))


def test_workers_make_the_same_batches():
    to = table(40)
    for workers in (0, 1):
        loader = TabDataLoader(to.valid, bs=8, num_workers=workers)
        assert numbers_of(loader) == numbers_of(TabDataLoader(to.valid, bs=8))


def test_batches_are_decoded_to_rows_of_the_frame():
    frame, to = people(), table(procs=(Categorify, FillMissing, Normalize))
    loader = to.dataloaders(bs=8).valid
    rows = loader.decode_batch(loader.one_batch(), max_n=3)
    assert len(rows) == 3
    for row, expected in zip(rows, (frame.iloc[i] for i in (1, 3, 5)), strict=True):
        assert row["job"] == expected["job"]
        assert row["pay"] == expected["pay"]
        assert row["age"] == pytest.approx(expected["age"], rel=1e-5)


def test_a_batch_is_shown_as_it_was_in_the_frame(capsys):
    frame, to = people(), table(procs=(Categorify, FillMissing, Normalize))
    dls = to.dataloaders(bs=8)
    dls.valid.show_batch(max_n=2)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["job", "age", "number", "pay"]
    assert [line[0] for line in lines[1:]] == frame["job"].iloc[[1, 3]].tolist()
    assert [line[3] for line in lines[1:]] == frame["pay"].iloc[[1, 3]].tolist()
    dls.show_batch()
    assert len(capsys.readouterr().out.splitlines()) == 9  # a batch of 8, and the names


def test_results_are_shown_beside_the_targets(capsys):
    to = table()
    loader = to.dataloaders(bs=8).valid
    batch = loader.one_batch()
    loader.show_results(batch, 1 - batch[2], max_n=3)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["job", "age", "number", "pay", "pay_pred"]
    assert len(lines) == 4
    assert all({line[3], line[4]} == {"low", "high"} for line in lines[1:])


def test_rows_without_targets_are_shown_too(capsys):
    to = table()
    dls = to.dataloaders(bs=8)
    dls.test_dl(people(3).drop(columns="pay")).show_batch()
    assert capsys.readouterr().out.splitlines()[0].split() == ["job", "age", "number"]


def test_rows_are_drawn_by_weight():
    to = table()
    weights = (np.arange(100) < 10).astype(float) + (np.arange(100) == 0)
    train = to.weighted_dataloaders(weights, bs=50).train
    assert isinstance(train, TabWeightedDL)
    drawn = flat(flat(numbers_of(train)) for _ in range(100))
    counts = np.bincount(drawn, minlength=100)
    assert counts[10:].sum() == 0
    # Of the training rows 0, 2, 4, 6 and 8, the first has twice the weight: two sixths of 5,000.
    assert abs(counts[0] - 5000 / 3) < 4 * np.sqrt(5000 * (1 / 3) * (2 / 3))
    assert abs(counts[2] - 5000 / 6) < 4 * np.sqrt(5000 * (1 / 6) * (5 / 6))


def test_weights_play_no_part_without_shuffle_and_over_other_rows():
    to = table()
    weights = (np.arange(50) < 5).astype(float)
    loader = TabWeightedDL(to.train, bs=10, shuffle=False, wgts=weights)
    assert flat(numbers_of(loader)) == list(range(0, 100, 2))
    assert loader.new(to.valid).wgts is None
    assert loader.new(bs=5).wgts is not None
    with pytest.raises(ValueError, match=r"weights of shape \(3,\) for 50 samples; give one each"):
        TabWeightedDL(to.train, wgts=[1, 2, 3])
    with pytest.raises(ValueError, match="3 weights for 100 items, 50 of them for training"):
        to.weighted_dataloaders([1, 2, 3])


def test_draws_by_weight_repeat_with_their_key():
    loader = TabWeightedDL(table().train, bs=10, wgts=np.arange(50.0))
    orders = []
    for key in ((1, 0), (1, 0), (1, 1)):
        with keyed(*key):
            orders.append(loader.row_order().tolist())
    assert orders[0] == orders[1] != orders[2]


def test_the_rows_of_a_batch_are_shared_out_among_processes():
    to = table()
    whole = numbers_of(TabDataLoader(to.valid, bs=8))
    parts = []
    for rank in range(3):
        loader = TabDataLoader(to.valid, bs=8).shared(Share(rank, 3, deque()))
        parts.append(numbers_of(loader))
    # Of the last batch, of two rows, the first process has none; it makes one to take part.
    assert [flat(several) for several in zip(*parts, strict=True)][:-1] == whole[:-1]
    assert sorted(set(flat(part[-1] for part in parts))) == whole[-1]


def test_loaders_of_new_rows_are_like_those_of_validation():
    to = table(procs=(Categorify, FillMissing, Normalize))
    dls = to.dataloaders(bs=8, val_bs=32)
    new = people().iloc[:40]
    loader = dls.test_dl(new)
    assert (loader.bs, len(loader), loader.shuffle, loader.n_inp) == (32, 2, False, 2)
    assert [len(batch) for batch in loader] == [2, 2]
    assert len(dls.test_dl(new, with_labels=True).one_batch()) == 3
    assert dls.test_dl(new, bs=5).bs == 5
    assert len(dls.test_dl(to.valid).dataset) == 50
    # As programs of this family do it by hand.
    made = to.new(new)
    made.process()
    torch.testing.assert_close(dls.valid.new(made).one_batch()[:2], loader.one_batch())
    with pytest.raises(ValueError, match="rm_type_tfms leaves out first steps, of which tables"):
        dls.test_dl(new, rm_type_tfms=1)


def test_loaders_without_rows_keep_what_was_learnt():
    empty = table().dataloaders(bs=8).new_empty()
    assert isinstance(empty, DataLoaders)
    assert len(empty.train_ds) == 0
    assert empty.classes["job"] == ["#na#", "clerk", "cook", "smith"]


def test_gaps_without_filling_are_named_when_a_batch_is_wanted():
    frame = people()
    frame.loc[7, "age"] = np.nan
    to = TabularPandas(frame, Categorify, "job", "age", "pay")
    with pytest.raises(
        Exception, match="column 'age' has 1 missing values, the first in row 7; put"
    ):
        to.dataloaders(bs=8).one_batch()


def test_texts_without_codes_are_named_when_a_batch_is_wanted():
    to = TabularPandas(people(), None, "job", "age", "pay")
    with pytest.raises(
        Exception, match="column 'job' holds str where codes are needed; put Catego"
    ):
        to.dataloaders(bs=8).one_batch()
