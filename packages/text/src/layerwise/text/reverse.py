"""`ReverseText`: texts read from their end, for models that read backwards."""

from __future__ import annotations

from layerwise.core.tensors import dress
from layerwise.core.transforms.transform import Transform
from layerwise.text.types import TensorText

__all__ = ["ReverseText"]


class ReverseText(Transform):
    """Token numbers in reverse; decoding puts them back in the order of reading.

    Example:
        >>> turn = ReverseText()
        >>> turn(TensorText([2, 8, 9])), turn.decode(TensorText([9, 8, 2]))
        (TensorText([9, 8, 2]), TensorText([2, 8, 9]))
    """

    order: float = 1

    def encodes(self, x: TensorText) -> TensorText:
        """(T,) last token first."""
        return dress(x.as_plain().flip(0), x)

    def decodes(self, x: TensorText) -> TensorText:
        """(T,) first token first."""
        return dress(x.as_plain().flip(0), x)
