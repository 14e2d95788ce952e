"""Metrics of sequences of tokens: perplexity of a language model, BLEU of a translation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch.nn.functional as F  # noqa: N812 - the name torch users know

from layerwise.core.arrays import flatten_check
from layerwise.core.metrics.metric import AvgLoss, Metric
from layerwise.core.metrics.sizes import count_elements, plain_tensor, wide_dtype

__all__ = ["CorpusBLEUMetric", "Perplexity", "perplexity"]

# N sentences, L tokens, V words of the vocabulary.

_LONGEST = 4  # words in an n-gram, as in the paper


class Perplexity(AvgLoss):
    """The exponential of the mean cross entropy: how many tokens the model hesitates between.

    Follows `learn.loss`, which has to be a mean over tokens; each batch weighs as many as it has
    tokens. Called with (inp, targ) it computes the cross entropy itself.

    Example:
        >>> import torch
        >>> round(perplexity(torch.zeros(2, 3, 10), torch.zeros(2, 3, dtype=torch.long)), 4)
        10.0
    """

    _name = "perplexity"

    def update(self, pred: Any, *targets: Any) -> None:
        """Add the loss `pred` of the batch with these `targets`."""
        self._add(pred.mean() if pred.dim() else pred, count_elements(targets))

    @property
    def value(self) -> float | None:
        """The exponential of the mean loss."""
        if self._total is None:
            return None
        return math.exp(self._total.item() / self._weight)

    def __call__(self, pred: Any, *targets: Any, axis: int = -1) -> float:
        """The perplexity of class scores (classes along `axis`) for the class indices `targets`."""
        scores = plain_tensor(pred.detach()).movedim(axis, -1)
        _, true = flatten_check(scores[..., 0], targets[0])
        losses = F.cross_entropy(scores.flatten(0, -2).float(), true.long(), reduction="none")
        return math.exp(losses.mean(dtype=wide_dtype(losses.device)).item())


perplexity = Perplexity()
"""`Perplexity`, ready to be passed as a metric."""


class CorpusBLEUMetric(Metric):
    """BLEU over the whole corpus: shared n-grams up to four words (Papineni et al. 2002).

    Geometric mean of the four precisions, times a penalty where predictions are shorter than
    targets.
    A precision without any match counts as 1/2, 1/4, ... of one match, so that a short corpus
    does not score 0 (mteval-v13a, Chen and Cherry 2014, method 3). Keeps ten numbers.

    Args:
        vocab_sz: kept from fastai, where it packs n-grams into one number; counts are exact here
            for any vocabulary, so that it has no effect.
        axis: where the words of the vocabulary are in the predictions.
        pad_idx: tokens that are no words, left out on both sides; none when None.

    Example:
        >>> import torch
        >>> words = torch.tensor([[1, 2, 3, 4, 5]])
        >>> CorpusBLEUMetric()(words, words)
        1.0
    """

    merges: ClassVar[Mapping[str, str]] = {
        "_pred_length": "sum", "_targ_length": "sum", "_matches": "sum", "_possible": "sum",
    }  # fmt: skip

    def __init__(self, vocab_sz: int = 5000, axis: int = -1, *, pad_idx: int | None = None) -> None:
        self.vocab_sz, self.axis, self.pad_idx = vocab_sz, axis, pad_idx
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._pred_length = self._targ_length = 0
        self._matches = [0] * _LONGEST
        self._possible = [0] * _LONGEST

    def update(self, pred: Any, *targets: Any) -> None:
        """Count the n-grams of one batch.

        Args:
            pred: (N, L, V) scores, or (N, L) tokens as a generator returns them.
            targets: first the (N, M) tokens.

        Raises:
            ValueError: if predictions or targets are of another shape.
        """
        words, true = plain_tensor(pred), plain_tensor(targets[0])
        words = words.argmax(dim=self.axis) if words.dim() > true.dim() else words
        if true.dim() != 2 or words.dim() != 2 or len(words) != len(true):
            raise ValueError(
                f"CorpusBLEUMetric got predictions of shape {tuple(pred.shape)} and targets of "
                f"shape {tuple(true.shape)}; give (N, L, V) scores or (N, L) tokens, and (N, M) "
                "tokens"
            )
        for guess, truth in zip(words.tolist(), true.tolist(), strict=True):
            self._add_sentence(self._without_padding(guess), self._without_padding(truth))

    def _without_padding(self, tokens: list[int]) -> list[int]:
        return tokens if self.pad_idx is None else [t for t in tokens if t != self.pad_idx]

    def _add_sentence(self, guess: list[int], truth: list[int]) -> None:
        self._pred_length += len(guess)
        self._targ_length += len(truth)
        for size in range(1, _LONGEST + 1):
            found = _ngrams(guess, size)
            self._matches[size - 1] += (found & _ngrams(truth, size)).total()
            self._possible[size - 1] += found.total()

    @property
    def value(self) -> float | None:
        """The score, 0 to 1; 0 when no word matches, None when there were no words."""
        if not self._pred_length:
            return 0.0 if self._targ_length else None
        if not self._matches[0]:
            return 0.0
        # Sentences of three words have no n-grams of four: their precision says nothing.
        sizes = [i for i in range(_LONGEST) if self._possible[i]]
        share, logs = 1.0, 0.0
        for i in sizes:
            if not self._matches[i]:
                share /= 2
            logs += math.log((self._matches[i] or share) / self._possible[i])
        penalty = min(0.0, 1 - self._targ_length / self._pred_length)
        return math.exp(penalty + logs / len(sizes))


def _ngrams(tokens: Sequence[int], size: int) -> Counter[tuple[int, ...]]:
    """How often each run of `size` tokens occurs."""
    return Counter(zip(*(tokens[start:] for start in range(size)), strict=False))
