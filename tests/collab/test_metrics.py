"""Metrics of rankings, worked out by hand and by scikit-learn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from layerwise.collab.metrics import (
    CoverageAtK,
    HitRateAtK,
    MAPAtK,
    NDCGAtK,
    PrecisionAtK,
    RecallAtK,
)

KINDS = (PrecisionAtK, RecallAtK, HitRateAtK, MAPAtK, NDCGAtK)

# Two users and five items. Ranking of the first: 0 1 2 3 4, relevant 1, 2 and 4; of the second:
# 4 3 2 1 0, relevant 0.
SCORES = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
RELEVANT = torch.tensor([[0, 1, 1, 0, 1], [1, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (PrecisionAtK(3), (2 / 3 + 0) / 2),
        (PrecisionAtK(5), (3 / 5 + 1 / 5) / 2),
        (RecallAtK(3), (2 / 3 + 0) / 2),
        (RecallAtK(5), 1.0),
        (HitRateAtK(1), 0.0),
        (HitRateAtK(2), 0.5),
        (MAPAtK(3), ((1 / 2 + 2 / 3) / 3 + 0) / 2),
        (MAPAtK(5), ((1 / 2 + 2 / 3 + 3 / 5) / 3 + 1 / 5) / 2),
        (MAPAtK(2), ((1 / 2) / 2 + 0) / 2),
        (
            NDCGAtK(3),
            ((1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3) + 1 / math.log2(4))) / 2,
        ),
        (NDCGAtK(5), None),
        (CoverageAtK(1), 2 / 5),
        (CoverageAtK(2), 4 / 5),
        (CoverageAtK(3), 1.0),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_values_worked_out_by_hand(metric, value):
    if value is None:
        best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
        first = (1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(6)) / best
        value = (first + 1 / math.log2(6)) / 2
    assert metric(SCORES, RELEVANT) == pytest.approx(value)


def test_names_say_what_and_where():
    names = [kind(7).name for kind in (*KINDS, CoverageAtK)]
    assert names == ["precision@7", "recall@7", "hit_rate@7", "map@7", "ndcg@7", "coverage@7"]


def drawn(seed, users=6, items=8, graded=False):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(users, items, generator=generator)
    return scores, torch.randint(0, 4 if graded else 2, (users, items), generator=generator)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 10))
def test_ndcg_is_that_of_scikit_learn_for_graded_relevance(seed, k):
    scores, relevance = drawn(seed, graded=True)
    some = relevance.any(1)
    if some.any():
        expected = ndcg_score(relevance[some].numpy(), scores[some].numpy(), k=k)
        assert NDCGAtK(k)(scores, relevance) == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_batches_of_any_size_give_the_value_of_the_whole(seed, size):
    scores, relevance = drawn(seed, users=11)
    for kind in (*KINDS, CoverageAtK):
        metric = kind(3)
        for part in zip(scores.split(size), relevance.split(size), strict=True):
            metric.update(*part)
        assert metric.value == pytest.approx(kind(3)(scores, relevance))


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_items_outside_of_the_ranking_might_as_well_not_be_there(seed):
    scores, relevance = drawn(seed, users=1)
    relevance[0, :3] = torch.tensor([1, 0, 0])
    without = torch.cat([relevance, torch.full((1, 2), -1)], 1), torch.tensor([[99.0, -99.0]])
    for kind in KINDS:
        more = kind(4)(torch.cat([scores, without[1]], 1), without[0])
        assert more == pytest.approx(kind(4)(scores, relevance))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [0, 3])
def test_a_model_that_says_the_same_of_all_gets_nothing(kind, place):
    relevance = torch.zeros(1, 8)
    relevance[0, place] = 1
    assert kind(3)(torch.ones(1, 8), relevance) == 0.0
    assert kind(3)(torch.full((1, 8), 0.1), relevance) == 0.0


def test_the_smallest_lead_counts():
    scores = torch.full((1, 8), 0.1)
    scores[0, 5] = torch.nextafter(torch.tensor(0.1), torch.tensor(1.0))
    relevance = torch.zeros(1, 8)
    relevance[0, 5] = 1
    assert HitRateAtK(1)(scores, relevance) == 1.0


def test_users_without_anything_relevant_do_not_count():
    for kind in KINDS:
        one = kind(2)(SCORES[:1], RELEVANT[:1])
        assert kind(2)(SCORES, torch.stack([RELEVANT[0], torch.zeros(5)])) == pytest.approx(one)
        assert kind(2)(SCORES, torch.zeros(2, 5)) is None


def test_coverage_leaves_out_items_that_nobody_is_shown():
    relevance = torch.tensor([[0, 1, -1, 0], [0, -1, -1, 0]])
    scores = torch.tensor([[4.0, 3.0, 9.0, 1.0], [4.0, 3.0, 9.0, 1.0]])
    assert CoverageAtK(2)(scores, relevance) == pytest.approx(1.0)
    assert CoverageAtK(1)(scores, relevance) == pytest.approx(1 / 3)


def test_coverage_of_different_candidates_is_refused():
    metric = CoverageAtK(1)
    metric.update(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="the same items for all users"):
        metric.update(torch.zeros(1, 4), torch.zeros(1, 4))


def test_states_of_several_processes_become_one():
    parts = []
    for row in range(2):
        metric = CoverageAtK(1)
        metric.update(SCORES[row : row + 1], RELEVANT[row : row + 1])
        parts.append(metric.state_dict())
    whole = CoverageAtK(1)
    whole.load_state_dict(whole.merged(parts))
    assert whole.value == pytest.approx(2 / 5)


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_k_is_a_number_of_places(k):
    with pytest.raises(ValueError, match="a whole number of places"):
        PrecisionAtK(k)
