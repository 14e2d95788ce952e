"""The loss for points, which leaves out those that are missing."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.core.nn.losses import MSELossFlat

__all__ = ["PointLossFlat"]


class PointLossFlat(MSELossFlat):
    """`MSELossFlat` over the coordinates that are known: a target that is NaN does not count.

    Where none is missing it is the same as `MSELossFlat`; where all are, it is 0.

    Args:
        axis: kept for losses that are exchanged for each other; no effect here.
        floatify: make targets floating point.
        reduction: "mean" over the known coordinates, "sum" or "none", where missing ones are 0.

    Example:
        >>> seen = torch.tensor([[1.0, 3.0], [float("nan"), float("nan")]])
        >>> PointLossFlat()(torch.zeros(2, 2), seen)
        tensor(5.)
    """

    def forward(self, inp: Tensor, targ: Tensor) -> Tensor:
        """The loss of (B, 2N) or (B, N, 2) outputs for (B, N, 2) points."""
        missing = targ.isnan().reshape(inp.shape) if targ.numel() == inp.numel() else None
        if missing is None:
            return super().forward(inp, targ)  # says what does not fit
        # The output itself as target: no difference, no gradient, and shapes that never change.
        precise = torch.promote_types(inp.dtype, torch.float32)  # half precision is for outputs
        known = torch.where(missing, inp.detach().to(precise), targ.reshape(inp.shape).to(precise))
        inp = torch.where(missing, inp.detach(), inp)
        loss = super().forward(inp, known)
        if self.reduction != "mean":
            return loss
        count = missing.numel() - missing.sum()
        return loss * missing.numel() / count.clamp(min=1)
