"""A pipeline goes there and back in order, and its errors name step and input."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.data.dataset import TfmdLists
from layerwise.core.errors import DataError, SkipItemException
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.category import Categorize, Category
from layerwise.core.transforms.pipeline import Pipeline, describe, make_transform
from layerwise.core.transforms.transform import ItemTransform, Transform


class Add(Transform):
    def __init__(self, by, order=0.0):
        super().__init__(order=order)
        self.by = by

    def encodes(self, x: int):
        return x + self.by

    def decodes(self, x: int):
        return x - self.by


class Times(Transform):
    order = 5

    def __init__(self, by):
        super().__init__()
        self.by = by

    def encodes(self, x: int):
        return x * self.by

    def decodes(self, x: int):
        return x // self.by


steps = st.lists(
    st.builds(Add, st.integers(-9, 9), st.sampled_from([0, 1, 7]))
    | st.builds(Times, st.integers(1, 9)),
    max_size=5,
)


@given(steps, st.integers() | st.tuples(st.integers(), st.text()))
def test_decoding_undoes_encoding(given_steps, x):
    pipe = Pipeline(given_steps)
    assert pipe.decode(pipe(x)) == x


@given(steps, st.integers())
def test_steps_run_by_order_and_within_an_order_as_given(given_steps, x):
    expected = x
    for step in sorted(given_steps, key=lambda s: s.order):  # Python sorts stably
        expected = step(expected)
    assert Pipeline(given_steps)(x) == expected


def test_steps_may_be_transforms_classes_functions_or_one_of_them():
    class Negate(Transform):
        def encodes(self, x: int):
            return -x

    assert Pipeline([Negate, abs, Add(1), lambda x: x * 2])(3) == 8
    assert Pipeline(Negate)(3) == -3
    assert Pipeline(abs)(-3) == 3
    assert Pipeline(Negate())(3) == -3
    assert Pipeline()(3) == Pipeline([])(3) == 3
    assert Pipeline(Pipeline([Negate]))(3) == -3
    assert Pipeline(iter([abs, Negate]))(-3) == -3


def test_what_cannot_be_a_step_is_refused():
    with pytest.raises(TypeError, match="made of transforms and functions; 3 is int"):
        Pipeline([3])
    assert isinstance(make_transform(abs), Transform)


def test_a_split_leaves_out_the_steps_of_the_other():
    fs = [Add(1), Transform(lambda x: x * 10, split_idx=0), Transform(lambda x: -x, split_idx=1)]
    assert [Pipeline(fs, split_idx=i)(1) for i in (0, 1, None)] == [20, -2, 2]


def test_a_pipeline_is_a_sequence_of_its_steps():
    pipe = Pipeline([Times(2), Add(1)])
    assert len(pipe) == 2
    assert [type(s) for s in pipe] == [Add, Times]
    assert isinstance(pipe[1], Times)
    assert repr(pipe) == "Pipeline: Add(order=0.0, by=1) -> Times(by=2)"
    assert repr(Pipeline()) == "Pipeline: nothing to do"


# -- state ----------------------------------------------------------------------------------


class Learn(Transform):
    """Learns the largest value it sees."""

    def setups(self, items):
        self.most = max(items)

    def encodes(self, x: int):
        return x + self.most


def test_each_step_learns_from_what_those_before_it_make():
    learn = Learn()
    tl = TfmdLists([1, 2, 3], [Add(10), learn, Times(2)])
    assert learn.most == 13
    assert tl[0] == (1 + 10 + 13) * 2


def test_state_is_learnt_on_the_training_split_alone():
    learn = Learn()
    TfmdLists([1, 2, 3, 100], [learn], splits=[[0, 2], [1, 3]])
    assert learn.most == 3


def test_a_step_that_fails_to_learn_is_named_and_leaves_the_pipeline_whole():
    pipe = Pipeline([Add(1), Learn()])
    with pytest.raises(ValueError, match="empty") as caught:
        pipe.setup([])
    assert caught.value.__notes__ == ["while Learn was set up"]
    assert len(pipe) == 2


def test_steps_can_be_added_set_up_and_sorted():
    pipe = Pipeline([Times(2)])
    learn = Learn()
    pipe.add([learn, lambda x: -x], items=[4, 5])
    assert [s.name for s in pipe] == ["Learn", "<lambda>", "Times"]
    assert pipe(1) == -(1 + 5) * 2


def test_attributes_come_from_the_last_step_that_has_them():
    pipe = Pipeline([Add(1), Times(7)])
    assert pipe.by == 7
    with pytest.raises(AttributeError, match=r"no transform of this pipeline has 'bye'.*'by'"):
        pipe.bye


# -- errors ---------------------------------------------------------------------------------


def test_an_error_names_step_and_input_and_keeps_its_cause():
    def inverse(x):
        return 1 / x

    with pytest.raises(DataError) as caught:
        Pipeline([Add(1), inverse])(-1)
    assert str(caught.value) == (
        "encoding with inverse failed on int 0: ZeroDivisionError: division by zero"
    )
    assert type(caught.value.__cause__) is ZeroDivisionError


def test_an_error_of_decoding_names_step_and_input():
    class OneWay(Transform):
        def decodes(self, x: TensorImage):
            raise RuntimeError("no way back")

    with pytest.raises(
        DataError, match=r"decoding with OneWay failed on TensorImage \(2,\) float32"
    ):
        Pipeline(OneWay).decode(TensorImage(torch.zeros(2)))


def test_an_error_within_a_nested_pipeline_is_wrapped_once():
    inner = Pipeline([Transform(lambda x: 1 / x, lambda x: 1 / x)])
    outer = Pipeline([Transform(inner, inner.decode)])
    for run in (outer, outer.decode):
        with pytest.raises(DataError) as caught:
            run(0)
        assert str(caught.value).count("failed on") == 1


@pytest.mark.parametrize("error", [SkipItemException, KeyboardInterrupt])
def test_signals_pass_as_they_are(error):
    def stop(x):
        raise error

    with pytest.raises(error):
        Pipeline([stop])(1)


def test_things_are_described_by_type_and_shape():
    import numpy as np
    from PIL import Image

    assert describe(np.zeros((2, 3), dtype="uint8")) == "ndarray (2, 3) uint8"
    assert describe([1, "a"]) == "[int 1, str 'a']"
    assert describe(list(range(9))).endswith("... 9 in all]")
    assert describe(Image.new("RGB", (4, 5))) == "Image 4x5"
    assert len(describe("x" * 1000)) < 100


# -- decoding as far as needed, and showing -------------------------------------------------


def category_pipe():
    pipe = Pipeline([str.lower, Categorize(vocab=["cat", "dog"])])
    pipe.setup(["cat"])
    return pipe


def test_partial_decoding_stops_where_the_value_can_show_itself():
    class Late(Transform):
        def decodes(self, x: Category):
            raise AssertionError("decoded too far")

    pipe = Pipeline([Late(order=-1), *category_pipe()])
    half = pipe.decode(pipe("DOG"), full=False)
    assert type(half) is Category
    with pytest.raises(DataError, match="decoded too far"):
        pipe.decode(pipe("DOG"))


def test_partial_decoding_of_a_tuple_waits_for_all_members():
    pipe = Pipeline([ItemTransform(lambda xy: xy, lambda xy: xy), Categorize(vocab=["a", "b"])])
    x = (pipe("a"), TensorImage(torch.zeros(3, 2, 2)))
    decoded = pipe.decode(x, full=False)
    assert type(decoded[0]) is Category
    assert type(decoded[1]) is TensorImage


def test_show_decodes_and_shows_on_the_context():
    pipe = category_pipe()
    assert pipe.show(pipe("dog"), ctx={}) == {"category": "dog"}


def test_show_shows_what_has_no_way_of_its_own_as_text():
    assert Pipeline([str.upper]).show("A", ctx={}) == {"text": "A"}


class Factor(Transform):
    """A factor; neighbours multiply."""

    def __init__(self, by=2, order=0.0):
        super().__init__(order=order)
        self.by, self.order, self.seen = by, order, None

    def encodes(self, x: int):
        return x * self.by

    def setups(self, items):
        self.seen = items

    def merged(self, before):
        return Factors([*before.parts, self]) if isinstance(before, Factor | Factors) else None


class Factors(Transform):
    """Several factors at once."""

    def __init__(self, factors):
        super().__init__()
        self.factors = factors

    @property
    def parts(self):
        return tuple(self.factors)

    def encodes(self, x: int):
        return x * math.prod(each.by for each in self.factors)

    merged = Factor.merged


def test_neighbours_that_can_are_merged_after_sorting():
    pipeline = Pipeline([Factor(5, order=2.0), lambda x: x + 1, Factor(2), Factor(3)])
    # The function has order 0, and stands between those given before and after it.
    assert [type(step) for step in pipeline] == [Transform, Factors]
    assert [part.by for part in pipeline[1].parts] == [2, 3, 5]
    assert pipeline(1) == 60


def test_what_is_added_finds_its_place_among_the_parts():
    pipeline = Pipeline([Factor(2), Factor(5, order=2.0)])
    pipeline.add(Transform(lambda x: x + 1, order=1.0))
    assert [type(step) for step in pipeline] == [Factor, Transform, Factor]
    assert pipeline(1) == 15
    pipeline.add(Factor(3, order=1.5))
    assert [part.by for part in pipeline[2].parts] == [3, 5]
