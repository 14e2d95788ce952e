"""`GradientClip`: a largest norm for the gradient of a step."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.train.callback import Callback

__all__ = ["GradientClip"]


class GradientClip(Callback):
    """Scales the gradient of all parameters together down to a largest norm (Pascanu et al., 2013).

    Once a step, on the whole gradient: after a gradient scaler has divided by its scale, and after
    the last batch of a group that is accumulated. Changes gradients; logs `grad_norm`, what the
    norm was before.

    Args:
        max_norm: the largest norm.
        norm_type: the order of the norm; `float("inf")` for the largest entry.

    Attributes:
        norm: () the norm at the last step, before it was clipped; None before the first.

    Raises:
        ValueError: if `max_norm` is not above 0.

    Example:
        >>> GradientClip(0.5).max_norm
        0.5
    """

    order: ClassVar[float] = 20
    after: ClassVar = (GradientAccumulation, MixedPrecision)
    run_valid = False

    def __init__(self, max_norm: float = 1.0, norm_type: float = 2.0) -> None:
        super().__init__()
        if not max_norm > 0:
            raise ValueError(f"max_norm={max_norm}; give the largest norm to allow, above 0")
        self.max_norm, self.norm_type = max_norm, norm_type
        self.norm: Tensor | None = None

    def before_step(self) -> None:
        """Clip."""
        learn = self.learn
        self.norm = learn.strategy.clip_grad_norm(learn, self.max_norm, self.norm_type)
        learn.log("grad_norm", self.norm)
