"""The batches of a language model: against the loop over one long text that they stand for."""

import time
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.distributed.loader import DistributedDL
from layerwise.core.errors import DataError, SkipItemException
from layerwise.core.random import generator
from layerwise.core.transforms.transform import Transform
from layerwise.text.corpus import Corpus, read_corpus
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.types import LMTensorText, TensorText


def documents(*lens):
    """Documents of which every token has a number of its own, so that its place is known."""
    return list(torch.arange(sum(lens)).split(list(lens)))


def expected_batches(stream, bs, seq_len):
    """The same as said in words: bs rows of equal length, read seq_len at a time."""
    length = (len(stream) - 1) // bs
    rows = [stream[r * length : (r + 1) * length + 1] for r in range(bs)]
    made = []
    for at in range(0, length, seq_len):
        stop = min(at + seq_len, length)
        made.append(([r[at:stop] for r in rows], [r[at + 1 : stop + 1] for r in rows]))
    return made


def listed(batches):
    return [(x.tolist(), y.tolist()) for x, y in batches]


def joined(lists):
    return list(chain.from_iterable(lists))


lengths = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda x: sum(x) > 9)


@given(lens=lengths, bs=st.integers(1, 8), seq_len=st.integers(1, 12), knows=st.booleans())
def test_batches_are_pieces_of_parallel_streams(lens, bs, seq_len, knows):
    docs = documents(*lens)
    dl = LMDataLoader(docs, lens=lens if knows else None, bs=bs, seq_len=seq_len)
    found = listed(dl)
    assert found == expected_batches(list(range(sum(lens))), bs, seq_len)
    assert len(dl) == len(found)


@given(lens=lengths, bs=st.integers(1, 5), epoch=st.integers(0, 3))
def test_shuffling_puts_whole_documents_in_another_order(lens, bs, epoch):
    dl = LMDataLoader(documents(*lens), bs=bs, seq_len=7, shuffle=True)
    dl.set_epoch(11, epoch)
    found = listed(dl)
    length = (sum(lens) - 1) // bs
    streams = [[*joined(x[r] for x, _ in found), found[-1][1][r][-1]] for r in range(bs)]
    stream = [*joined(s[:-1] for s in streams), streams[-1][-1]]
    assert len(stream) == bs * length + 1
    assert len(set(stream)) == len(stream)
    starts = set(np.cumsum([0, *lens]).tolist())
    for before, after in pairwise(stream):
        assert after == before + 1 or after in starts
    for own, following in pairwise(streams):
        assert own[-1] == following[0]


def test_orders_depend_on_seed_and_epoch_alone():
    dl = LMDataLoader(documents(*[9] * 30), bs=4, seq_len=5, shuffle=True)

    def of(seed, epoch):
        dl.set_epoch(seed, epoch)
        return listed(dl)

    assert of(1, 0) == of(1, 0)
    assert of(1, 0) != of(1, 1)
    assert of(1, 0) != of(2, 0)


def test_types_say_what_is_input_and_what_is_to_be_predicted():
    x, y = LMDataLoader(documents(30), bs=2, seq_len=4).one_batch()
    assert type(x) is LMTensorText
    assert type(y) is TensorText
    assert x.dtype is torch.int64


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_goes_on_in_its_middle(shuffle):
    dl = LMDataLoader(documents(*[13] * 9), bs=3, seq_len=5, shuffle=shuffle)
    dl.set_epoch(5, 2)
    whole = listed(dl)
    dl.set_epoch(5, 2, skip=3)
    assert listed(dl) == whole[3:]
    dl.set_epoch(5, 2)
    batches = iter(dl)
    next(batches), next(batches)
    state = dl.state_dict()
    other = LMDataLoader(documents(*[13] * 9), bs=3, seq_len=5, shuffle=shuffle)
    other.load_state_dict(state)
    assert listed(other) == whole[2:]


@pytest.mark.parametrize("processes", [2, 3])
def test_each_process_keeps_its_streams(processes):
    docs = documents(*[17] * 10)
    whole = LMDataLoader(docs, bs=8, seq_len=6, shuffle=True)
    whole.set_epoch(3, 1)
    parts = []
    for rank in range(processes):
        part = DistributedDL(LMDataLoader(docs, bs=8, seq_len=6, shuffle=True), rank, processes)
        part.set_epoch(3, 1)
        parts.append(listed(part))
    whole_again = [
        (joined(x for x, _ in batches), joined(y for _, y in batches))
        for batches in zip(*parts, strict=True)
    ]
    assert whole_again == listed_epoch(whole, 3, 1)
    assert all(len({len(x) for x, _ in part}) == 1 for part in parts)


