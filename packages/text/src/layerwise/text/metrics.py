"""Metrics of text that core has not: perplexity and BLEU are in `layerwise.core.metrics.text`."""

from __future__ import annotations

from torch import Tensor

from layerwise.core.arrays import flatten_check
from layerwise.core.metrics.pooled import pooled
from layerwise.core.metrics.sizes import plain_tensor

__all__ = ["token_accuracy"]


@pooled(finish=lambda share: share)
def token_accuracy(
    inp: Tensor, targ: Tensor, pad_idx: int = 1, axis: int = -1
) -> tuple[Tensor, Tensor]:
    """() the share of tokens whose largest score is right, padding left out.

    As a metric, of all tokens of the set; nan if there are none.

    Args:
        inp: (B, T, V) scores of words, or of classes of tokens.
        targ: (B, T) the right ones.
        pad_idx: a target that does not count; -100 where labels of tokens are ignored by that.
        axis: where the scores are.

    Raises:
        ValueError: if there is not one target for each token.

    Example:
        >>> import torch
        >>> scores = torch.eye(4)[None, [2, 3, 0]]
        >>> token_accuracy(scores, torch.tensor([[2, 2, 1]]))
        tensor(0.5000)
    """
    decided, true = flatten_check(plain_tensor(inp).argmax(dim=axis), targ)
    counted = true != pad_idx
    return ((decided == true) & counted).sum(), counted.sum()
