"""Rules of drawing, by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.text.sampling import Sampling, draw_tokens

# Probabilities 0.5, 0.25, 0.15, 0.1, in another order.
SHARES = torch.tensor([[0.15, 0.5, 0.1, 0.25]])
SCORES = SHARES.log() + 3


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, [0.15, 0.5, 0.1, 0.25]),
        ({"temperature": 0}, [0, 1, 0, 0]),
        ({"temperature": 0.5}, [0.0225 / 0.345, 0.25 / 0.345, 0.01 / 0.345, 0.0625 / 0.345]),
        ({"top_k": 2}, [0, 2 / 3, 0, 1 / 3]),
        ({"top_k": 9}, [0.15, 0.5, 0.1, 0.25]),
        ({"top_p": 0.6}, [0, 2 / 3, 0, 1 / 3]),
        ({"top_p": 0.0}, [0, 1, 0, 0]),
        ({"top_p": 1.0}, [0.15, 0.5, 0.1, 0.25]),
        ({"min_p": 0.28}, [1 / 6, 5 / 9, 0, 5 / 18]),
        ({"min_p": 1.0}, [0, 1, 0, 0]),
        ({"banned": [1]}, [0.3, 0, 0.2, 0.5]),
        ({"banned": [1], "top_k": 1}, [0, 0, 0, 1]),
    ],
)
def test_probabilities_by_hand(rules, expected):
    found = Sampling(**rules).probabilities(SCORES, [[]])
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float32))


@pytest.mark.parametrize(
    ("size", "tokens", "never"),
    [(1, [0, 2], {0, 2}), (2, [3, 1, 2, 3], {1}), (3, [0, 1, 2, 0, 1], {2}), (3, [0, 1], set())],
)
def test_rows_of_tokens_do_not_come_twice(size, tokens, never):
    found = Sampling(no_repeat=size).probabilities(SCORES, [tokens])[0]
    assert {i for i, p in enumerate(found.tolist()) if p == 0} == never


def test_where_all_would_be_repetition_it_goes_on():
    found = Sampling(no_repeat=1).probabilities(SCORES, [[0, 1, 2, 3]])
    torch.testing.assert_close(found, SHARES)


@given(
    st.floats(0.1, 3), st.none() | st.integers(1, 9), st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1), st.sets(st.integers(0, 6), max_size=6),
)  # fmt: skip
def test_whatever_is_asked_for_something_comes(temperature, top_k, top_p, min_p, banned):
    scores = torch.tensor([[0.3, -2.0, 1.0, 9.0, -30.0, 0.0, 1.0]])
    rules = Sampling(banned, None, temperature, top_k, top_p, min_p)
    found = rules.probabilities(scores, [[]])
    assert found.sum().item() == pytest.approx(1, abs=1e-5)
    assert not any(found[0, i] for i in banned)


def test_tokens_are_drawn_as_often_as_they_should():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([draw_tokens(SHARES, [generator])[0] for _ in range(4000)])
    found = torch.bincount(drawn, minlength=4) / 4000
    torch.testing.assert_close(found, SHARES[0], atol=0.03, rtol=0)


def test_what_is_impossible_is_never_drawn():
    shares = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    generator = torch.Generator().manual_seed(0)
    assert {draw_tokens(shares, [generator])[0] for _ in range(200)} == {2}


@pytest.mark.parametrize(
    "rules",
    [{"temperature": -1}, {"top_k": 0}, {"top_p": 1.5}, {"min_p": -0.1}, {"no_repeat": 0}],
)
def test_numbers_without_sense_are_named(rules):
    with pytest.raises(ValueError, match=next(iter(rules))):
        Sampling(**rules)


def test_something_has_to_be_left():
    with pytest.raises(ValueError, match="all tokens are banned"):
        Sampling(banned=range(4)).probabilities(SCORES, [[]])
