import collections
import dataclasses
import timeit
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from layerwise.core.items import L
from layerwise.core.nested import (
    apply,
    batch_to_samples,
    find_bs,
    find_device,
    get_first,
    item_find,
    nested_reorder,
    to_concat,
    to_cpu,
    to_detach,
    to_device,
    to_float,
    to_half,
    to_np,
    to_plain,
)
from layerwise.core.tensors import TensorCategory, TensorImage


class Pair(NamedTuple):
    image: torch.Tensor
    label: torch.Tensor


@dataclasses.dataclass(frozen=True)
class Frozen:
    ids: torch.Tensor
    name: str = "batch"


class Encoding(collections.UserDict):
    """Like the batches of Hugging Face: one positional argument, and an attribute beside it."""

    def __init__(self, data, encodings=None):
        super().__init__(data)
        self.encodings = encodings


class Strange(MutableMapping):
    """A mapping that is made of a mapping and keeps it to itself."""

    def __init__(self, data):
        self._store = dict(data)

    def __getitem__(self, key):
        return self._store[key]

    def __setitem__(self, key, value):
        self._store[key] = value

    def __delitem__(self, key):
        del self._store[key]

    def __iter__(self):
        return iter(self._store)

    def __len__(self):
        return len(self._store)


class ReadOnly(Mapping):
    def __init__(self, data):
        self._store = dict(data)

    def __getitem__(self, key):
        return self._store[key]

    def __iter__(self):
        return iter(self._store)

    def __len__(self):
        return len(self._store)


class Ordered(collections.OrderedDict):
    pass


ONES = torch.ones(2)


