"""`FoundBoxes`: predicted boxes that know their scores."""

from typing import Any

from torch import Tensor

from layerwise.core.tensors import TensorBase
from layerwise.vision.coords import TensorBBox

__all__ = ["FoundBoxes"]


class FoundBoxes(TensorBBox):
    """(N, 4) or (B, N, 4) boxes with the attribute `scores`, (N,) or (B, N).

    A sample of a batch has the scores of that sample.

    Example:
        >>> import torch
        >>> boxes = FoundBoxes(torch.zeros(2, 1, 4), scores=torch.tensor([[0.5], [0.75]]))
        >>> boxes[1].scores
        tensor([0.7500])
    """

    scores: Tensor

    def __getitem__(self, at: Any) -> Any:
        """What indexing gives, with the scores of the same place."""
        result = super().__getitem__(at)
        scores = getattr(self, "scores", None)
        if isinstance(result, FoundBoxes) and scores is not None and _is_of_rows(at):
            result.scores = scores[at.as_plain() if isinstance(at, TensorBase) else at]
        return result


def _is_of_rows(at: Any) -> bool:
    """Whether an index chooses pictures or boxes, and not coordinates."""
    return not isinstance(at, tuple) and at is not Ellipsis and at is not None
