"""`L` is compared with list, itertools and numpy; the questions with values worked out by hand."""

import copy
import multiprocessing
import operator
import pickle
from itertools import chain

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.collate import fa_collate
from layerwise.core.items import (
    L,
    all_equal,
    equals,
    fastuple,
    first,
    is_coll,
    is_iter,
    listify,
    noop,
    noops,
    one_is_instance,
)

integers = st.lists(st.integers(-5, 5))


def test_it_prints_its_length_and_the_first_ten_items():
    assert repr(L("a", "b", "c")) == "(#3) ['a', 'b', 'c']"
    assert repr(L.range(12)) == "(#12) [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"
    assert repr(L.range(10)).endswith("8, 9]")
    assert repr(L()) == "(#0) []"


def test_one_that_holds_itself_prints():
    own = L(1)
    own.append(own)
    assert repr(own) == "(#2) [1, (...)]"


@pytest.mark.parametrize(
    ("given", "items"),
    [
        (None, []),
        ("abc", ["abc"]),
        (b"abc", [b"abc"]),
        (3, [3]),
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        (range(2), [0, 1]),
        ({"a": 1, "b": 2}, ["a", "b"]),
        ((i for i in "xy"), ["x", "y"]),
    ],
)
def test_what_it_is_made_from(given, items):
    assert list(L(given)) == items


def test_tensors_arrays_and_frames_are_one_item_unless_taken_apart():
    tensor, array, frame = torch.arange(3), np.arange(3), pd.DataFrame({"a": [1, 2]})
    for whole in (tensor, array, frame, torch.tensor(3)):
        made = L(whole)
        assert len(made) == 1
        assert made[0] is whole
    assert [int(i) for i in L(tensor, use_list=True)] == [0, 1, 2]
    assert len(L(array, use_list=True)) == 3


def test_a_single_item_is_repeated_to_match_and_other_lengths_are_refused():
    assert L(1, match=3) == [1, 1, 1]
    assert L(1, match="xy") == [1, 1]
    with pytest.raises(ValueError, match=r"2 items where 3 are needed; give one, or 3"):
        L([1, 2], match=3)


@given(integers, st.integers(-9, 9))
def test_numbers_index_it_as_a_list(items, i):
    try:
        expected = items[i]
    except IndexError:
        with pytest.raises(IndexError):
            L(items)[i]
    else:
        assert L(items)[i] == expected
        assert L(items)[np.int64(i)] == expected
        assert L(items)[torch.tensor(i)] == expected


@given(integers, st.slices(10))
def test_slices_index_it_as_a_list_and_stay_an_L(items, part):
    found = L(items)[part]
    assert type(found) is L
    assert found == items[part]


@given(st.data())
def test_lists_and_masks_index_it_as_numpy_does(data):
    items = data.draw(st.lists(st.integers(), min_size=1))
    places = data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1))
    mask = data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
    array = np.array(items, dtype=object)
    for kind in (list, tuple, L, np.array, torch.tensor):
        assert L(items)[kind(places)] == array[places].tolist()
        assert L(items)[kind(mask)] == array[mask].tolist()


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(IndexError, match=r"a mask of 1 for 2 items"):
        L(1, 2)[[True]]
    with pytest.raises(TypeError, match=r"cannot be indexed by 'a'"):
        L(1, 2)["a"]
    with pytest.raises(TypeError):
        L(1, 2)[[0.5]]


def test_items_are_set_by_number_slice_list_and_mask():
    made = L.range(4)
    made[0] = 9
    made[[1, 2]] = [7, 8]
    made[[False, False, False, True]] = 5
    assert made == [9, 7, 8, 5]
    made[1:] = [1]
    assert made == [9, 1]


@given(integers, integers)
def test_sums_and_products_are_those_of_lists(a, b):
    assert L(a) + b == a + b
    assert b + L(a) == b + a
    assert type(b + L(a)) is L
    assert L(a) * 2 == a * 2
    assert type(2 * L(a)) is L
    assert L(a) + "text" == [*a, "text"]
    grown = kept = L(a)
    grown += b
    assert grown is kept
    assert kept == a + b


@given(st.lists(st.text(max_size=3)))
def test_order_and_uniqueness_are_those_of_python(items):
    assert L(items).sorted() == sorted(items)
    assert L(items).sorted(len, reverse=True) == sorted(items, key=len, reverse=True)
    assert L(items).unique() == list(dict.fromkeys(items))
    assert L(items).unique(sort=True) == sorted(set(items))
    assert L(items).val2idx() == {item: len(items) - 1 - items[::-1].index(item) for item in items}


@given(integers)
def test_filters_and_positions_complete_each_other(items):
    made = L(items)
    odd, even = made.filter(lambda i: i % 2), made.filter(lambda i: i % 2, negate=True)
    assert sorted(odd + even) == sorted(items)
    assert made[made.argwhere(lambda i: i % 2)] == odd
    assert made.filter() == [i for i in items if i]


def test_map_takes_functions_formats_and_tables():
    assert L(1, 2).map(str) == ["1", "2"]
    assert L(1, 2).map(operator.sub, 10) == [9, 8]  # as `partial` binds
    assert L("ff", "10").map(int, base=16) == [255, 16]
    assert L(1).map("{}.png") == ["1.png"]
    assert L(1, 0).map(["a", "b"]) == ["b", "a"]
    with pytest.raises(TypeError, match="give a function"):
        L(1).map(3)
    with pytest.raises(TypeError, match="bse"):
        L("1").map(int, bse=2)


def test_a_mapped_tensor_stays_one_item():
    assert len(L(1).map(lambda _: torch.zeros(3))) == 1


