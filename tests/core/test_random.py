"""Draws depend on a key, or on a seed; nothing else is touched."""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.random import (
    draw_seed,
    generator,
    get_random_states,
    isolated,
    keyed,
    mix_key,
    no_random,
    seed_everything,
    set_random_states,
    set_seed,
    uniform,
)

patient = settings(deadline=None)  # the first draw loads code of torch
keys = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4)


def drawn():
    """One number from each of the global generators."""
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: S311


def normal(count=4):
    return torch.randn(count, generator=generator())


# -- keys -----------------------------------------------------------------------------------


def test_one_part_gives_the_published_first_output_of_splitmix64():
    # First output of the reference generator for seed 0, without its lowest bit.
    assert mix_key(0) == 0xE220A8397B1DCDAF >> 1


@patient
@given(keys)
def test_a_key_is_a_seed_that_torch_takes(parts):
    assert 0 <= mix_key(*parts) < 2**63
    torch.Generator().manual_seed(mix_key(*parts))


@patient
@given(keys, st.data())
def test_a_change_of_one_bit_changes_the_seed(parts, data):
    place = data.draw(st.integers(0, len(parts) - 1))
    changed = list(parts)
    changed[place] ^= 1 << data.draw(st.integers(0, 63))
    assert mix_key(*parts) != mix_key(*changed)


def test_keys_of_neighbours_do_not_collide_and_spread_over_all_bits():
    seeds = [mix_key(run, epoch, i) for run in range(3) for epoch in range(10) for i in range(1000)]
    assert len(set(seeds)) == len(seeds)
    for bit in range(63):
        ones = sum(seed >> bit & 1 for seed in seeds)
        assert abs(ones / len(seeds) - 0.5) < 0.02


def test_order_and_number_of_parts_count():
    assert len({mix_key(1, 2), mix_key(2, 1), mix_key(1, 2, 0), mix_key(0, 1, 2)}) == 4


@patient
@given(keys)
def test_equal_keys_draw_equal_numbers(parts):
    with keyed(*parts):
        first = normal()
    with keyed(*parts):
        torch.testing.assert_close(normal(), first, rtol=0, atol=0)


def test_a_key_within_a_key_is_left_where_it_was():
    with keyed(1):
        expected = normal(6)
    with keyed(1):
        head = normal(3)
        with keyed(2):
            inner = normal(3)
        tail = normal(3)
    assert torch.equal(torch.cat([head, tail]), expected)
    assert not torch.equal(inner, head)


def test_entering_again_starts_afresh():
    key = keyed(3)
    with key:
        first = normal()
    with key:
        assert torch.equal(normal(), first)


def test_an_error_ends_the_key():
    with pytest.raises(KeyError), keyed(1):
        raise KeyError
    assert generator() is None


def test_a_key_leaves_the_global_generators_alone():
    set_seed(0)
    expected = drawn()
    set_seed(0)
    with keyed(5):
        normal()
        uniform()
    assert drawn() == expected


def test_outside_of_a_key_draws_follow_the_global_seed():
    assert generator() is None
    set_seed(1)
    first = normal(), uniform()
    set_seed(1)
    second = normal(), uniform()
    assert torch.equal(first[0], second[0])
    assert first[1] == second[1]


@patient
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(0, 2**40))
def test_uniform_stays_within_its_bounds(low, width, key):
    with keyed(key):
        assert low <= uniform(low, low + width) <= low + width


def test_uniform_is_even():
    values = []
    for i in range(4000):
        with keyed(7, i):
            values.append(uniform())
    tenths = Counter(int(v * 10) for v in values)
    assert min(tenths.values()) > 330  # 400 expected, standard deviation 19
    assert max(tenths.values()) < 470


# -- seeds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1, 2**40])
def test_two_calls_of_set_seed_repeat_all_three_generators(seed):
    set_seed(seed)
    first = drawn()
    set_seed(seed)
    assert drawn() == first
    seed_everything(seed)
    assert drawn() == first


def test_set_seed_is_that_of_the_libraries():
    set_seed(3)
    values = drawn()
    random.seed(3)
    assert values[0] == random.random()  # noqa: S311
    assert values[1] == np.random.RandomState(3).rand()
    assert values[2] == torch.rand((), generator=torch.Generator().manual_seed(3)).item()


def test_reproducible_sets_the_flags_of_cudnn_and_no_random_puts_them_back():
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    with no_random(reproducible=True):
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == before


def test_seeds_drawn_follow_the_global_seed_and_differ():
    set_seed(2)
    seeds = [draw_seed() for _ in range(100)]
    set_seed(2)
    assert seeds == [draw_seed() for _ in range(100)]
    assert len(set(seeds)) == 100
    assert all(0 <= s < 2**62 for s in seeds)


def test_states_that_were_saved_come_back():
    set_seed(5)
    drawn()
    states = get_random_states()
    expected = drawn(), np.random.randn(3).tolist()
    set_seed(9)
    set_random_states(**states)
    assert (drawn(), np.random.randn(3).tolist()) == expected


@pytest.mark.parametrize("context", [isolated, no_random])
def test_inside_the_seed_rules_and_outside_nothing_was_drawn(context):
    set_seed(0)
    expected = [drawn() for _ in range(3)]
    set_seed(0)
    outside = [drawn()]
    with context(7):
        inside = drawn()
    outside.append(drawn())
    with context(7):
        assert drawn() == inside
    outside.append(drawn())
    assert outside == expected
    assert inside not in expected


@pytest.mark.parametrize("context", [isolated, no_random])
def test_an_error_inside_puts_the_states_back(context):
    set_seed(0)
    expected = drawn()
    set_seed(0)
    with pytest.raises(ZeroDivisionError), context(7):
        raise ZeroDivisionError(drawn())
    assert drawn() == expected


def test_isolation_draws_what_the_same_seed_gives_anywhere():
    with isolated(11):
        inside = drawn()
    seed_everything(11)
    assert drawn() == inside


def test_isolation_within_isolation_goes_on_where_it_was():
    with isolated(1):
        expected = [drawn(), drawn()]
    with isolated(1):
        first = drawn()
        with isolated(2):
            drawn()
        assert [first, drawn()] == expected


def test_without_restoring_the_seed_stays_in_force():
    states = get_random_states()
    try:
        with isolated(4, restore=False):
            pass
        after = drawn()
        with isolated(4):
            assert drawn() == after
    finally:
        set_random_states(**states)
