"""Texts of like length together: against sorting by hand, and its share of chance."""

from itertools import chain, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.data.dataset import Datasets, TfmdLists
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.distributed.loader import DistributedDL
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.transforms.transform import Transform
from layerwise.text.padding import Pad_Chunk
from layerwise.text.sorted_loader import SortedDL
from layerwise.text.types import TensorText


def texts(lens):
    """A sample of each length; the target is its index."""
    return [(TensorText(torch.full((n,), 5)), i) for i, n in enumerate(lens)]


def indices(dl):
    return [y.tolist() for _, y in dl]


def joined(lists):
    return list(chain.from_iterable(lists))


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(lens=lengths, bs=st.integers(1, 20), knows=st.booleans())
def test_in_validation_texts_come_from_the_longest_to_the_shortest(lens, bs, knows):
    dl = SortedDL(texts(lens), res=lens if knows else None, bs=bs, before_batch=Pad_Chunk())
    found = joined(indices(dl))
    assert found == sorted(range(len(lens)), key=lambda i: -lens[i])


@given(lens=lengths, bs=st.integers(1, 5), seed=st.integers(0, 99))
def test_in_training_every_text_comes_once_and_the_longest_in_the_first_batch(lens, bs, seed):
    dl = SortedDL(texts(lens), bs=bs, shuffle=True, before_batch=Pad_Chunk())
    dl.set_epoch(seed, 0)
    found = indices(dl)
    assert sorted(joined(found)) == list(range(len(lens)))
    assert max(lens[i] for i in found[0]) == max(lens)
    full = [batch for batch in found if len(batch) == bs]
    # Within a stretch of 50 batches no two of them overlap in length.
    if len(full) <= 50:
        spans = sorted((min(lens[i] for i in b), max(lens[i] for i in b)) for b in full)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert all(lens[a] >= lens[b] for batch in found for a, b in pairwise(batch))


def test_little_of_a_batch_is_padding():
    generator = torch.Generator().manual_seed(0)
    lens = torch.randint(1, 1000, (5000,), generator=generator).tolist()
    dl = SortedDL(texts(lens), bs=32, shuffle=True, before_batch=Pad_Chunk())
    dl.set_epoch(0, 0)
    cells = sum(x.numel() for x, _ in dl)
    assert cells < 1.05 * sum(lens)


def test_what_a_training_epoch_drops_is_left_to_chance():
    lens = list(range(1, 12))
    dl = SortedDL(texts(lens), bs=4, shuffle=True, drop_last=True, before_batch=Pad_Chunk())
    dropped = set()
    for epoch in range(60):
        dl.set_epoch(0, epoch)
        dropped |= set(range(11)) - set(joined(indices(dl)))
    assert dropped == set(range(10))  # but for the longest, which comes first


def test_orders_go_on_in_their_middle_and_are_shared():
    lens = [7, 3, 9, 9, 2, 5, 1, 8, 4, 6, 3]

    def make():
        return SortedDL(texts(lens), bs=4, shuffle=True, before_batch=Pad_Chunk())

    whole = make()
    whole.set_epoch(4, 1)
    expected = indices(whole)
    whole.set_epoch(4, 1, skip=1)
    assert indices(whole) == expected[1:]
    parts = []
    for rank in range(2):
        part = DistributedDL(make(), rank, 2)
        part.set_epoch(4, 1)
        parts.append([y.tolist()[: part.items] for _, y in part])
    assert [a + b for a, b in zip(*parts, strict=True)] == expected


class OneLetter(nn.Module):
    """Says which letter a text is made of."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return nn.functional.one_hot(x.amax(1), 128) * self.weight


class Lengths(Transform):
    """Counts letters; knows how many there are, as a Tokenizer of files does."""

    reads = 0

    def __init__(self, knows):
        super().__init__()
        self.knows = knows

    def encodes(self, o: str) -> TensorText:
        type(self).reads += 1
        return TensorText(list(map(ord, o)))

    def get_lengths(self, items):
        return [len(x) for x in items] if self.knows else None


def of_words(*, knows):
    Lengths.reads = 0
    return TfmdLists(["aa", "b", "cccc", "ddd"], [Lengths(knows)], splits=[[0, 1], [2, 3, 1]])


def lens_in(dl):
    return [len(text) for batch in dl for text in batch]


def test_known_lengths_are_asked_of_the_transforms():
    data = of_words(knows=True)
    dl = SortedDL(data.valid, bs=1)
    before = Lengths.reads
    assert dl.get_idxs() == [0, 1, 2]
    assert Lengths.reads == before
    assert lens_in(dl) == [4, 3, 1]


def test_in_validation_a_text_is_read_once_to_be_measured_and_to_be_loaded():
    data = of_words(knows=False)
    dl = SortedDL(data.valid, bs=1)
    before = Lengths.reads
    assert lens_in(dl) == [4, 3, 1]
    assert Lengths.reads == before + 3
    assert lens_in(dl) == [4, 3, 1]
    assert Lengths.reads == before + 6


def test_loaders_of_other_data_measure_these():
    dl = SortedDL(texts([3, 1, 2]), res=[3, 1, 2], bs=1)
    assert indices(dl.new(texts([1, 2]))) == [[1], [0]]
    assert indices(dl.new(sort_func=lambda sample: -len(sample[0]))) == indices(dl)
    assert indices(dl.new(sort_func=lambda s: -len(s[0]), res=None)) == [[1], [2], [0]]


def test_any_size_can_be_sorted_by():
    dl = SortedDL(texts([1, 1, 1]), sort_func=lambda sample: sample[1], bs=3)
    assert indices(dl) == [[2, 1, 0]]


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="res has 2 sizes for 3 samples"):
        SortedDL(texts([1, 2, 3]), res=[1, 2])
    with pytest.raises(TypeError, match="Did you mean 'sort_func'"):
        SortedDL(texts([1]), sort_fun=len)


def test_predictions_of_several_texts_come_in_their_order():
    dsets = Datasets(["aa", "b"], [[Lengths(knows=False)], [len]], splits=[[0], [1]])
    loaders = [SortedDL(dsets.subset(i), bs=2, before_batch=Pad_Chunk()) for i in (0, 1)]
    learn = Learner(DataLoaders(*loaders), OneLetter(), loss_func=CrossEntropyLossFlat())
    found = learn.predict(["bb", "ccc", "a", "dddd", "ee"])
    assert [preds.argmax().item() for *_, preds in found] == [98, 99, 97, 100, 101]
    words = learn.predict(["bb", "ccc", "a"], with_input=True)
    assert [len(text) for text, *_ in words] == [2, 3, 1]
