"""Which token comes next: some are ruled out, of the others one is drawn.

Shapes: B rows, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Sampling", "draw_tokens"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Rules apply one after the other, in the order of the arguments; the likeliest token that is not
    banned is never ruled out.

    Args:
        banned: tokens that never come, such as the one for unknown words.
        no_repeat: of this many tokens in a row none comes twice; any may when None.
        temperature: scores are divided by it: below 1 likely tokens become likelier; at 0 the
            likeliest comes.
        top_k: only so many of the likeliest.
        top_p: only the likeliest that together have this probability (Holtzman et al., 2020).
        min_p: only those with this share of the probability of the likeliest (Nguyen et al., 2024).

    Raises:
        ValueError: for a number that makes no sense.

    Example:
        >>> scores = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
        >>> Sampling(top_k=2, banned=[3]).probabilities(scores, [[]]) > 0
        tensor([[False,  True,  True, False]])
    """

    banned: Collection[int] = ()
    no_repeat: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0, torch.inf), ("no_repeat", 1, torch.inf), ("top_k", 1, torch.inf),
            ("top_p", 0, 1), ("min_p", 0, 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                limits = f"from {low} on" if high == torch.inf else f"from {low} to {high}"
                raise ValueError(f"{name}={value}; give a number {limits}")

    def allowed(self, scores: Tensor, before: Sequence[Sequence[int]]) -> Tensor:
        """(B, V) scores, minus infinity for what is banned or would be a repetition.

        Args:
            scores: (B, V) of the next token.
            before: the tokens of each row up to here.

        Raises:
            ValueError: if all tokens are banned.
        """
        scores = scores.float().clone()
        banned = sorted(self.banned)
        if banned:
            scores[:, banned] = -torch.inf
            if len(set(banned)) == scores.shape[1]:
                raise ValueError("all tokens are banned; leave one that may come")
        if self.no_repeat is not None:
            for row, tokens in zip(scores, before, strict=True):
                repeated = _completions(tokens, self.no_repeat)
                kept = row.clone()
                row[repeated] = -torch.inf
                if row.isinf().all():  # there is nothing but repetition
                    row.copy_(kept)
        return scores

    def probabilities(self, scores: Tensor, before: Sequence[Sequence[int]]) -> Tensor:
        """(B, V) the probability of each token to be drawn."""
        scores = self.allowed(scores, before)
        if self.temperature == 0:
            return torch.nn.functional.one_hot(scores.argmax(1), scores.shape[1]).float()
        ordered, places = (scores / self.temperature).softmax(1).sort(1, descending=True)
        out = torch.zeros_like(ordered, dtype=torch.bool)
        if self.top_k is not None:
            out[:, self.top_k :] = True
        ordered = _renewed(ordered, out)
        if self.top_p is not None:
            out = ordered.cumsum(1) - ordered >= self.top_p
            ordered = _renewed(ordered, out)
        if self.min_p is not None:
            ordered = _renewed(ordered, ordered < self.min_p * ordered[:, :1])
        return torch.zeros_like(ordered).scatter_(1, places, ordered)


def _renewed(ordered: Tensor, out: Tensor) -> Tensor:
    """(B, V) without what is `out`, but for the first, with a sum of one again."""
    out[:, 0] = False
    kept = ordered.masked_fill(out, 0)
    return kept / kept.sum(1, keepdim=True)


def _completions(tokens: Sequence[int], size: int) -> list[int]:
    """The tokens that would make the last `size` ones a row that has been there before."""
    last = tuple(tokens[len(tokens) - size + 1 :])
    starts = range(len(tokens) - size + 1)
    return [tokens[i + size - 1] for i in starts if tuple(tokens[i : i + size - 1]) == last]


def draw_tokens(probabilities: Tensor, generators: Sequence[torch.Generator]) -> list[int]:
    """A token for each of the (B, V) rows, each row with a generator of its own.

    So a row draws the same whatever other rows are beside it, and on any device.
    """
    heights = probabilities.double().cpu().cumsum(1)
    marks = torch.stack([torch.rand((), generator=g, dtype=torch.float64) for g in generators])
    # Above nothing, so that a token of probability zero is not drawn by a mark of zero.
    marks = (marks * heights[:, -1]).clamp(min=torch.finfo(torch.float64).tiny)
    return torch.searchsorted(heights, marks[:, None]).flatten().tolist()