@pytest.mark.parametrize(
    "batch",
    [
        (ONES, ONES),
        [ONES, (ONES,)],
        L([ONES]),
        Pair(ONES, ONES),
        {"a": ONES, "b": [ONES]},
        Ordered(a=ONES),
        collections.defaultdict(list, a=ONES),
        Encoding({"ids": ONES}),
        Strange({"ids": ONES}),
        ReadOnly({"ids": ONES}),
        Frozen(ONES),
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_apply_gives_back_the_container_it_was_given_and_leaves_the_old_one_alone(batch):
    done = apply(lambda x: x + 1 if isinstance(x, torch.Tensor) else x, batch)
    assert type(done) is type(batch)
    assert item_find(done).tolist() == [2, 2]
    assert item_find(batch).tolist() == [1, 1]


def test_apply_passes_further_arguments_to_the_function():
    assert apply(torch.add, [ONES], 1, alpha=3)[0].tolist() == [4, 4]


def test_a_mapping_keeps_its_other_attributes():
    batch = Encoding({"ids": ONES}, encodings=["offsets"])
    assert to_half(batch).encodings == ["offsets"]
    assert to_half(batch)["ids"].dtype is torch.float16
    assert to_half(collections.defaultdict(list, a=ONES))["missing"] == []


def test_a_packed_sequence_keeps_its_batch_sizes_on_the_cpu():
    packed = pack_sequence([torch.ones(2), torch.ones(3)], enforce_sorted=False)
    half = to_half((packed,))[0]
    assert isinstance(half, PackedSequence)
    assert half.data.dtype is torch.float16
    moved = to_device(packed, "meta")
    assert (moved.data.device.type, moved.batch_sizes.device.type) == ("meta", "cpu")
    assert find_bs((packed, torch.zeros(7))) == 2


nested = st.recursive(
    st.integers(-9, 9).map(lambda i: torch.tensor([float(i)])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(nested)
def test_apply_agrees_with_the_pytrees_of_torch(batch):
    ours = apply(lambda x: x.item() * 2, batch)
    assert ours == torch.utils._pytree.tree_map(lambda x: x.item() * 2, batch)


# -- to_plain ------------------------------------------------------------------------------


def test_to_plain_undresses_tensors_anywhere_and_shares_their_memory():
    image = TensorImage(torch.zeros(3, 2, 2))
    batch = {"x": [image, "name", None], "y": (TensorCategory(torch.tensor(1)),)}
    plain = to_plain(batch)
    assert type(plain["x"][0]) is torch.Tensor
    assert type(plain["y"][0]) is torch.Tensor
    assert plain["x"][0].data_ptr() == image.data_ptr()
    assert plain["x"][1:] == ["name", None]


def test_to_plain_returns_plain_tensors_and_parameters_as_they_are():
    weight = torch.nn.Parameter(torch.ones(2))
    plain = torch.ones(2)
    assert to_plain(plain) is plain
    assert to_plain((plain, weight))[1] is weight
    typed = torch.nn.Parameter(TensorImage(torch.ones(2)))
    assert to_plain(typed) is typed


def test_gradients_flow_through_to_plain():
    leaf = torch.ones(2, requires_grad=True)
    to_plain((TensorImage(leaf * 3),))[0].sum().backward()
    assert leaf.grad.tolist() == [3, 3]


def test_to_plain_leaves_tensors_with_a_storage_of_their_own_alone():
    ragged = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    assert to_plain((ragged,))[0] is ragged


def test_to_plain_costs_about_a_microsecond_for_each_tensor():
    batch = (TensorImage(torch.zeros(2, 3, 4, 4)), torch.zeros(2))
    best = min(timeit.repeat(lambda: to_plain(batch), number=2000, repeat=5)) / 2000
    assert best < 20e-6  # ten times what it takes on an idle machine


# -- moving and casting --------------------------------------------------------------------


def test_to_device_moves_every_tensor_and_leaves_the_rest():
    batch = {"x": (ONES, "name"), "n": 3}
    moved = to_device(batch, "meta")
    assert moved["x"][0].device.type == "meta"
    assert (moved["x"][1], moved["n"]) == ("name", 3)


def test_to_device_keeps_the_type_of_a_tensor_and_calls_the_method_of_other_leaves():
    class Graph:
        def to(self, device):
            return ("moved to", device)

    image, graph = to_device([TensorImage(torch.zeros(3, 2, 2)), Graph()], torch.device("cpu"))
    assert type(image) is TensorImage
    assert graph == ("moved to", torch.device("cpu"))


def test_to_device_without_a_device_takes_the_default_one():
    from layerwise.core.devices import default_device

    assert to_device([ONES])[0].device == default_device()


def test_to_cpu_and_to_detach_cut_nothing_but_the_graph():
    x = torch.ones(2, requires_grad=True) * 2
    assert to_cpu((x,))[0].requires_grad
    detached = to_detach({"x": x})["x"]
    assert not detached.requires_grad
    assert detached.data_ptr() == x.data_ptr()
    assert to_detach(torch.empty(1, device="meta"), cpu=False).device.type == "meta"


def test_half_and_float_change_floats_only():
    batch = (torch.ones(1, dtype=torch.float64), torch.tensor([1]), torch.tensor([True]))
    assert [x.dtype for x in to_half(batch)] == [torch.float16, torch.int64, torch.bool]
    assert [x.dtype for x in to_float(batch)] == [torch.float32, torch.int64, torch.bool]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float64, torch.int8])
def test_to_np_takes_each_type_of_element(dtype):
    x = torch.tensor([1.0, 2.0], requires_grad=dtype.is_floating_point).to(dtype)
    found = to_np([x])[0]
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [1, 2]


def test_to_np_makes_plain_arrays_of_typed_tensors():
    assert type(to_np(TensorImage(torch.zeros(1, 2, 2)))) is np.ndarray


# -- questions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (torch.zeros(4, 2), 4),
        ((torch.tensor(1.0), torch.zeros(3)), 3),
        ({"names": ["a", "b"], "ids": torch.zeros(2, 5)}, 2),
        ([(), [TensorImage(torch.zeros(6, 3, 2, 2))]], 6),
        ((["a", "b", "c"], ["d", "e", "f"]), 3),
        (["a", "b"], 2),
        (np.zeros((5, 1)), 5),
        (Frozen(torch.zeros(7)), 7),
        (Encoding({"ids": torch.zeros(8, 2)}), 8),
    ],
)
def test_find_bs_is_the_length_of_the_first_tensor_or_else_of_the_first_values(batch, size):
    assert find_bs(batch) == size


@pytest.mark.parametrize("batch", [torch.tensor(1.0), (), None, "text", {"a": 3}])
def test_find_bs_says_what_it_missed(batch):
    with pytest.raises(ValueError, match=r"no batch size in .* add the batch axis"):
        find_bs(batch)