def test_rows_become_columns():
    rows = L([(1, "a"), (2, "b"), (3, "c")])
    assert rows.zip() == [(1, 2, 3), ("a", "b", "c")]
    assert L([[1, 2, 3], ["a", "b"]]).zip(cycled=True) == [(1, "a"), (2, "b"), (3, "a")]
    assert rows.itemgot(1) == ["a", "b", "c"]
    assert rows.starmap(lambda number, letter: letter * number) == ["a", "bb", "ccc"]
    assert rows.sorted(1, reverse=True)[0] == (3, "c")
    assert L("a", "b").enumerate() == [(0, "a"), (1, "b")]


@given(st.lists(integers))
def test_concat_is_one_level_of_chain(lists):
    assert L(lists).concat() == list(chain.from_iterable(lists))


def test_attributes_of_items_are_got_and_a_missing_one_raises():
    assert L(1j, 2j).attrgot("imag") == [1.0, 2.0]
    assert L([{"a": 1}]).attrgot("a") == [1]
    assert L(1).attrgot("real.imag") == [0]
    assert L(1).attrgot("nothing", "default") == ["default"]
    with pytest.raises(AttributeError, match="nothing"):
        L(1).attrgot("nothing")


def test_a_typo_is_an_attribute_error():
    with pytest.raises(AttributeError, match="mpa"):
        L(1).mpa(str)
    with pytest.raises(AttributeError):
        L(1).new_attribute = 3


def test_range_counts_a_collection():
    assert L.range([5, 6]) == [0, 1]
    assert L.range(1, 7, 3) == [1, 4]
    assert L.range(3, 0, -1) == [3, 2, 1]


def test_a_seed_decides_the_order_and_leaves_the_global_state_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    shuffled = L.range(20).shuffle(seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    generator = torch.Generator().manual_seed(3)
    assert shuffled == L.range(20).shuffle(generator)
    assert shuffled != L.range(20)
    assert sorted(shuffled) == list(range(20))
    assert shuffled != L.range(20).shuffle(seed=4)


def test_without_a_seed_the_global_seed_decides():
    torch.manual_seed(1)
    once = L.range(20).shuffle()
    torch.manual_seed(1)
    assert L.range(20).shuffle() == once


def test_it_is_copied_and_pickled_also_for_a_spawned_process():
    nested = L("a", L(1, 2))
    for twin in (pickle.loads(pickle.dumps(nested)), copy.copy(nested), copy.deepcopy(nested)):
        assert type(twin) is L
        assert twin == nested
        assert type(twin[1]) is L
    assert type(nested.copy()) is L
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(len, (nested,)) == 2


def test_items_is_the_list_itself():
    made = L(1)
    made.items.append(2)
    assert made == [1, 2]


def test_questions_about_collections():
    assert all(map(is_iter, [[], "a", torch.ones(1), iter([])]))
    assert not any(map(is_iter, [3, torch.tensor(1), np.array(1)]))
    assert all(map(is_coll, [[], {}, np.ones(1)]))
    assert not any(map(is_coll, [iter([]), torch.tensor(1), None]))
    assert one_is_instance(1, "a", str)
    assert not one_is_instance(1, 2, str)


def test_the_first_item_and_the_default():
    assert first([3, 4]) == 3
    assert first(iter([3, 4]), lambda i: i > 3) == 4
    assert first([], default=7) == 7
    assert first([1], lambda i: i > 1) is None


def test_noop_gives_back_what_came():
    class Step:
        encodes = noops

    assert noop(5) == 5
    assert noop() is None
    assert Step().encodes(5) == 5


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (torch.tensor([1, 2]), torch.tensor([1, 2]), True),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), False),
        (torch.tensor([1, 2]), torch.tensor([[1, 2]]), False),
        (torch.tensor([1.0, 1.0]), torch.tensor([1.0]), False),
        (torch.tensor([1, 2]), np.array([1, 2]), True),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), False),
        (np.zeros(2), 0, False),
        ([torch.ones(1), "a"], (torch.ones(1), "a"), True),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, ["a"], False),
        ({1, 2}, {2, 1}, True),
        ("ab", ["a", "b"], False),
        (None, torch.ones(1), False),
        (None, None, True),
        (int, int, True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}), True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), False),
        (pd.Series([1]), [1], False),
        (1, 1.0, True),
    ],
)
def test_equality_goes_all_the_way_down(a, b, same):
    assert equals(a, b) is same
    assert equals(b, a) is same


def test_collections_are_equal_item_by_item():
    assert all_equal([1, 2], iter([1, 2]))
    assert not all_equal([1], [1, 2])
    assert not all_equal([1, 2], [1])
    assert not all_equal(1, [1])


def test_listify_makes_a_list_of_arguments():
    assert listify(1, 2) == [1, 2]
    assert type(listify(L(1))) is list


class Pair(fastuple):
    pass


def test_a_kind_of_tuple_is_made_of_members_or_of_one_collection():
    assert Pair(1, "ab") == Pair([1, "ab"]) == Pair(iter([1, "ab"])) == (1, "ab")
    assert (Pair(), Pair(3)) == ((), (3,))
    assert Pair(torch.tensor(3)) == (torch.tensor(3),)
    assert Pair(None, 1) == (None, 1)


def test_a_kind_of_tuple_keeps_its_kind_through_pickles_and_batches():
    assert type(pickle.loads(pickle.dumps(Pair(1, 2)))) is Pair
    batch = fa_collate([Pair(torch.zeros(2), 1), Pair(torch.ones(2), 0)])
    assert type(batch) is Pair
    assert batch[0].shape == (2, 2)
    assert batch[1].tolist() == [1, 0]
