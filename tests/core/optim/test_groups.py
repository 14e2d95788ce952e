"""Groups, spreads and freezing."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.optim.algorithms import SGD
from layerwise.core.optim.groups import even_mults, group_params, spread

RATES = st.floats(1e-8, 10.0)


def three_groups(**kwargs):
    groups = [[torch.zeros(2, requires_grad=True)] for _ in range(3)]
    return groups, SGD(groups, lr=0.1, **kwargs)


@given(RATES, RATES, st.integers(2, 8))
def test_a_slice_spreads_by_equal_factors(low, high, count):
    values = spread(slice(low, high), count)
    assert len(values) == count
    assert values[0] == low
    assert values[-1] == high
    factors = np.diff(np.log(values))
    np.testing.assert_allclose(factors, math.log(high / low) / (count - 1), atol=1e-9)


@given(RATES, st.integers(1, 8))
def test_a_slice_with_one_end_is_a_tenth_but_for_the_last(high, count):
    assert spread(slice(high), count) == [high / 10] * (count - 1) + [high]


@given(RATES, st.integers(1, 8))
def test_a_number_is_for_all_groups(value, count):
    for given_value in (
        value,
        [value],
        np.float64(value),
        torch.tensor(value, dtype=torch.float64),
    ):
        assert spread(given_value, count) == [value] * count


@given(st.lists(RATES, min_size=2, max_size=6))
def test_a_sequence_is_one_for_each_group(values):
    for given_values in (values, tuple(values), np.array(values), [np.float64(v) for v in values]):
        assert spread(given_values, len(values)) == values
    with pytest.raises(ValueError, match=f"{len(values)} values of 'lr' for 9 parameter groups"):
        spread(values, 9)


def test_one_group_takes_the_upper_end_of_a_slice():
    assert even_mults(1e-4, 1e-2, 1) == [1e-2]
    assert spread(slice(1e-4, 1e-2), 1) == [1e-2]


@pytest.mark.parametrize("value", [slice(0, 1), slice(-1, 1), slice(None), slice(1, 2, 3)])
def test_a_slice_that_cannot_be_spread_says_so(value):
    with pytest.raises(ValueError, match="slice"):
        spread(value, 3)


def test_an_optimizer_spreads_its_learning_rate():
    groups = [[torch.zeros(1)] for _ in range(3)]
    lrs = [h["lr"] for h in SGD(groups, lr=slice(1e-4, 1e-2)).hypers]
    np.testing.assert_allclose(lrs, [1e-4, 1e-3, 1e-2])
    with pytest.raises(ValueError, match="2 values of 'lr' for 3 parameter groups; give one"):
        SGD(groups, lr=[1e-4, 1e-2])


def test_set_hypers_sets_several():
    _, opt = three_groups(mom=0.9)
    opt.set_hypers(lr=[1, 2, 3], mom=0.5)
    assert [h["lr"] for h in opt.hypers] == [1, 2, 3]
    assert [h["mom"] for h in opt.hypers] == [0.5] * 3


def test_groups_are_read_from_what_users_pass():
    a, b = torch.zeros(1), torch.zeros(2)
    assert group_params(iter([a, b])) == [[a, b]]
    assert group_params([iter([a]), (b,)]) == [[a], [b]]
    assert group_params([[a], []]) == [[a], []]
    with pytest.raises(ValueError, match="listed twice"):
        group_params([[a], [a]])
    with pytest.raises(TypeError, match="list of tensors, not dict"):
        group_params([{"params": [a]}])


def test_freeze_to_trains_the_groups_from_there_on():
    groups, opt = three_groups()
    grads = lambda: [p.requires_grad for (p,) in groups]
    opt.freeze()
    assert (opt.frozen_idx, grads()) == (2, [False, False, True])
    opt.freeze_to(-2)
    assert (opt.frozen_idx, grads()) == (1, [False, True, True])
    opt.freeze_to(1)
    assert (opt.frozen_idx, grads()) == (1, [False, True, True])
    opt.unfreeze()
    assert (opt.frozen_idx, grads()) == (0, [True, True, True])


@pytest.mark.parametrize("n", [3, -4])
def test_freezing_to_a_group_that_is_not_there_says_how_many_there_are(n):
    _, opt = three_groups()
    with pytest.raises(ValueError, match=r"3 parameter groups, so give -3 to 2"):
        opt.freeze_to(n)


def test_a_gradient_left_from_before_freezing_does_not_step():
    groups, opt = three_groups()
    for (p,) in groups:
        p.grad = torch.ones(2)
    opt.freeze()
    groups[0][0].grad = torch.ones(2)
    opt.step()
    assert groups[0][0].tolist() == [0, 0]
    torch.testing.assert_close(groups[2][0].detach(), torch.full((2,), -0.1))


def test_all_params_gives_rows_of_parameter_group_state_and_hypers():
    groups, opt = three_groups()
    groups[1][0].grad = torch.ones(2)
    assert [row[0] for row in opt.all_params()] == [p for (p,) in groups]
    assert len(opt.all_params(slice(1, None))) == 2
    ((p, group, state, hyper),) = opt.all_params(with_grad=True)
    assert p is groups[1][0]
    assert group is opt.param_lists[1]
    state["note"] = 1.0
    assert opt.state[p]["note"] == 1.0
    assert hyper["lr"] == 0.1


def test_flags_are_checked():
    groups, opt = three_groups()
    with pytest.raises(ValueError, match=r"unknown flag 'do_wdd'\. Did you mean 'do_wd'"):
        opt.set_flags(groups[0], do_wdd=False)
    with pytest.raises(ValueError, match="is not in this optimizer"):
        opt.set_flags([torch.zeros(3)], do_wd=False)
