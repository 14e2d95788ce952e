"""Samples are what the pipelines make of items, split by split, and decode to what they were."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.dataset import Datasets, TfmdLists, decode_at, show_at
from layerwise.core.data.dataset import test_set as made_test_set
from layerwise.core.errors import DataError, SkipItemException
from layerwise.core.random import set_seed
from layerwise.core.tensors import TensorCategory, TensorImage
from layerwise.core.transforms.category import Categorize, Category, MultiCategorize
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import ItemTransform, Transform


class Tens(Transform):
    def encodes(self, x: int):
        return x * 10

    def decodes(self, x: int):
        return x // 10


class Open(Transform):
    """A path, as text, to a picture."""

    def encodes(self, x: str) -> TensorImage:
        return TensorImage(torch.full((1, 2, 2), float(len(x))))


def labelled():
    """Pictures and classes of four files, the last two for validation."""
    items = ["cat1", "dog22", "cat333", "dog4444"]
    return Datasets(items, [[Open()], [lambda s: s[:3], Categorize()]], splits=[[0, 1], [2, 3]])


# -- items and indices ----------------------------------------------------------------------


@given(st.lists(st.integers(), min_size=1, max_size=20), st.data())
def test_every_kind_of_index_selects_what_a_list_would(items, data):
    tl = TfmdLists(items, Tens())
    expected = [i * 10 for i in items]
    n = len(items)
    one = data.draw(st.integers(-n, n - 1))
    several = data.draw(st.lists(st.integers(-n, n - 1)))
    mask = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    cut = slice(
        data.draw(st.none() | st.integers(-9, 9)), data.draw(st.none() | st.integers(-9, 9))
    )
    assert tl[one] == tl[np.int64(one)] == tl[torch.tensor(one)] == expected[one]
    assert list(tl) == expected
    assert tl[cut] == expected[cut]
    assert tl[several] == tl[np.array(several, dtype=int)] == [expected[i] for i in several]
    assert tl[torch.tensor(several, dtype=torch.long)] == [expected[i] for i in several]
    kept = [x for x, keep in zip(expected, mask, strict=True) if keep]
    assert tl[mask] == tl[np.array(mask)] == tl[torch.tensor(mask)] == kept


def test_samples_of_several_members_are_indexed_alike():
    dsets = Datasets([1, 2, 3], [[Tens()], [str]])
    assert dsets[1] == dsets[np.int64(1)] == (20, "2")
    assert dsets[[0, 2]] == dsets[np.array([0, 2])] == dsets[::2] == [(10, "1"), (30, "3")]
    assert dsets[torch.tensor([True, False, True])] == [(10, "1"), (30, "3")]
    assert list(dsets) == [(10, "1"), (20, "2"), (30, "3")]
    assert len(dsets) == 3


def test_frames_give_rows_whatever_their_index():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")}, index=[7, 8, 9])
    tl = TfmdLists(frame, lambda row: (row["a"], row["b"]), splits=[[2, 0], [1]])
    assert tl[0] == (1, "x")
    assert list(tl.train) == [(3, "z"), (1, "x")]
    assert list(tl.valid) == [(2, "y")]
    assert isinstance(tl.train.items, pd.DataFrame)
    assert list(TfmdLists(frame["b"], str.upper)) == ["X", "Y", "Z"]


def test_items_may_be_arrays_and_generators():
    assert TfmdLists(np.arange(3), Tens())[2] == 2  # an int64 is no int
    assert list(TfmdLists((i for i in range(3)), Tens())) == [0, 10, 20]
    assert list(TfmdLists(np.arange(3), int, splits=[[0, 2], [1]]).train) == [0, 2]


# -- splits ---------------------------------------------------------------------------------


def test_each_split_has_its_items_and_acts_as_that_split():
    only_train = Transform(lambda x: x + 1, split_idx=0)
    only_valid = Transform(lambda x: -x, split_idx=1)
    tl = TfmdLists([1, 2, 3, 4], [only_train, only_valid], splits=[[0, 3], [2], [1]])
    assert [list(tl.subset(i)) for i in range(tl.n_subsets)] == [[2, 5], [-3], [2]]
    assert list(tl) == [1, 2, 3, 4]
    assert (tl.split_idx, tl.train.split_idx, tl.valid.split_idx) == (None, 0, 1)


def test_what_is_learnt_is_learnt_from_training_and_shared_by_all_splits():
    dsets = labelled()
    assert dsets.vocab == ["cat", "dog"]
    assert dsets.valid.vocab is dsets.train.vocab
    x, y = dsets.valid[1]
    assert type(x) is TensorImage
    assert type(y) is TensorCategory
    assert int(y) == 1


def test_a_missing_split_is_named():
    with pytest.raises(DataError, match="TfmdLists has no splits; pass splits="):
        TfmdLists([1], None).train
    with pytest.raises(DataError, match="there is no split 2; there are 2, 0 to 1"):
        TfmdLists([1, 2], None, splits=[[0], [1]]).subset(2)


def test_a_split_beyond_the_items_is_named():
    with pytest.raises(DataError, match="goes from position 0 to 9, but there are 3 items"):
        TfmdLists([1, 2, 3], None, splits=[[0, 1], [0, 9]]).valid


def test_overlaps_are_found():
    assert not TfmdLists([1, 2], None, splits=[[0], [1]]).overlapping_splits()
    assert TfmdLists([1, 2], None, splits=[[0, 1], [1]]).overlapping_splits()
    assert not Datasets([1, 2], [None], splits=[[0], [1]]).overlapping_splits()
    assert not TfmdLists([1, 2], None).overlapping_splits()


def test_all_items_may_be_for_validation():
    dsets = Datasets([1, 2], [[Tens()], [Categorize(vocab=[1, 2])]], splits=[[], [0, 1]])
    assert len(dsets.train) == 0
    assert dsets.valid[0] == (10, 0)
    assert dsets.types == [int, TensorCategory]


def test_acting_as_another_split_ends_with_the_context():
    dsets = Datasets([1, 2], [[Transform(lambda x: -x, split_idx=0)]], splits=[[0], [1]])
    valid = dsets.valid
    with valid.set_split_idx(0) as same:
        assert same is valid
        assert valid[0] == (-2,)
    assert valid[0] == (2,)
    with pytest.raises(KeyError), valid.set_split_idx(0):
        raise KeyError
    assert valid.split_idx == 1
    assert dsets.train.split_idx == 0


# -- back, and to the eye -------------------------------------------------------------------


def test_samples_decode_to_what_they_were():
    dsets = labelled()
    x, y = dsets.decode(dsets[1])
    assert type(x) is TensorImage
    assert (y, type(y)) == ("dog", Category)
    tl = TfmdLists([3], [Tens()])
    assert tl.decode(tl[0]) == 3


def test_samples_show_all_members_on_one_context():
    dsets = Datasets(["a", "b"], [[str.upper], [Categorize()]])
    assert dsets.show(dsets[1], ctx={}) == {"text": "B", "category": "b"}
    tl = TfmdLists(["a"], [Categorize()])
    assert tl.show(tl[0], ctx={}) == {"category": "a"}


def test_attributes_come_from_the_transforms():
    dsets = labelled()
    assert dsets.c == 2
    assert TfmdLists(["a"], [Categorize()]).vocab == ["a"]
    two = Datasets(["a", "b"], [[Categorize()], [str.upper, Categorize()]])
    assert list(map(list, two.vocab)) == [["a", "b"], ["A", "B"]]


def test_an_unknown_attribute_names_the_nearest():
    with pytest.raises(
        AttributeError, match=r"neither Datasets nor its transforms have 'vocb'.*'vocab'"
    ):
        labelled().vocb
    with pytest.raises(AttributeError, match=r"no transform of this pipeline has 'vocb'.*'vocab'"):
        TfmdLists(["a"], [Categorize()]).vocb
    assert not hasattr(labelled(), "_anything")


def test_the_number_of_inputs_is_all_but_one_unless_given():
    one, two = Datasets([1], [[Tens()]]), Datasets([1], [[Tens()], [str]])
    three = Datasets([1], [None, None, None])
    assert (one.n_inp, two.n_inp, three.n_inp) == (1, 1, 2)
    assert Datasets([1], [None, None], n_inp=2).n_inp == 2
    assert three.subset is not None


def test_data_print_what_they_hold():
    assert repr(labelled()).startswith("Datasets of 4 samples, 1 input(s)\n")
    assert repr(TfmdLists([1], [Tens()])) == "TfmdLists of 1 items\ntfms - Pipeline: Tens()"


# -- new items ------------------------------------------------------------------------------


def test_new_items_go_through_the_steps_they_lack():
    tl = labelled().tls[0]
    assert tl.infer_idx("path.png") == 0
    assert tl.infer_idx(TensorImage(torch.zeros(1))) == 1
    assert tl.infer("path").shape == (1, 2, 2)
    image = TensorImage(torch.zeros(1))
    assert tl.infer(image) is image


def test_items_of_another_kind_are_refused_with_what_was_expected():
    with pytest.raises(
        DataError, match="int 3 is not what this data is made of; expected str or Tens"
    ):
        labelled().tls[0].infer_idx(3)


def test_a_test_set_has_the_inputs_and_validation_transforms():
    only_train = Transform(lambda x: x + 100, split_idx=0)
    dsets = Datasets(["a", "bb"], [[len, only_train], [Categorize()]], splits=[[0], [1]])
    test = dsets.test_set(["cccc", "dd"])
    assert list(test) == [(4,), (2,)]
    assert test.n_inp == 1
    with_labels = Datasets(["a", "b"], [[str.upper], [Categorize()]]).test_set(
        ["b"], with_labels=True
    )
    assert with_labels[0] == ("B", 1)


def test_a_test_set_of_items_half_way_starts_where_they_are():
    dsets = labelled()
    image = TensorImage(torch.zeros(1))
    assert dsets.test_set([image])[0][0] is image
    assert made_test_set(dsets, iter(["ab"]))[0][0].shape == (1, 2, 2)
    assert next(iter(dsets.tls[0].test_set([image]))) is image
    chosen = Datasets([1], [[Tens(), Tens()]]).test_set([5], rm_tfms=1)
    assert chosen[0] == (50,)
    assert list(dsets.test_set([])) == []


def test_new_empty_keeps_the_transforms_and_drops_the_items():
    for data in (
        labelled(),
        TfmdLists(pd.DataFrame({"a": [1]}), None),
        TfmdLists(np.ones(2), None),
    ):
        assert len(data.new_empty()) == 0
    assert labelled().new_empty().vocab == ["cat", "dog"]


# -- setting up -----------------------------------------------------------------------------


def test_setting_up_can_wait():
    step = Categorize()
    tl = TfmdLists(["a", "b"], [step], do_setup=False)
    assert step.vocab is None
    tl.setup()
    assert step.vocab == ["a", "b"]
    assert tl.types == [(str,), (TensorCategory,)]


def test_a_step_that_fails_while_data_are_made_is_named():
    with pytest.raises(
        DataError, match="encoding with int failed on str 'x': ValueError"
    ) as caught:
        Datasets(["x"], [[int]])
    assert type(caught.value.__cause__) is ValueError


def test_a_first_item_that_is_skipped_does_not_stop_the_data():
    def even(x):
        if x % 2:
            raise SkipItemException
        return x

    dsets = Datasets([1, 2, 3], [[even, str]])
    assert dsets.types == [str]
    assert list(dsets.dataloaders(bs=3, num_workers=0, shuffle=False).train) == [(["2"],)]


def test_making_data_draws_nothing():
    set_seed(0)
    expected = torch.rand(1)
    set_seed(0)
    labelled()
    assert torch.equal(torch.rand(1), expected)


def test_a_pipeline_that_is_passed_is_not_changed():
    pipe = Pipeline([Tens()])
    TfmdLists([1], pipe, split_idx=1)
    assert pipe.split_idx is None


def test_item_transforms_see_tuples_whole():
    tl = TfmdLists([(1, 2), (3, 4)], [ItemTransform(sum)])
    assert list(tl) == [3, 7]


def test_data_of_importable_transforms_pickle():
    dsets = Datasets(["b", "a"], [[str.upper], [Categorize()]], splits=[[0], [1]])
    twin = pickle.loads(pickle.dumps(dsets.train))
    assert twin[0] == ("B", 0)
    assert twin.split_idx == 0
    assert twin.vocab == ["b"]


def test_a_sample_is_decoded_and_shown_by_its_place(capsys):
    dsets = Datasets(["b", "a"], [[Categorize()]])
    assert decode_at(dsets, 0) == ("b",)
    show_at(dsets, 1)
    assert capsys.readouterr().out == "a\n"


def test_classes_are_learnt_from_the_items_that_are_not_skipped():
    def label(item):
        if item < 0:
            raise SkipItemException("no label")
        return f"even {item}" if item % 2 == 0 else "odd"

    items, splits = [3, -1, 2, 4, -2, 5], [[0, 1, 2, 4], [3, 5]]
    tl = TfmdLists(items, [label, Categorize()], splits=splits)
    assert list(tl.vocab) == ["even 2", "odd"]
    with pytest.raises(SkipItemException):  # asked for by itself, it still says so
        tl.train[1]
    with pytest.raises(SkipItemException):  # and an order of labels has no gaps
        list(tl.train)
    several = TfmdLists(items, [label, lambda o: o.split(), MultiCategorize()], splits=splits)
    assert list(several.vocab) == ["2", "even", "odd"]


@pytest.mark.parametrize("broken", [1, 9, 10])
def test_types_are_found_though_the_first_items_are_broken(broken):
    asked = []

    def read(item):
        asked.append(item)
        if item < broken:
            raise ValueError(f"cannot read {item}")
        return float(item)

    if broken == 10:  # then it is the transform that does not work
        with pytest.raises(DataError, match="cannot read 0"):
            TfmdLists(range(20), [read])
        assert asked == list(range(10))
    else:
        assert TfmdLists(range(20), [read]).types[-1] == (float,)
