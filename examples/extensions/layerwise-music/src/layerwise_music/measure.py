"""What can be counted of a score: its key, notes that belong to it, bars that add up.

And what a model has to be better than: the perplexity of counts of tokens and of pairs of tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch

from layerwise_music.picture import pitch_name
from layerwise_music.score import Score

__all__ = ["Key", "key_name", "key_of", "ngram_perplexity", "share_in_key", "share_of_whole_bars"]

Key = tuple[int, str]
"""The tonic, 0 (C) to 11 (B), and "major" or "minor"."""

# How well each degree fits a key, as listeners judged it (Krumhansl and Kessler, 1982).
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_SCALES = {
    "major": frozenset({0, 2, 4, 5, 7, 9, 11}),
    "minor": frozenset({0, 2, 3, 5, 7, 8, 10, 11}),  # natural, and the leading note
}


def key_of(score: Score) -> Key:
    """The key that a score is most likely in, by how long each pitch class sounds in it.

    The key whose profile correlates best (Krumhansl and Schmuckler; Krumhansl, 1990).

    Raises:
        ValueError: for a score without notes.

    Example:
        >>> scale = [60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60]
        >>> key_of(Score([(i, 1, pitch) for i, pitch in enumerate(scale)]))
        (0, 'major')
    """
    if not score.notes:
        raise ValueError("a score without notes is in no key")
    heard = torch.zeros(12, dtype=torch.float64)
    for note in score.notes:
        heard[note.pitch % 12] += note.length
    fits: dict[Key, float] = {}
    for mode, profile in _PROFILES.items():
        weights = torch.tensor(profile, dtype=torch.float64)
        for tonic in range(12):
            both = torch.stack([heard, weights.roll(tonic)])
            both = both - both.mean(1, keepdim=True)
            # Where all sound equally long nothing correlates, and any key fits as well.
            norms = both.norm(dim=1).clamp_min(1e-12)
            fits[tonic, mode] = float((both[0] * both[1]).sum() / (norms[0] * norms[1]))
    return max(fits, key=lambda key: fits[key])


def key_name(key: Key) -> str:
    """The name of a key.

    Example:
        >>> key_name((7, "major"))
        'G major'
    """
    return f"{pitch_name(key[0])[:-2]} {key[1]}"


def share_in_key(score: Score, key: Key) -> float:
    """The share of notes that belong to the scale of a key; of minor with the leading note.

    Raises:
        ValueError: for a score without notes, or a key that is none.

    Example:
        >>> share_in_key(Score([(0, 1, 60), (1, 1, 61)]), (0, "major"))
        0.5
    """
    tonic, mode = key
    if mode not in _SCALES or not score.notes:
        raise ValueError(f"the key {key} and {len(score.notes)} notes; give a key such as key_of's")
    return sum((n.pitch - tonic) % 12 in _SCALES[mode] for n in score.notes) / len(score.notes)


def share_of_whole_bars(score: Score) -> float:
    """The share of bars that are as long as the meter says; first and last may be cut, so not they.

    Raises:
        ValueError: if there is no bar but these.

    Example:
        >>> share_of_whole_bars(Score([], bars=[0, 1, 5, 9, 12], length=14, steps=1))
        0.6666666666666666
    """
    lengths = [stop - start for start, stop in pairwise(score.bars[1:])]
    if not lengths:
        raise ValueError(f"a score of {len(score.bars)} bars; give one of three or more")
    return sum(length == score.bar_length for length in lengths) / len(lengths)


def ngram_perplexity(
    train: Iterable[Sequence[int]],
    valid: Iterable[Sequence[int]],
    vocab_size: int,
    *,
    context: int = 1,
    added: float = 0.1,
) -> float:
    """The perplexity of documents by how often tokens followed each other in others.

    Args:
        train: documents that are counted.
        valid: documents whose perplexity is measured.
        vocab_size: of the vocabulary.
        context: tokens that are looked back at; 0 counts tokens alone.
        added: to each count, for what was never seen.

    Example:
        >>> round(ngram_perplexity([[0, 1] * 50], [[0, 1] * 5], 2, context=0), 2)
        2.0
    """
    pairs: Counter[tuple[int, ...]] = Counter()
    before: Counter[tuple[int, ...]] = Counter()
    for document in train:
        for i in range(context, len(document)):
            pairs[tuple(document[i - context : i + 1])] += 1
            before[tuple(document[i - context : i])] += 1
    total, count = 0.0, 0
    for document in valid:
        for i in range(context, len(document)):
            seen = before[tuple(document[i - context : i])] + added * vocab_size
            total -= math.log((pairs[tuple(document[i - context : i + 1])] + added) / seen)
            count += 1
    return math.exp(total / count)
