"""Losses of implicit feedback, by hand and by torch."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.collab.losses import BPRLoss, SampledSoftmaxLoss

SEEDS = st.integers(0, 2**31)


def drawn(seed, rows=5, candidates=7):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, candidates, generator=generator, dtype=torch.float64)
    targets = torch.randint(-1, 2, (rows, candidates), generator=generator).double()
    return scores, targets


def test_bpr_of_one_pair_is_the_formula():
    loss = BPRLoss()(torch.tensor([[2.0, 0.5]]), torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1.5)))


@settings(deadline=None)
@given(SEEDS)
def test_bpr_is_the_mean_over_pairs_of_each_row(seed):
    scores, targets = drawn(seed)
    expected = []
    for row, targ in zip(scores.tolist(), targets.tolist(), strict=True):
        pairs = [
            math.log1p(math.exp(other - taken))
            for taken, is_taken in zip(row, targ, strict=True)
            for other, is_other in zip(row, targ, strict=True)
            if is_taken == 1 and is_other == 0
        ]
        expected.append(sum(pairs) / len(pairs) if pairs else 0.0)
    found = BPRLoss("none")(scores, targets)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert BPRLoss("sum")(scores, targets).item() == pytest.approx(sum(expected))


@settings(deadline=None)
@given(SEEDS)
def test_softmax_over_all_items_is_cross_entropy(seed):
    scores, _ = drawn(seed)
    classes = torch.randint(7, (5,), generator=torch.Generator().manual_seed(seed))
    found = SampledSoftmaxLoss(temperature=0.5)(scores, F.one_hot(classes, 7))
    torch.testing.assert_close(found, F.cross_entropy(scores / 0.5, classes))


@settings(deadline=None)
@given(SEEDS)
def test_what_does_not_count_might_as_well_not_be_there(seed):
    scores, targets = drawn(seed, rows=1)
    targets[0, :2] = torch.tensor([1.0, 0.0])
    kept = targets[0] >= 0
    for loss in (BPRLoss(), SampledSoftmaxLoss()):
        without = loss(scores[:, kept], targets[:, kept])
        torch.testing.assert_close(loss(scores, targets), without)


def test_the_correction_gives_the_gradient_of_the_whole_softmax_on_average():
    """Sampled by popularity and corrected, two items push down the rest as a full softmax does.

    Worked out for three items with probabilities 0.5, 0.3, 0.2, of which the first was taken and
    one of the others is sampled: the corrected logits make exp(score) / q, and its mean over
    samples is the sum of exp(score) over the others.
    """
    scores = torch.tensor([0.3, -0.2, 0.9])
    q = torch.tensor([0.0, 0.6, 0.4])  # of the others, as 0.3 to 0.2
    mean = sum(q[j] * (scores[j] - q[j].log()).exp() for j in (1, 2))
    assert mean.item() == pytest.approx(scores[1:].exp().sum().item())
    loss = SampledSoftmaxLoss()(scores[None, [0, 1]], torch.tensor([[1.0, 0.0]]),
                                torch.tensor([[0.0, math.log(0.6)]]))  # fmt: skip
    corrected = torch.tensor([0.3, -0.2 - math.log(0.6)])
    assert loss.item() == pytest.approx(-corrected.log_softmax(0)[0].item())


@pytest.mark.parametrize("loss", [BPRLoss(), SampledSoftmaxLoss()])
def test_gradients_are_finite_where_nothing_counts(loss):
    scores = torch.randn(2, 3, requires_grad=True)
    targets = torch.tensor([[1.0, -1.0, -1.0], [0.0, 0.0, -1.0]])
    loss(scores, targets).backward()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("loss", [BPRLoss(), SampledSoftmaxLoss()])
def test_scores_of_single_pairs_are_refused(loss):
    with pytest.raises(ValueError, match="as loaders with negatives= make them"):
        loss(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"scores of shape \(2, 3\) with targets of \(2, 2\)"):
        loss(torch.zeros(2, 3), torch.zeros(2, 2))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="temperature=0"):
        SampledSoftmaxLoss(temperature=0)
    with pytest.raises(ValueError, match="reduction='men'"):
        BPRLoss("men")
