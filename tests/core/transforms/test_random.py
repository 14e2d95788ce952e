"""A random transform draws once per call, on the training split, from the key in force."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.random import keyed, set_seed, uniform
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.random import RandTransform
from layerwise.core.transforms.transform import Transform


class Jitter(RandTransform):
    def before_call(self, b, split_idx):
        super().before_call(b, split_idx)
        self.by = uniform(1, 2)
        self.calls = getattr(self, "calls", 0) + 1

    def encodes(self, x: float):
        return x + self.by

    def decodes(self, x: float):
        return -x


def test_one_draw_serves_all_members_of_a_tuple():
    step = Jitter()
    a, (b, c), text = step((0.0, (0.0, 0.0), "x"), split_idx=0)
    assert a == b == c != 0
    assert text == "x"
    assert step.calls == 1
    assert step((0.0,), split_idx=0) != (a,)


@pytest.mark.parametrize("split_idx", [1, None])
def test_it_acts_on_the_training_split_alone(split_idx):
    step = Jitter()
    assert step((0.0, 1.0), split_idx=split_idx) == (0.0, 1.0)
    assert not hasattr(step, "calls")


def test_a_class_may_act_on_all_splits():
    class Always(Jitter):
        split_idx = None

    assert Always()(0.0, split_idx=1) != 0.0


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_p_is_the_share_of_calls_in_which_it_acts(p, seed):
    step = Jitter(p=p)
    with keyed(seed):
        acted = sum(step(0.0, split_idx=0) != 0.0 for _ in range(200))
    assert abs(acted - 200 * p) <= 36  # five standard deviations at most
    assert acted in (0, 200) or 0 < p < 1


def test_equal_keys_give_equal_draws_and_seeds_do_outside():
    step = Jitter(p=0.5)

    def draw():
        return [step(0.0, split_idx=0) for _ in range(10)]

    with keyed(1, 2):
        first = draw()
    with keyed(1, 2):
        assert draw() == first
    set_seed(0)
    outside = draw()
    set_seed(0)
    assert draw() == outside


def test_decoding_draws_nothing():
    step = Jitter()
    assert step.decode(3.0, split_idx=0) == -3.0
    assert not hasattr(step, "calls")


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match=f"p={p} is no probability"):
        RandTransform(p=p)


def test_its_place_in_a_pipeline_can_be_set():
    pipe = Pipeline([RandTransform(order=9), Transform(abs)], split_idx=0)
    assert [s.name for s in pipe] == ["abs", "RandTransform"]


def test_it_pickles():
    assert pickle.loads(pickle.dumps(RandTransform(p=0.25))).p == 0.25
