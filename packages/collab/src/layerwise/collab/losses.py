"""Losses of implicit feedback: what a user took should be ranked above what others took.

Shapes: B batch, C candidates of a row. Targets are 1 for what was taken, 0 for what was not, and
negative for a candidate that does not count.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor

from layerwise.core.nn.base_loss import checked_reduction, reduced
from layerwise.core.nn.module import Module

__all__ = ["BPRLoss", "SampledSoftmaxLoss"]


class BPRLoss(Module):
    """Bayesian personalised ranking: -log sigmoid(taken - not taken) (Rendle et al., 2009).

    The mean over all pairs of a candidate that was taken and one that was not, for each row.

    Args:
        reduction: "mean", "sum" or "none" over rows.

    Example:
        >>> BPRLoss()(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
        tensor(0.1269)
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = checked_reduction(reduction)

    def forward(self, inp: Tensor, targ: Tensor) -> Tensor:
        """The loss of scores for what was taken.

        Args:
            inp: (B, C) scores.
            targ: (B, C) 1 for taken, 0 for not, negative for what does not count.
        """
        check_candidates("BPRLoss", inp, targ)
        rows, columns = (targ > 0).nonzero(as_tuple=True)  # (P,) of all that was taken
        others = (targ == 0)[rows]  # (P, C)
        margins = inp[rows, columns, None] - inp[rows]
        sums = torch.where(others, F.softplus(-margins), 0).sum(1)
        pairs = others.sum(1)
        losses = torch.zeros_like(inp[:, 0]).index_add(0, rows, sums)
        counts = torch.zeros_like(inp[:, 0]).index_add(0, rows, pairs.to(inp.dtype))
        return reduced(losses / counts.clamp(min=1), self.reduction)


class SampledSoftmaxLoss(Module):
    """Cross entropy over a sample of the items, as if it were over all (Yi et al., 2019).

    Popular items are in more samples; from each score the logarithm of the probability to be
    sampled is subtracted, so that they are not pushed down for it. With several taken
    candidates in a row, the mean of theirs.

    Args:
        temperature: scores are divided by it; smaller ones let the highest scores decide more.
        reduction: "mean", "sum" or "none" over rows.

    Raises:
        ValueError: if `temperature` is not positive.

    Example:
        >>> loss = SampledSoftmaxLoss()
        >>> loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -99.0]]))
        tensor(99.)
    """

    def __init__(self, temperature: float = 1.0, reduction: str = "mean") -> None:
        if not temperature > 0:
            raise ValueError(f"temperature={temperature}; give a positive number")
        self.temperature, self.reduction = temperature, checked_reduction(reduction)

    def forward(self, inp: Tensor, targ: Tensor, log_q: Tensor | None = None) -> Tensor:
        """The loss of scores for what was taken.

        Args:
            inp: (B, C) scores.
            targ: (B, C) 1 for taken, 0 for not, negative for what does not count.
            log_q: (B, C) logarithm of the probability to be sampled; equal for all when None.
        """
        check_candidates("SampledSoftmaxLoss", inp, targ)
        logits = inp / self.temperature
        if log_q is not None:
            logits = logits - log_q
        logits = logits.masked_fill(targ < 0, -torch.inf)
        taken = targ > 0
        losses = torch.where(taken, -logits.log_softmax(1), 0).sum(1)
        return reduced(losses / taken.sum(1).clamp(min=1), self.reduction)


def check_candidates(caller: str, inp: Tensor, targ: Tensor) -> None:
    """Nothing, if scores and targets have a row of candidates for each user."""
    if inp.ndim != 2 or inp.shape != targ.shape:
        raise ValueError(
            f"{caller} compares the candidates of each row, and got scores of shape "
            f"{tuple(inp.shape)} with targets of {tuple(targ.shape)}; both are (B, C), as loaders "
            "with negatives= make them"
        )