def listed_epoch(dl, seed, epoch):
    dl.set_epoch(seed, epoch)
    return listed(dl)


def test_workers_make_the_same_batches():
    docs = documents(*[11] * 12)
    here = LMDataLoader(docs, bs=4, seq_len=6, shuffle=True)
    there = LMDataLoader(docs, bs=4, seq_len=6, shuffle=True, num_workers=2)
    assert listed_epoch(here, 1, 0) == listed_epoch(there, 1, 0)
    assert listed_epoch(here, 1, 1) == listed_epoch(there, 1, 1)


class Counted(list):
    """Documents that count how often each is read."""

    def __init__(self, items):
        super().__init__(items)
        self.reads = 0

    def __getitem__(self, i):
        self.reads += 1
        return super().__getitem__(i)


def test_each_document_is_read_once_however_many_epochs_and_loaders():
    docs = Counted(documents(*[9] * 20))
    dl = LMDataLoader(docs, bs=2, seq_len=5, shuffle=True)
    for epoch in range(3):
        listed_epoch(dl, 0, epoch)
    listed(dl.new(shuffle=False))
    assert docs.reads == 20


def test_with_known_lengths_nothing_is_read_before_the_first_batch():
    docs = Counted(documents(9, 9))
    dl = LMDataLoader(docs, lens=[9, 9], bs=2, seq_len=5)
    assert (len(dl), docs.reads) == (2, 0)
    dl.one_batch()
    assert docs.reads == 2


def test_n_takes_the_first_documents():
    dl = LMDataLoader(documents(5, 6, 7), bs=1, seq_len=20, n=2)
    assert listed(dl) == [([list(range(10))], [list(range(1, 11))])]
    assert listed(dl.new(n=1)) == [([list(range(4))], [list(range(1, 5))])]
    assert dl.new(n=3).stream_len == 17


def test_a_corpus_beyond_the_memory_lies_in_a_file():
    docs = documents(*[1000] * 20)
    small, large = (LMDataLoader(docs, cache=c, bs=4, seq_len=50) for c in (1e-6, 2))
    assert listed(small) == listed(large)
    mapped = read_corpus(docs, memory=5000)
    assert mapped.tokens.tolist() == list(range(20000))
    assert mapped[3].tolist() == list(range(3000, 4000))


def test_a_corpus_of_ones_own_is_taken_as_it_is(tmp_path):
    np.arange(100, dtype=np.uint16).tofile(tmp_path / "tokens.bin")
    tokens = torch.from_numpy(np.memmap(tmp_path / "tokens.bin", np.uint16, mode="c"))
    dl = LMDataLoader(Corpus(tokens, torch.tensor([60, 40])), bs=3, seq_len=10)
    assert listed(dl) == expected_batches(list(range(100)), 3, 10)
    with pytest.raises(ValueError, match="do not lie within the 100"):
        Corpus(tokens, torch.tensor([60, 41]))


def test_batches_cost_the_same_in_a_corpus_a_hundred_times_longer():
    def seconds(count):
        tokens = torch.zeros(count * 250, dtype=torch.int32)
        dl = LMDataLoader(
            Corpus(tokens, torch.full((count,), 250)), bs=64, seq_len=72, shuffle=True
        )
        dl.set_epoch(0, 0)
        batches = iter(dl)
        next(batches)
        took = []
        for _ in range(50):
            start = time.perf_counter()
            next(batches)
            took.append(time.perf_counter() - start)
        return sorted(took)[10]

    assert seconds(100_000) < 5 * seconds(1000 + 500) + 1e-3


# -- with transforms --------------------------------------------------------------------------


class Numbers(Transform):
    """Words to numbers and back, as Numericalize does it."""

    vocab = list("abcdefgh")

    def encodes(self, o: str) -> TensorText:
        return TensorText([self.vocab.index(w) for w in o.split()])

    def decodes(self, o: TensorText) -> str:
        return " ".join(self.vocab[i] for i in o.tolist())


def test_both_members_are_decoded_the_way_of_the_text():
    dsets = Datasets(["a b c d e", "f g h a"], [[Numbers()]], splits=[[0], [1]])
    dls = DataLoaders(
        LMDataLoader(dsets.train, bs=2, seq_len=2), LMDataLoader(dsets.valid, bs=1, seq_len=2)
    )
    assert list(dls.train.decode_batch(dls.one_batch())) == [("a b", "b c"), ("c d", "d e")]
    test = dls.test_dl(["a b c d"])
    assert test.seq_len == 2
    assert listed(test) == [([[0, 1]], [[1, 2]]), ([[2]], [[3]])]


