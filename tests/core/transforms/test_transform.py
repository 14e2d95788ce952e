"""A transform acts by type, over tuples, on its split, and gives types back."""

import pickle
from collections import namedtuple
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.core.data.dataset import TfmdLists
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.tensors import TensorCategory, TensorImage, TensorImageBW, TensorMask
from layerwise.core.transforms.category import Category
from layerwise.core.transforms.transform import (
    DisplayedTransform,
    InplaceTransform,
    ItemTransform,
    Transform,
)


class Scale(Transform):
    """Numbers times `by`, and back."""

    def __init__(self, by):
        super().__init__()
        self.by = by

    def encodes(self, x: int):
        return x * self.by

    def encodes(self, x: float):  # noqa: F811 - what users write
        return x * self.by * 10

    def decodes(self, x: int):
        return x // self.by


numbers = st.recursive(
    st.integers() | st.text(), lambda inner: st.tuples(inner, inner) | st.tuples(inner)
)


def scaled(x, by):
    if isinstance(x, tuple):
        return tuple(scaled(member, by) for member in x)
    return x * by if isinstance(x, int) else x


# -- by type --------------------------------------------------------------------------------


def test_several_methods_in_one_class_body_are_chosen_by_type():
    assert Scale(2)(3) == 6
    assert Scale(2)(1.5) == 30.0
    assert Scale(2)("text") == "text"
    assert Scale(2).decode(6) == 3
    assert Scale(2).decode(1.5) == 1.5


def test_methods_registered_in_the_body_are_chosen_by_type():
    class Named(Transform):
        encodes = Dispatch(unchanged)

        @encodes.register
        def _(self, x: int) -> str:
            return "int"

        @encodes.register
        def _(self, x: str) -> str:
            return "str"

    assert Named()((1, "a", 0.5)) == ("int", "str", 0.5)


@given(numbers, st.integers(2, 9))
def test_tuples_are_transformed_member_by_member_at_any_depth(x, by):
    scale = Scale(by)
    assert scale(x) == scaled(x, by)
    assert scale.decode(scale(x)) == x


def test_lists_and_rows_are_items_of_their_own():
    Row = namedtuple("Row", "a b")
    assert Scale(2)([1, 2]) == [1, 2]
    assert Scale(2)(Row(1, 2)) == Row(1, 2)


def test_subclasses_of_tuples_keep_their_type():
    class Pair(tuple): ...

    made = Scale(2)(Pair((1, "a")))
    assert type(made) is Pair
    assert made == (2, "a")


def test_a_function_becomes_a_transform_for_its_annotation():
    def negative(x: int) -> int:
        return -x

    step = Transform(negative, negative, order=3)
    assert step((1, "a")) == (-1, "a")
    assert step.decode((-1, "a")) == (1, "a")
    assert step.order == 3
    assert step.name == "negative"


def test_the_order_of_a_function_is_taken_over():
    def late(x):
        return x

    late.order = 9
    assert Transform(late).order == 9


def test_builtins_and_classes_are_functions_too():
    assert Transform(int)("3") == 3
    assert Transform(len).name == "len"


def test_keywords_reach_the_method():
    class Add(Transform):
        def encodes(self, x: int, *, more: int = 0):
            return x + more

    assert Add()((1, 2), more=5) == (6, 7)


def test_a_subclass_need_not_call_init():
    class Careless(Transform):
        def __init__(self):
            self.by = 2

        def encodes(self, x: int):
            return x * self.by

    assert Careless()(3) == 6
    assert Careless().name == "Careless"


# -- from outside ---------------------------------------------------------------------------


