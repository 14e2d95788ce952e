"""The likeliest continuation of a text, searched for with a beam.

Shapes: R rows kept, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from layerwise.text.sampling import Sampling
from layerwise.text.stepping import next_scores, reading

__all__ = ["Hypothesis", "beam_search"]


class Hypothesis(NamedTuple):
    """A continuation and the sum of the logarithms of its probabilities."""

    log_probability: float
    tokens: list[int]


def beam_search(
    model: nn.Module,
    prompt: Sequence[int],
    n: int,
    beam: int,
    *,
    stop: Collection[int] = (),
    banned: Collection[int] = (),
    no_repeat: int | None = None,
) -> list[Hypothesis]:
    """The likeliest continuations that are found, the best first.

    After each token only the `beam` likeliest beginnings are followed further. With a beam as wide
    as there are beginnings, the search is exhaustive.

    Args:
        model: of `get_language_model`.
        prompt: tokens to go on from.
        n: tokens to add at most.
        beam: beginnings that are followed.
        stop: tokens that end a text; the probability of the end counts, the token is left out.
        banned: tokens that never come.
        no_repeat: of this many tokens in a row none comes twice.

    Raises:
        ValueError: if `beam` or `n` is less than one.

    Example:
        >>> from layerwise.text.models.awd_lstm import AWD_LSTM
        >>> from layerwise.text.models.language_model import get_language_model
        >>> model = get_language_model(AWD_LSTM, 20, {"emb_sz": 4, "n_hid": 6})
        >>> best, *others = beam_search(model, [2, 5], 4, beam=3)
        >>> len(best.tokens), len(others), best >= others[0]
        (4, 2, True)
    """
    if beam < 1 or n < 1:
        raise ValueError(f"beam={beam} and n={n}; give numbers from 1 on")
    rules = Sampling(banned=banned, no_repeat=no_repeat)
    finished: list[Hypothesis] = []
    open_: list[Hypothesis] = [Hypothesis(0.0, [])]
    with reading(model) as encoder:
        rows = [list(prompt)]
        for _ in range(n):
            logs = next_scores(model, rows).float().log_softmax(1)
            logs = rules.allowed(logs, [[*prompt, *each.tokens] for each in open_])
            open_, parents = _extended(open_, logs, beam, stop, finished)
            best = max(finished, default=None)
            if not open_ or (best is not None and best.log_probability >= open_[0].log_probability):
                break
            encoder.select_rows(torch.tensor(parents, device=logs.device))
            rows = [each.tokens[-1:] for each in open_]
    return sorted([*finished, *open_], key=lambda each: -each.log_probability)[:beam]


def _extended(
    open_: list[Hypothesis],
    logs: Tensor,
    beam: int,
    stop: Collection[int],
    finished: list[Hypothesis],
) -> tuple[list[Hypothesis], list[int]]:
    """The best beginnings with one token more, and the row of each; those that end go elsewhere."""
    sums = torch.tensor([each.log_probability for each in open_], dtype=torch.float64)
    totals = (sums[:, None] + logs.double().cpu()).flatten()  # (R, V) -> (R * V,)
    found = totals.topk(min(len(totals), beam + len(open_) * len(stop)))
    longer: list[Hypothesis] = []
    parents: list[int] = []
    for total, place in zip(found.values.tolist(), found.indices.tolist(), strict=True):
        parent, token = divmod(place, logs.shape[1])
        if total == -torch.inf or len(longer) == beam:
            break
        if token in stop:
            finished.append(Hypothesis(total, open_[parent].tokens))
        else:
            longer.append(Hypothesis(total, [*open_[parent].tokens, token]))
            parents.append(parent)
    return longer, parents
