"""Finding what is not finite: the same answer as looking at each number."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.callback.finite import all_finite

NUMBERS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(st.lists(NUMBERS, max_size=5), max_size=4))
def test_all_finite_is_what_looking_at_each_number_says(rows):
    expected = all(math.isfinite(x) for row in rows for x in row)
    assert all_finite([torch.tensor(row, dtype=torch.float32) for row in rows]) == expected


def test_finite_numbers_whose_sum_is_not_are_finite():
    assert all_finite([torch.full((4,), 3e38)])
    assert all_finite([torch.full((4,), 6e4, dtype=torch.float16)])


def test_infinities_that_cancel_are_seen():
    assert not all_finite([torch.tensor([math.inf, -math.inf])])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_sparse_gradients_are_looked_at(bad):
    weight = torch.nn.Embedding(4, 2, sparse=True)
    (weight(torch.tensor([1, 1])) * torch.tensor([1.0, bad])).sum().backward()
    found = weight.weight.grad
    assert found is not None
    assert not all_finite([found])


@pytest.mark.parametrize("bad", [1.0, math.nan, math.inf])
def test_complex_numbers_are_looked_at(bad):
    assert all_finite([torch.tensor([complex(1, bad)])]) is math.isfinite(bad)