def test_the_class_as_decorator_adds_methods_to_every_part():
    class Base(Transform):
        def __init__(self):
            super().__init__()
            self.seen = None

    @Base  # type: ignore[call-arg]  # the class as decorator
    def encodes(self, x: TensorMask):
        return x + 1

    @Base  # type: ignore[call-arg]  # the class as decorator
    def decodes(self, x: TensorMask):
        return x - 1

    @Base  # type: ignore[call-arg]  # the class as decorator
    def setups(self, items: list):
        self.seen = len(items)

    step = Base()
    mask, image = TensorMask(torch.zeros(2)), TensorImage(torch.zeros(2))
    assert step((mask, image))[0].tolist() == [1, 1]
    assert step((mask, image))[1] is image
    assert step.decode(step(mask)).tolist() == [0, 0]
    step.setup([1, 2, 3])
    assert step.seen == 3


def test_a_function_of_another_name_is_an_encoder():
    def shout(x: str):
        return x.upper()

    assert Transform(shout)("a") == "A"


# -- splits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "now", "acts"),
    [
        (0, 0, True),
        (0, 1, False),
        (0, None, False),
        (1, 1, True),
        (None, 0, True),
        (None, None, True),
    ],
)
def test_a_transform_acts_on_its_split_alone(own, now, acts):
    step = Transform(lambda x: x + 1, lambda x: x - 1, split_idx=own)
    assert step(1, split_idx=now) == (2 if acts else 1)
    assert step.decode(2, split_idx=now) == (1 if acts else 2)


@pytest.mark.parametrize("learns", [True, False, None])
def test_the_class_decides_whether_the_training_split_alone_is_looked_at(learns):
    class Count(Transform):
        train_setup = learns

        def setups(self, items):
            self.count = len(items)

    count = Count()
    TfmdLists([1, 2, 3, 4], [count], splits=[[0], [1, 2, 3]])
    assert count.count == (4 if learns is False else 1)
    TfmdLists([1, 2, 3], [count])  # without splits, all of it is for training
    assert count.count == 3


# -- types that come back -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TensorImage, TensorImageBW])
def test_a_type_that_was_lost_is_put_back(kind):
    class Plain(Transform):
        def encodes(self, x: TensorImage):
            return x.as_plain() + 1

    made = Plain()(kind(torch.zeros(1, 2, 2), source="a"))
    assert type(made) is kind
    assert made.source == "a"


def test_a_return_annotation_makes_that_type_of_others():
    class ToMask(Transform):
        def encodes(self, x: TensorImage) -> TensorMask:
            return x.as_plain()  # type: ignore[return-value]  # what the annotation is for

    class ToImage(Transform):
        def encodes(self, x: Tensor) -> TensorImage:
            return x  # type: ignore[return-value]  # what the annotation is for

    assert type(ToMask()(TensorImageBW(torch.zeros(1)))) is TensorMask
    assert type(ToImage()(torch.zeros(1))) is TensorImage
    # What is of the annotated type already, or finer, stays as it is.
    assert type(ToImage()(TensorImageBW(torch.zeros(1)))) is TensorImageBW


def test_none_as_annotation_leaves_the_result_alone():
    class Bare(Transform):
        def encodes(self, x: TensorImage) -> None:
            return x.as_plain()  # type: ignore[return-value]  # what the annotation is for

    assert type(Bare()(TensorImage(torch.zeros(1)))) is Tensor


def test_any_and_generic_annotations_promise_nothing():
    def anything(x: Any) -> Any:
        return [x]

    def listed(x: int) -> list[int]:
        return [x]

    assert Transform(anything)(3) == [3]
    assert Transform(listed)(3) == [3]


def test_unrelated_results_are_left_alone():
    assert Transform(str)(TensorImage(torch.zeros(()))) == "TensorImage(0.)"
    assert Transform(lambda x: None)(3) is None


def test_text_of_a_class_stays_of_that_class():
    made = Transform(str.upper)(Category("cat"))
    assert type(made) is Category
    assert made == "CAT"


class Colour(IntEnum):
    RED = 1


