"""Metrics of tokens, by hand."""

import math

import pytest
import torch

from layerwise.core.metrics import CorpusBLEUMetric, Perplexity
from layerwise.text.metrics import token_accuracy


def test_padding_does_not_count():
    targets = torch.tensor([[4, 2, 1, 1], [3, 3, 3, 1]])
    scores = torch.nn.functional.one_hot(torch.tensor([[4, 0, 1, 1], [3, 3, 0, 0]]), 5).float()
    assert token_accuracy(scores, targets).item() == pytest.approx(3 / 5)
    ignored = targets.masked_fill(targets == 1, -100)
    assert token_accuracy(scores, ignored, pad_idx=-100).item() == pytest.approx(3 / 5)
    assert math.isnan(token_accuracy(scores, torch.ones_like(targets)).item())


def test_perplexity_of_a_model_that_knows_nothing_is_the_vocabulary():
    assert Perplexity()(torch.zeros(2, 3, 50), torch.ones(2, 3).long()) == pytest.approx(50)


def test_bleu_by_hand():
    # Of six words five are right; pairs 4 of 5, triples 3 of 4, fours 2 of 3.
    guess, truth = torch.tensor([[1, 2, 3, 4, 5, 9]]), torch.tensor([[1, 2, 3, 4, 5, 6]])
    expected = (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert CorpusBLEUMetric()(guess, truth) == pytest.approx(expected)
