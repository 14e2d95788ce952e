"""Batches are those of torch, types are kept, and what does not fit is named."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import default_collate

from layerwise.core.data.collate import collate_error, fa_collate, fa_convert
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorCategory, TensorImage, TensorMask

Pair = namedtuple("Pair", "x y")

leaves = st.sampled_from(["tensor", "array", "int", "float", "text"])
structures = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(inner, inner)
        | st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("ab"), inner, min_size=1)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=6,
)


def filled(structure, i):
    """A sample of that structure, number `i`."""
    if isinstance(structure, Pair):
        return Pair(filled(structure.x, i), filled(structure.y, i))
    if isinstance(structure, tuple):
        return tuple(filled(s, i) for s in structure)
    if isinstance(structure, list):
        return [filled(s, i) for s in structure]
    if isinstance(structure, dict):
        return {k: filled(s, i) for k, s in structure.items()}
    return {
        "tensor": torch.full((2,), i),
        "array": np.full((3,), i, dtype="float32"),
        "int": i,
        "float": i / 2,
        "text": str(i),
    }[structure]


def plain(batch):
    """Tuples as lists, for torch makes lists of both."""
    if isinstance(batch, Pair):
        return Pair(*map(plain, batch))
    if isinstance(batch, tuple | list):
        return [plain(member) for member in batch]
    if isinstance(batch, dict):
        return {k: plain(v) for k, v in batch.items()}
    return batch


@settings(deadline=None)
@given(structures, st.integers(1, 4))
def test_batches_of_any_structure_are_those_of_torch(structure, count):
    samples = [filled(structure, i) for i in range(count)]
    ours, theirs = plain(fa_collate(samples)), plain(default_collate(samples))
    assert str(ours) == str(theirs)


def test_types_and_metadata_are_kept_in_any_structure():
    sample = (
        TensorImage(torch.zeros(3, 2, 2), source="a"),
        {"mask": TensorMask(torch.ones(2, 2))},
        1,
    )
    x, other, y = fa_collate([sample] * 3)
    assert (type(x), x.shape, x.source) == (TensorImage, (3, 3, 2, 2), "a")
    assert (type(other["mask"]), other["mask"].shape) == (TensorMask, (3, 2, 2))
    assert y.tolist() == [1, 1, 1]


def test_tuples_stay_tuples_and_lists_lists():
    assert type(fa_collate([(1, 2)] * 2)) is tuple
    assert type(fa_collate([[1, 2]] * 2)) is list
    assert type(fa_collate([Pair(1, 2)] * 2)) is Pair


def test_the_first_sample_decides_on_the_type():
    image, bare = TensorImage(torch.zeros(1)), torch.zeros(1)
    assert type(fa_collate([image, bare])) is TensorImage
    assert type(fa_collate([bare, image])) is torch.Tensor


def test_categories_without_dimension_become_a_vector():
    batch = fa_collate([TensorCategory(torch.tensor(i)) for i in range(3)])
    assert type(batch) is TensorCategory
    assert batch.tolist() == [0, 1, 2]


# -- errors ---------------------------------------------------------------------------------


def test_shapes_that_differ_are_named_with_what_to_do():
    samples = [(TensorImage(torch.zeros(3, 4, n)), 0) for n in (4, 4, 5)]
    with pytest.raises(DataError) as caught:
        fa_collate(samples)
    text = str(caught.value)
    assert "cannot stack TensorImages" in text
    assert "item 2 of the batch has shape (3, 4, 5), item 0 has (3, 4, 4)" in text
    assert "Resize" in text
    assert "before_batch" in text
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_type_says_what_to_do_about_shapes_of_its_own():
    class Notes(TensorImage):
        _when_unlike = "Cut all melodies to one length"

    with pytest.raises(DataError, match="Cut all melodies to one length or pad them"):
        fa_collate([Notes(torch.zeros(2)), Notes(torch.zeros(3))])


def test_arrays_of_different_shape_are_named_too():
    with pytest.raises(DataError, match=r"item 1 of the batch has shape \(2,\)"):
        fa_collate([np.zeros(3), np.zeros(2)])


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([torch.zeros(1), torch.zeros(2)], "item 1 of the batch has shape (2,), item 0 has (1,)"),
        ([torch.zeros(1), np.zeros(1)], "item 1 of the batch is a ndarray float64"),
        ([torch.zeros(1), torch.zeros(1)], "all items look alike"),
    ],
    ids=["shape", "kind", "none"],
)
def test_collate_error_says_which_item_is_different(samples, words):
    assert words in collate_error(samples)


def test_samples_with_more_members_are_named():
    with pytest.raises(DataError, match="item 2 has 3 members, item 0 has 2"):
        fa_collate([(1, 2), (1, 2), (1, 2, 3)])


def test_mappings_with_other_keys_are_named():
    with pytest.raises(DataError, match=r"item 1 has the keys \['b'\], item 0 \['a'\]"):
        fa_collate([{"a": 1}, {"b": 1}])


@pytest.mark.parametrize("item", [None, object(), {1, 2}], ids=["none", "object", "set"])
def test_what_cannot_be_stacked_is_named_with_what_to_do(item):
    with pytest.raises(DataError, match=r"cannot make a batch of .*ToTensor.*SkipItemException"):
        fa_collate([(1, item)] * 2)


# -- data that comes in batches -------------------------------------------------------------


def test_batches_that_are_there_are_only_converted():
    image = TensorImage(torch.zeros(2, 3))
    x, (y, text), more = fa_convert((image, [np.arange(3), "text"], {"n": np.float32(2)}))
    assert x is image
    assert torch.equal(y, torch.arange(3))
    assert text == "text"
    assert more["n"] == 2
    assert type(fa_convert([1, 2])) is list
    assert fa_convert(Pair(np.zeros(1), 2)).x.tolist() == [0]


def test_unknown_objects_pass_through_conversion():
    @dataclass
    class Graph:
        edges: int

    graph = Graph(3)
    assert fa_convert(graph) is graph


class Both(tuple):
    """A kind of tuple that a user writes."""

    __slots__ = ()


def test_a_kind_of_tuple_stays_one():
    batch = fa_collate([(Both((torch.ones(2), i)), i) for i in range(3)])
    assert type(batch) is tuple
    assert type(batch[0]) is Both
    assert batch[0][0].shape == (3, 2)
    assert batch[0][1].tolist() == [0, 1, 2]