Row = namedtuple("Row", "path label")


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: x + 2, True, 3),
        (lambda x: x + 5, Colour.RED, 6),
        (lambda row: (row.path, 3), Row("a", 1), ("a", 3)),
        (lambda row: tuple(row[:1]), Row("a", 1), ("a",)),
    ],
    ids=["bool", "enum", "row", "shorter row"],
)
def test_what_is_computed_from_special_values_is_not_forced_back(f, x, expected):
    made = Transform(f)(x)
    assert made == expected
    assert type(made) is type(expected)


def test_decoding_puts_types_back_too():
    class Half(Transform):
        def encodes(self, x: TensorImage):
            return x / 2

        def decodes(self, x: TensorImage):
            return x.as_plain() * 2

    assert type(Half().decode(TensorImageBW(torch.ones(1)))) is TensorImageBW


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5))
def test_encoding_and_decoding_a_tensor_are_plain_arithmetic(values):
    class Double(Transform):
        def encodes(self, x: TensorImage):
            return x * 2

        def decodes(self, x: TensorImage):
            return x / 2

    x = TensorImage(torch.tensor(values))
    assert torch.equal(Double()(x).as_plain(), torch.tensor(values) * 2)
    assert torch.equal(Double().decode(Double()(x)).as_plain(), torch.tensor(values))


# -- the other kinds ------------------------------------------------------------------------


def test_an_item_transform_takes_the_tuple_whole():
    class Swap(ItemTransform):
        def encodes(self, xy):
            x, y = xy
            return y, x

        def decodes(self, xy):
            return self.encodes(xy)

    assert Swap()((1, "a")) == ("a", 1)
    assert Swap().decode(("a", 1)) == (1, "a")


def test_an_item_transform_gives_each_member_its_type_back():
    class Plain(ItemTransform):
        def encodes(self, xy):
            return tuple(member.as_plain() + 1 for member in xy)

    x, y = Plain()((TensorImage(torch.zeros(1)), TensorCategory(torch.tensor(1))))
    assert (type(x), type(y)) == (TensorImage, TensorCategory)


def test_an_item_transform_may_change_the_number_of_members():
    assert ItemTransform(lambda xy: (*xy, 3))((1, 2)) == (1, 2, 3)
    assert ItemTransform(sum)((1, 2)) == 3


def test_an_item_transform_takes_rows():
    assert ItemTransform(lambda row: (row.label, row.path))(Row("a", 1)) == (1, "a")


def test_an_item_transform_keeps_to_its_split():
    step = ItemTransform(lambda xy: xy[::-1], split_idx=1)
    assert step((1, 2), split_idx=0) == (1, 2)
    assert step((1, 2), split_idx=1) == (2, 1)


def test_an_in_place_transform_returns_what_it_was_given():
    class Append(InplaceTransform):
        def encodes(self, x: list):
            x.append(1)

        def decodes(self, x: list):
            return x[:-1]

    given_list: list[int] = []
    assert Append()(given_list) is given_list
    assert given_list == [1]
    assert Append().decode([1, 2]) == [1]


def test_every_transform_shows_its_settings():
    class Shown(DisplayedTransform):
        def __init__(self, p):
            super().__init__()
            self.p = p
            self._hidden = 1

    assert repr(Shown(0.5)) == "Shown(p=0.5)"
    assert len(repr(Shown(list(range(100_000))))) < 200


# -- pickles --------------------------------------------------------------------------------


def test_transforms_of_importable_functions_pickle():
    step = pickle.loads(pickle.dumps(Transform(np.negative, np.negative, split_idx=1, order=2)))
    assert step(3, split_idx=1) == -3
    assert (step.split_idx, step.order) == (1, 2)


class Opened(str):
    @classmethod
    def create(cls, x: str):
        return cls(x)


def test_a_method_of_a_class_is_named_with_its_class():
    assert Transform(Opened.create).name == "Opened.create"
    assert repr(Transform(Opened.create)) == "Opened.create()"
    assert repr(Transform(bytes.fromhex)) == "bytes.fromhex()"


def test_a_method_of_an_object_keeps_its_name():
    assert Transform("a".join).name == "join"
