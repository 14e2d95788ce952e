"""Schedules: ends, shapes, joins."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.optim.schedules import (
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    annealer,
    combine_scheds,
    combined_cos,
)

VALUES = st.floats(1e-6, 1e3)
POSITIONS = st.floats(0, 1)
KINDS = {
    "lin": SchedLin,
    "cos": SchedCos,
    "exp": SchedExp,
    "poly": lambda start, end: SchedPoly(start, end, power=2.5),
}


@pytest.mark.parametrize("kind", KINDS)
@given(start=VALUES, end=VALUES, pos=POSITIONS)
def test_a_schedule_goes_from_start_to_end_and_stays_between(kind, start, end, pos):
    sched = KINDS[kind](start, end)
    assert sched(0.0) == pytest.approx(start)
    assert sched(1.0) == pytest.approx(end)
    low, high = sorted((start, end))
    assert low * (1 - 1e-9) - 1e-12 <= sched(pos) <= high * (1 + 1e-9) + 1e-12


@given(VALUES, VALUES, POSITIONS)
def test_schedules_equal_their_formulas(start, end, pos):
    expected = {
        "lin": start + pos * (end - start),
        "cos": start + (1 + math.cos(math.pi * (1 - pos))) * (end - start) / 2,
        "exp": math.exp(math.log(start) * (1 - pos) + math.log(end) * pos),
        "poly": start + (end - start) * math.pow(pos, 2.5),
    }
    for kind, value in expected.items():
        assert KINDS[kind](start, end)(pos) == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert SchedNo(start, end)(pos) == start


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), POSITIONS)
def test_combined_schedules_run_one_after_another(weights, pos):
    pcts = [w / sum(weights) for w in weights]
    sched = combine_scheds(pcts, [SchedLin(i, i + 1) for i in range(len(pcts))])
    bounds = np.concatenate([[0], np.cumsum(pcts)])
    assert sched(pos) == pytest.approx(np.interp(pos, bounds, range(len(pcts) + 1)), abs=1e-6)


@pytest.mark.parametrize("pct", [0.0, 0.25, 0.99, 1.0])
def test_combined_cos_passes_through_its_three_values(pct):
    sched = combined_cos(pct, 1.0, 3.0, 2.0)
    assert sched(0.0) == pytest.approx(3.0 if pct == 0 else 1.0)
    assert sched(min(pct, 1 - 1e-9)) == pytest.approx(3.0)
    assert sched(1.0) == pytest.approx(2.0)


def test_arrays_schedule_one_value_for_each_group():
    sched = combined_cos(0.5, np.array([1.0, 10.0]), np.array([2.0, 20.0]), np.array([0.0, 0.0]))
    np.testing.assert_allclose(sched(0.25), [1.5, 15.0])
    np.testing.assert_allclose(SchedExp(np.array([1.0, 2.0]), np.array([4.0, 8.0]))(0.5), [2, 4])


def test_a_function_becomes_a_schedule_with_annealer():
    @annealer
    def late(start, end, pos):
        return end if pos == 1 else start

    assert [late(1, 2)(pos) for pos in (0, 0.5, 1)] == [1, 1, 2]


def test_schedules_pickle():
    for sched in (SchedPoly(0.0, 1.0, 2), combined_cos(0.3, 1.0, 2.0, 0.0)):
        again = pickle.loads(pickle.dumps(sched))
        assert again(0.7) == sched(0.7)
        assert again == sched


def test_shares_are_checked():
    with pytest.raises(ValueError, match=r"sum to 0\.8; they must be at least 0 and sum to 1"):
        combine_scheds([0.4, 0.4], [SchedNo(1, 1)] * 2)
    with pytest.raises(ValueError, match="2 shares for 1 schedules"):
        combine_scheds([0.5, 0.5], [SchedNo(1, 1)])
    with pytest.raises(ValueError, match="at least 0"):
        combine_scheds([1.5, -0.5], [SchedNo(1, 1)] * 2)