def test_item_transforms_see_each_document_once():
    seen = []

    def note(x: torch.Tensor):
        seen.append(x.tolist())
        return x + 1

    dl = LMDataLoader(documents(3, 4), bs=1, seq_len=10, after_item=note)
    listed(dl)
    assert listed(dl) == [([[1, 2, 3, 4, 5, 6]], [[2, 3, 4, 5, 6, 7]])]
    assert seen == [[0, 1, 2], [3, 4, 5, 6]]


def test_batch_transforms_see_each_batch():
    class Plus(Transform):
        def encodes(self, x: LMTensorText):
            return x + 1

    dl = LMDataLoader(documents(5), bs=1, seq_len=10, after_batch=Plus())
    assert listed(dl) == [([[1, 2, 3, 4]], [[1, 2, 3, 4]])]


# -- wrong use --------------------------------------------------------------------------------


def test_too_little_text_says_so():
    with pytest.raises(DataError, match="4 tokens in 1 documents are too few for bs=4"):
        LMDataLoader(documents(4), bs=4)
    assert len(LMDataLoader([], bs=4)) == 0


def test_what_is_no_document_is_named():
    with pytest.raises(DataError, match=r"item 1.*token numbers.*Numericalize"):
        LMDataLoader([torch.arange(3), torch.zeros(2, 2)], bs=1)
    with pytest.raises(DataError, match="item 0"):
        LMDataLoader([["some", "words"]], bs=1)


class Broken(list):
    def __getitem__(self, i):
        if i == 1:
            raise OSError("no such file")
        if i == 2:
            raise SkipItemException
        return super().__getitem__(i)


def test_broken_documents_are_left_out_where_that_is_asked_for():
    docs = Broken(documents(3, 3, 3, 3))
    with pytest.raises(DataError, match="item 1: OSError: no such file"):
        LMDataLoader(docs, bs=1)
    with pytest.warns(UserWarning, match="left out: item 1"):
        dl = LMDataLoader(docs, bs=1, seq_len=9, on_bad_item="skip")
    assert listed(dl) == [([[0, 1, 2, 9, 10]], [[1, 2, 9, 10, 11]])]


def test_wrong_settings_are_told():
    with pytest.raises(DataError, match="lens are not the lengths"):
        LMDataLoader(documents(3, 4), lens=[3, 5], bs=1).one_batch()
    with pytest.raises(ValueError, match="seq_len=0"):
        LMDataLoader(documents(9), seq_len=0)
    with pytest.raises(ValueError, match="before_batch sees the samples"):
        LMDataLoader(documents(9), bs=1, before_batch=lambda b: b)
    with pytest.raises(TypeError, match=r"unknown keyword 'seqlen'.*Did you mean 'seq_len'"):
        LMDataLoader(documents(9), bs=1, seqlen=3)


class Raised(LMDataLoader):
    """Adds a number of its own to all tokens of a document, another one each epoch."""

    def arrange(self, corpus):
        arranged = super().arrange(corpus)
        added = torch.randint(1, 9, (len(arranged),), generator=generator()) * 100
        tokens = arranged.read(torch.arange(arranged.size))
        return Corpus(tokens + added.repeat_interleave(arranged.lens), arranged.lens)


def test_documents_may_be_drawn_anew_each_epoch():
    dl = Raised(documents(10, 10, 10), bs=2, seq_len=4, shuffle=True)
    epochs = []
    for epoch in (0, 1, 0):
        dl.set_epoch(7, epoch)
        epochs.append(torch.cat([x for x, _ in dl], 1))
    first, second, again = epochs
    assert first.equal(again)
    assert not first.equal(second)
    assert (first % 100 < 30).all()  # the documents themselves stay as they are
    # One draw for a document, in all batches of the epoch.
    added = {(int(t) % 100 // 10, int(t) // 100) for t in first.flatten()}
    assert len(added) == 3


def test_workers_see_the_same_documents_as_one_process():
    alone, together = (
        Raised(documents(10, 10, 10), bs=2, seq_len=4, shuffle=True, num_workers=n) for n in (0, 2)
    )
    for dl in (alone, together):
        dl.set_epoch(7, 3)
    assert listed(alone) == listed(together)


def test_what_arranges_keeps_the_number_of_tokens():
    dl = LMDataLoader(documents(9, 9), bs=2, arrange=lambda c: c.arranged(torch.tensor([0])))
    with pytest.raises(DataError, match="arrange made 9 tokens of 18"):
        dl.one_batch()
