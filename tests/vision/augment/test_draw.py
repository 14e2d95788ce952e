"""One number for each picture."""

import pytest
import torch

from layerwise.core.random import keyed
from layerwise.vision.augment.draw import (
    DeterministicDraw,
    drawn,
    evenly,
    log_evenly,
    mask_tensor,
)

BATCH = torch.zeros(1000, 1, 2, 2)


def test_each_picture_has_a_number_of_its_own_within_the_range():
    with keyed(0):
        found = drawn(BATCH, evenly(2, 5), p=1.0)
    assert found.shape == (1000,)
    assert found.unique().numel() == 1000
    assert 2 <= found.min() < 2.05
    assert 4.95 < found.max() < 5


def test_the_share_of_pictures_that_are_not_neutral_is_p():
    with keyed(0):
        found = drawn(BATCH, evenly(2, 5), p=0.3, neutral=1.0)
    share = (found != 1.0).float().mean().item()
    assert abs(share - 0.3) < 3 * (0.3 * 0.7 / 1000) ** 0.5


def test_batch_draws_once_for_all():
    with keyed(0):
        several = [drawn(BATCH, evenly(2, 5), p=0.5, neutral=1.0, batch=True) for _ in range(40)]
    assert all(each.shape == (1000,) and each.unique().numel() == 1 for each in several)
    kept = sum(each[0] != 1.0 for each in several)
    assert 10 < kept < 30


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (0.5, [0.5, 0.5]),
        ([0.25, 0.5], [0.25, 0.5]),
        (torch.tensor([1, 2]), [1.0, 2.0]),
        (lambda x: torch.arange(len(x)), [0.0, 1.0]),
        (lambda x: x.shape[-1], [2.0, 2.0]),
    ],
    ids=["number", "list", "tensor", "function", "function of the shape"],
)
def test_draw_takes_the_place_of_drawing(draw, expected):
    assert drawn(BATCH[:2], evenly(0, 1), draw, p=1.0).tolist() == expected


def test_a_draw_of_another_count_says_what_to_give():
    with pytest.raises(ValueError, match="3 numbers for a batch of 2 pictures; give one number"):
        drawn(BATCH[:2], evenly(0, 1), [1.0, 2.0, 3.0], p=1.0)


def test_certain_masks():
    ones = torch.ones(4)
    assert mask_tensor(ones, p=1.0) is ones
    assert mask_tensor(ones, p=0.0, neutral=7.0).tolist() == [7.0] * 4


def test_factors_are_as_often_above_one_as_below():
    with keyed(3):
        factors = log_evenly(0.2)(4000)
    assert abs((factors > 1).float().mean() - 0.5) < 0.03
    assert factors.min() >= 0.8
    assert factors.max() <= 1.25


def test_deterministic_draws_repeat():
    turn = DeterministicDraw([0, 3])
    assert [turn(BATCH[:1]).item() for _ in range(4)] == [0, 3, 0, 3]
    with pytest.raises(ValueError, match="a value at least"):
        DeterministicDraw([])
