"""Mirroring a batch, picture by picture."""

from typing import Any

import torch
from torch import Tensor

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.random import generator
from layerwise.core.tensors import TensorBase, TensorImageBase, dress
from layerwise.core.transforms.random import RandTransform

__all__ = ["Flip"]


class Flip(RandTransform):
    """Mirror each picture of a training batch, left for right, with probability `p`.

    Drawn for each picture of the batch, once for all members of a sample: a mask turns with its
    picture.

    Args:
        p: probability for each picture.

    Example:
        >>> x = TensorImageBase(torch.arange(4.0).view(2, 1, 1, 2))
        >>> Flip(p=1.0)(x, split_idx=0).flatten().tolist()
        [1.0, 0.0, 3.0, 2.0]
    """

    order: float = 30

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p=p)

    def before_call(self, b: Any, split_idx: int | None) -> None:  # noqa: ARG002 - p is per item
        """Draw which pictures of the batch turn."""
        first = next((x for x in _members(b) if isinstance(x, Tensor)), None)
        self.do = first is not None
        if first is not None:
            self._turned = torch.rand(len(first), generator=generator()) < self.p

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: TensorImageBase) -> TensorBase:
        plain = x.as_plain()
        turned = self._turned.to(plain.device).view(-1, *[1] * (plain.ndim - 1))
        return dress(torch.where(turned, plain.flip(-1), plain), x)


def _members(b: Any) -> tuple[Any, ...]:
    return b if isinstance(b, tuple) else (b,)
