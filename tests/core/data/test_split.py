"""Splits are disjoint, within range, of the size that was asked for, and repeatable."""

import multiprocessing
import pickle
import random
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.split import (
    ColSplitter,
    EndSplitter,
    FileSplitter,
    FuncSplitter,
    GrandparentSplitter,
    IndexSplitter,
    MaskSplitter,
    RandomSplitter,
    RandomSubsetSplitter,
)
from layerwise.core.data.stratify import TrainTestSplitter
from layerwise.core.items import L

sizes = st.integers(10, 200)
shares = st.floats(0.1, 0.9)


def check(parts, size, *, whole=True):
    train, valid = parts
    assert type(train) is type(valid) is L
    assert {type(i) for i in train + valid} <= {int}
    together = sorted(train + valid)
    assert len(set(together)) == len(together)
    assert set(together) <= set(range(size))
    assert not whole or together == list(range(size))


@given(sizes, shares, st.integers(0, 2**32))
def test_a_random_share_validates(size, share, seed):
    parts = RandomSplitter(share, seed=seed)(range(size))
    check(parts, size)
    assert len(parts[1]) == int(share * size)
    assert parts == RandomSplitter(share, seed=seed)(range(size))


@given(sizes, st.floats(0.1, 0.5), st.floats(0.1, 0.5))
def test_random_subsets_leave_the_rest_out(size, train_sz, valid_sz):
    parts = RandomSubsetSplitter(train_sz, valid_sz, seed=1)(range(size))
    check(parts, size, whole=False)
    assert [len(part) for part in parts] == [int(train_sz * size), int(valid_sz * size)]


@given(sizes, shares, st.booleans())
def test_an_end_validates(size, share, valid_last):
    train, valid = parts = EndSplitter(share, valid_last)(range(size))
    check(parts, size)
    assert len(valid) == int(share * size)
    if valid_last:
        assert list(train + valid) == list(range(size))
    else:
        assert list(valid + train) == list(range(size))


@given(st.lists(st.booleans(), min_size=1))
def test_masks_and_positions_say_the_same(mask):
    places = [i for i, flag in enumerate(mask) if flag]
    by_mask, by_place = MaskSplitter(mask)(mask), IndexSplitter(places)(mask)
    check(by_mask, len(mask))
    assert by_mask == by_place
    assert by_mask[1] == places
    for kind in (np.array, torch.tensor, pd.Series):
        assert MaskSplitter(kind(mask))(mask) == by_mask


SEEDED = [
    RandomSplitter(0.3, seed=5),
    RandomSubsetSplitter(0.3, 0.3, seed=5),
    TrainTestSplitter(0.3, random_state=5),
    TrainTestSplitter(0.3, random_state=5, stratify=[0, 1] * 10),
]
UNSEEDED = [
    RandomSplitter(0.3),
    RandomSubsetSplitter(0.3, 0.3),
    TrainTestSplitter(0.3),
    TrainTestSplitter(0.3, stratify=[0, 1] * 10),
]


def states():
    return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())


@pytest.mark.parametrize("splitter", SEEDED, ids=repr)
def test_a_seed_leaves_the_global_states_alone(splitter):
    before = states()
    first = splitter(range(20))
    assert states() == before
    torch.manual_seed(99)
    assert splitter(range(20)) == first


@pytest.mark.parametrize("splitter", UNSEEDED, ids=repr)
def test_without_a_seed_the_global_seed_repeats_the_split(splitter):
    torch.manual_seed(3)
    first, second = splitter(range(20)), splitter(range(20))
    assert first != second
    torch.manual_seed(3)
    assert splitter(range(20)) == first


def test_a_seed_gives_the_order_of_torch():
    order = torch.randperm(10, generator=torch.Generator().manual_seed(42)).tolist()
    assert RandomSplitter(0.2, seed=42)(range(10)) == (order[2:], order[:2])


def test_a_share_that_comes_to_nothing_warns():
    with pytest.warns(UserWarning, match="valid_pct=0.2 of 3 items is less than one"):
        assert RandomSplitter(0.2)(range(3))[1] == []
    with pytest.warns(UserWarning, match="less than one item"):
        EndSplitter(0.1)(range(3))
    assert RandomSplitter(0)(range(3))[1] == []  # asked for


@pytest.mark.parametrize("share", [-0.1, 1.5, True])
def test_a_share_outside_of_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match="give a number from 0 to 1"):
        RandomSplitter(share)
    with pytest.raises(ValueError, match="give a number from 0 to 1"):
        EndSplitter(share)


def test_subsets_of_more_than_all_are_refused():
    RandomSubsetSplitter(0.7, 0.3)
    RandomSubsetSplitter(0.1 + 0.2, 0.7)
    with pytest.raises(ValueError, match="together at most 1"):
        RandomSubsetSplitter(0.7, 0.4)
    with pytest.raises(ValueError, match="above 0"):
        RandomSubsetSplitter(0.7, 0.0)


SPLITTERS = [
    *(RandomSplitter(seed=1), EndSplitter(), IndexSplitter([0]), MaskSplitter([True, False] * 5)),
    *(RandomSubsetSplitter(0.5, 0.5, seed=1), GrandparentSplitter(), ColSplitter()),
    *(TrainTestSplitter(random_state=1), FuncSplitter(callable)),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: type(s).__name__)
def test_no_items_are_an_error_in_words(splitter):
    with pytest.raises(ValueError, match=f"{type(splitter).__name__} got no items"):
        splitter([])


