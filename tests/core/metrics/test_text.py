"""Perplexity and BLEU, worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.text import CorpusBLEUMetric, Perplexity, perplexity


def test_bleu_worked_by_hand(in_batches):
    # "the cat is on the mat" against "the cat sat on the mat": unigrams 5 of 6, pairs 3 of 5,
    # triples 1 of 4, fours 0 of 3, which count as half a match
    guess = torch.tensor([[1, 2, 3, 4, 1, 5]])
    truth = torch.tensor([[1, 2, 6, 4, 1, 5]])
    want = (5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3) ** 0.25
    assert CorpusBLEUMetric()(guess, truth) == pytest.approx(want)


def test_a_repeated_word_matches_no_more_often_than_it_occurs():
    # Papineni et al. 2002, example 2: seven times "the" against a sentence with two of them
    guess = torch.ones(1, 7).long()
    truth = torch.tensor([[1, 2, 3, 4, 1, 5]])
    want = (2 / 7 * 0.5 / 6 * 0.25 / 5 * 0.125 / 4) ** 0.25
    assert CorpusBLEUMetric()(guess, truth) == pytest.approx(want)


def test_short_predictions_are_penalised():
    truth = torch.arange(10)[None]
    assert CorpusBLEUMetric()(truth[:, :8], truth) == pytest.approx(math.exp(1 - 10 / 8))
    assert CorpusBLEUMetric()(truth, truth[:, :8]) < 1  # long ones lose precision


def test_padding_is_left_out():
    truth = torch.tensor([[1, 2, 3, 4, 5, 0, 0]])
    guess = torch.tensor([[1, 2, 3, 4, 5, 0]])
    assert CorpusBLEUMetric(pad_idx=0)(guess, truth) == 1
    assert CorpusBLEUMetric()(guess, truth) < 1


def test_sentences_shorter_than_four_words_can_be_perfect():
    assert CorpusBLEUMetric()(torch.tensor([[3, 4]]), torch.tensor([[3, 4]])) == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 20))
def test_bleu_does_not_depend_on_the_batch_size_and_takes_scores(in_batches, seed, items):
    source = torch.Generator().manual_seed(seed)
    truth = torch.randint(6, (items, 9), generator=source)
    guess = torch.where(torch.rand(items, 9, generator=source) < 0.3, 5, truth)
    scores = torch.nn.functional.one_hot(guess, 6).float()
    values = [in_batches(CorpusBLEUMetric(), scores, truth, size) for size in (1, 7, items)]
    assert values[0] == values[1] == values[2] == CorpusBLEUMetric()(guess, truth)


def test_bleu_without_words_has_no_value_and_without_matches_is_zero():
    metric = mk_metric(CorpusBLEUMetric)
    assert metric.name == "corpus_bleu"
    assert metric.value is None
    assert metric(torch.zeros(1, 4), torch.ones(1, 4)) == 0
    with pytest.raises(ValueError, match=r"\(3, 4\) and targets of shape \(2, 4\)"):
        metric.update(torch.zeros(3, 4), torch.zeros(2, 4))


class Loop:
    """What a training loop offers to a metric."""

    def __init__(self, pred, targ):
        self.xb, self.yb, self.pred = (pred,), (targ,), pred
        self.loss_func = torch.nn.functional.cross_entropy
        self.loss = self.loss_func(pred.flatten(0, -2), targ.flatten())


@pytest.mark.parametrize("size", [1, 7, 10])
def test_perplexity_is_the_exponential_of_the_mean_over_tokens(generator, size):
    pred = torch.randn(10, 5, 8, generator=generator)
    targ = torch.randint(8, (10, 5), generator=generator)
    want = math.exp(-pred.double().log_softmax(-1).gather(-1, targ[..., None]).mean().item())
    metric = mk_metric(perplexity)
    for start in range(0, 10, size):
        metric.accumulate(Loop(pred[start : start + size], targ[start : start + size]))
    assert metric.value == pytest.approx(want, rel=1e-6)
    assert perplexity(pred, targ) == pytest.approx(want, rel=1e-6)
    assert perplexity(pred.movedim(-1, 1), targ, axis=1) == pytest.approx(want, rel=1e-6)
    assert metric.name == "perplexity"


def test_perplexity_weighs_the_shorter_last_batch_of_a_language_model_by_its_tokens():
    metric = Perplexity()
    metric.update(torch.tensor(math.log(2.0)), torch.zeros(4, 30))
    metric.update(torch.tensor(math.log(8.0)), torch.zeros(4, 10))
    assert metric.value == pytest.approx(2**1.5)  # log 2 thirty times, log 8 ten times, of forty


def test_two_learners_do_not_share_the_module_level_perplexity():
    first, second = mk_metric(perplexity), mk_metric(perplexity)
    first.update(torch.tensor(1.0), torch.zeros(3))
    assert second.value is None
    assert perplexity.value is None