def test_find_device_is_that_of_the_first_tensor():
    assert find_device(["a", {"x": torch.empty(1, device="meta")}, ONES]).type == "meta"
    with pytest.raises(ValueError, match="no device in list: it holds no tensor"):
        find_device(["a"])


def test_item_find_goes_down_from_the_member_asked_for():
    assert item_find([1, {"a": (2, 3)}], 1) == 2
    assert item_find({"a": 1, "b": [5]}, "b") == 5
    assert item_find(4) == 4
    with pytest.raises(TypeError, match="give a position"):
        item_find([1], "a")


def test_get_first_takes_a_row_of_a_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2]}, index=[7, 8])
    assert get_first(frame)["a"] == 1
    assert get_first(frame["a"]) == 1
    assert get_first((3, 4)) == 3


# -- batches and samples -------------------------------------------------------------------


def test_to_concat_joins_each_member_of_the_batches():
    first = {"x": torch.ones(2, 3), "n": np.zeros(2), "names": ["a", "b"], "none": None}
    second = {"x": torch.zeros(1, 3), "n": np.ones(1), "names": ["c"], "none": None}
    both = to_concat([first, second])
    assert both["x"].tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert both["n"].tolist() == [0, 0, 1]
    assert (both["names"], both["none"]) == (["a", "b", "c"], None)


def test_to_concat_keeps_containers_and_tensor_types():
    pairs = [Pair(TensorImage(torch.zeros(1, 3, 2, 2)), torch.tensor([i])) for i in range(3)]
    both = to_concat(pairs)
    assert type(both) is Pair
    assert type(both.image) is TensorImage
    assert both.label.tolist() == [0, 1, 2]
    assert to_concat([Frozen(ONES), Frozen(ONES)]).ids.tolist() == [1, 1, 1, 1]


def test_to_concat_stacks_tensors_without_axes_and_joins_on_any_axis():
    assert to_concat([torch.tensor(1), torch.tensor(2)]).tolist() == [1, 2]
    assert to_concat([torch.zeros(2, 1), torch.zeros(2, 4)], dim=1).shape == (2, 5)
    assert to_concat([torch.zeros(2, 1), torch.zeros(2, 4)], dim=-1).shape == (2, 5)
    assert to_concat([]) == []


def test_to_concat_lists_the_samples_where_shapes_differ():
    found = to_concat([torch.zeros(2, 3), torch.ones(1, 5)])
    assert isinstance(found, L)
    assert [tuple(x.shape) for x in found] == [(3,), (3,), (5,)]
    assert nested_reorder(found, [2, 0])[0].tolist() == [1] * 5
    assert len(to_concat([found, found])) == 6


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)))
def test_nested_reorder_agrees_with_indexing(order):
    x, names = torch.arange(10).view(5, 2), list("abcde")
    batch = nested_reorder({"x": (x, None), "n": names, "a": x.numpy()}, torch.tensor(order))
    assert torch.equal(batch["x"][0], x[torch.tensor(order)])
    assert batch["n"] == [names[i] for i in order]
    assert (batch["a"] == x.numpy()[order]).all()
    assert batch["x"][1] is None


def test_nested_reorder_refuses_what_has_no_samples():
    with pytest.raises(TypeError, match="cannot pick samples of a int"):
        nested_reorder((ONES, 3), [0])


def test_batch_to_samples_turns_a_batch_inside_out():
    images = TensorImage(torch.arange(3.0).view(3, 1, 1, 1))
    samples = batch_to_samples((images, ["a", "b", "c"], torch.tensor(9)), max_n=2)
    assert len(samples) == 2
    assert type(samples[1][0]) is TensorImage
    assert samples[1][0].shape == (1, 1, 1)
    assert (samples[1][0].item(), samples[1][1], samples[1][2].item()) == (1.0, "b", 9)


def test_samples_have_the_structure_of_their_batch():
    assert batch_to_samples(torch.tensor([5, 6])) == [5, 6]
    assert batch_to_samples([ONES, ONES], max_n=1) == [(1, 1)]
    assert batch_to_samples({"x": ONES, "y": (ONES,)})[0] == {"x": 1, "y": (1,)}
    assert type(batch_to_samples(Pair(ONES, ONES))[0]) is Pair
    assert batch_to_samples(Frozen(ONES))[1].name == "batch"