def test_positions_outside_or_twice_are_refused():
    with pytest.raises(ValueError, match=r"the positions \(#2\) \[3, -1\] are outside of 0 to 2"):
        IndexSplitter([3, 1, -1])(range(3))
    with pytest.raises(ValueError, match=r"the positions \[1\] are given more than once"):
        IndexSplitter([1, 1])(range(3))
    for kind in (np.array, torch.tensor, L, tuple):
        assert IndexSplitter(kind([2, 0]))("abc") == ([1], [2, 0])
    assert IndexSplitter(2)("abc") == ([0, 1], [2])


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="the mask has 2 values for 3 items"):
        MaskSplitter([True, False])("abc")


def test_a_function_chooses_and_warns_when_it_chooses_none():
    assert FuncSplitter(str.isupper)("aBc") == ([0, 2], [1])
    with pytest.warns(UserWarning, match="holds for none of the 3 items.*validation part empty"):
        FuncSplitter(str.isupper)("abc")
    with pytest.warns(UserWarning, match="holds for all of the 3 items.*training part empty"):
        FuncSplitter(str.islower)("abc")


def test_grandparents_say_the_part():
    files = [f"top/{part}/{i}/x.png" for part in ("valid", "train", "test") for i in (0, 1)]
    assert GrandparentSplitter()(files) == ([2, 3], [0, 1])
    assert GrandparentSplitter(valid_name="test")(L(files).map(Path)) == ([2, 3], [4, 5])
    both = GrandparentSplitter(train_name=("train", "valid"), valid_name="test")(files)
    assert both == ([2, 3, 0, 1], [4, 5])


def test_a_part_without_files_names_the_folders_there():
    files = ["training/3/1.png", "testing/3/1.png"]
    with pytest.raises(ValueError, match=r"'train'\. Did you mean 'training'.*'testing', 'train"):
        GrandparentSplitter()(files)
    with pytest.raises(ValueError, match=r"'valid' or 'val'"):
        GrandparentSplitter("training", ["valid", "val"])(files)
    with pytest.raises(ValueError, match="found there: none"):
        GrandparentSplitter()(["1.png"])
    with pytest.raises(ValueError, match=r"\['a'\] are given for training and validation"):
        GrandparentSplitter("a", ["a", "b"])


def test_a_file_lists_the_names_that_validate(tmp_path):
    listing = tmp_path / "valid.txt"
    listing.write_bytes(b"b.png\r\n c.png \n\n")
    splitter = FileSplitter(listing)
    listing.unlink()  # read once
    assert splitter([Path("x/a.png"), "y/b.png", "c.png"]) == ([0], [1, 2])
    with pytest.raises(ValueError, match=r"none of the 2 names.*'b.png', the first item is 'z'"):
        splitter(["z"])
    listing.write_text("\n")
    with pytest.raises(ValueError, match="lists no file names"):
        FileSplitter(listing)


FRAME = pd.DataFrame({"x": range(4), "is_valid": [False, True, False, True], "part": list("abca")})
Row = namedtuple("Row", "x part")


def test_a_column_of_a_frame_chooses():
    assert ColSplitter()(FRAME) == ([0, 2], [1, 3])
    assert ColSplitter(1)(FRAME) == ([0, 2], [1, 3])
    assert ColSplitter("part", on="a")(FRAME) == ([1, 2], [0, 3])
    assert ColSplitter("part", on=["b", "c"])(FRAME) == ([0, 3], [1, 2])
    assert ColSplitter("x", on=2)(FRAME.set_index("part")) == ([0, 1, 3], [2])
    as_numbers = FRAME.assign(is_valid=[0, 1.0, 0, 1])
    assert ColSplitter()(as_numbers) == ([0, 2], [1, 3])


def test_rows_of_other_kinds_are_split_too():
    rows = FRAME.to_dict("records")
    assert ColSplitter()(rows) == ([0, 2], [1, 3])
    assert ColSplitter("part", on="a")([Row(1, "a"), Row(2, "b")]) == ([1], [0])


def test_columns_that_do_not_serve_are_named():
    with pytest.raises(
        ValueError, match=r"no column 'is_vald'.*Did you mean 'is_valid'.*x, is_val"
    ):
        ColSplitter("is_vald")(FRAME)
    with pytest.raises(ValueError, match=r"'part' holds 'a', which is no truth value; say which"):
        ColSplitter("part")(FRAME)
    with pytest.raises(ValueError, match="holds nan"):
        ColSplitter("v")(pd.DataFrame({"v": [1.0, float("nan")]}))
    with pytest.raises(ValueError, match=r"never is 'z' or 'y'; it holds 'a', 'b', 'c'"):
        ColSplitter("part", on=["z", "y"])(FRAME)


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError, match="valid_pc"):
        RandomSplitter(valid_pc=0.2)  # type: ignore[call-arg]  # the misspelling is what is tested


def test_splitters_pickle_for_a_spawned_process(tmp_path):
    (tmp_path / "v.txt").write_text("1.png")
    files = ["train/a/0.png", "valid/a/1.png"]
    splitters: list[Any] = [
        *(RandomSplitter(0.5, seed=1), EndSplitter(0.5), IndexSplitter([1])),
        *(GrandparentSplitter(), FileSplitter(tmp_path / "v.txt"), MaskSplitter([True, False])),
        *(FuncSplitter(callable_on_name), TrainTestSplitter(0.5, random_state=1)),
    ]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for splitter in splitters[:4]:
            assert pool.map(splitter, [files]) == [splitter(files)]
    for splitter in splitters[:-2]:
        assert pickle.loads(pickle.dumps(splitter))(files) == splitter(files)


def callable_on_name(name):
    return "valid" in name
