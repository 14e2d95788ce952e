"""`RandTransform`: a transform that draws before it acts, once for all members of a tuple."""

from __future__ import annotations

from typing import Any

from layerwise.core.random import uniform
from layerwise.core.transforms.transform import Transform

__all__ = ["RandTransform"]


class RandTransform(Transform):
    """A transform that acts with probability `p`, on the training split alone.

    `before_call` draws whatever is random, once per call, so that a picture and its mask move as
    one. Draws come from `layerwise.core.random`, so that in a loader they depend on (run seed,
    epoch, index) alone.

    Args:
        p: probability that it acts at all.

    Example:
        >>> class AddNoise(RandTransform):
        ...     def before_call(self, b, split_idx):
        ...         super().before_call(b, split_idx)
        ...         self.by = 3
        ...     def encodes(self, x: int): return x + self.by
        >>> AddNoise(p=1.0)(4, split_idx=0), AddNoise(p=1.0)(4, split_idx=1)
        (7, 4)
    """

    split_idx: int | None = 0
    do: bool = True

    def __init__(self, p: float = 1.0, *, order: float | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p={p} is no probability; give a number from 0 to 1")
        super().__init__(order=order)
        self.p = p

    def before_call(self, b: Any, split_idx: int | None) -> None:  # noqa: ARG002 - for subclasses
        """Draw for one call. `b` is the item, tuple or batch; sets `self.do`."""
        self.do = self.p == 1.0 or uniform() < self.p

    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:
        if self.split_idx is not None and split_idx != self.split_idx:
            return x
        if part == "encodes":
            self.before_call(x, split_idx)
            if not self.do:
                return x
        return self._over_tuple(part, x, kwargs)
