"""`SeveralLosses`: one loss for several targets of different kinds.

Shapes: B rows, T targets, O outputs for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.nn.base_loss import BaseLoss
from layerwise.core.nn.module import Module

__all__ = ["SeveralLosses"]


class SeveralLosses(Module):
    """The sum of losses, each of its own outputs and its own column of the targets.

    What `y_block=[CategoryBlock(), RegressionBlock()]` trains with. A metric of one target takes
    its part: `lambda pred, targ: accuracy(*learn.loss_func.parts(pred, targ)[0])`.

    Args:
        losses: one for each target.
        sizes: outputs of each, side by side in this order.
        scales: factor of each loss in the sum; 1 when None. Where one is much larger than the
            others, as that of prices beside classes, the model learns little else.

    Raises:
        ValueError: if there are not as many sizes and scales as losses, or outputs do not fit.

    Example:
        >>> from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
        >>> loss = SeveralLosses([CrossEntropyLossFlat(), MSELossFlat()], [3, 1])
        >>> pred, targ = torch.zeros(2, 4), torch.tensor([[2.0, 1.0], [0.0, 1.0]])
        >>> loss(pred, targ), loss.decodes(loss.activation(pred)).shape
        (tensor(2.0986), torch.Size([2, 2]))
    """

    def __init__(
        self,
        losses: Sequence[BaseLoss],
        sizes: Sequence[int],
        scales: Sequence[float] | None = None,
    ) -> None:
        self.losses, self.sizes = nn.ModuleList(losses), list(sizes)
        self.scales = [1.0] * len(self.losses) if scales is None else list(scales)
        if not len(self.losses) == len(self.sizes) == len(self.scales):
            raise ValueError(
                f"{len(self.losses)} losses, {len(self.sizes)} sizes and {len(self.scales)} "
                "scales; give one of each for every target"
            )

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal loss."""
        return {"losses": list(self.losses), "sizes": self.sizes, "scales": self.scales}

    @property
    def reduction(self) -> str:
        """How the losses of the rows become one: "mean", "sum" or "none"; may be set."""
        return str(self.losses[0].reduction)

    @reduction.setter
    def reduction(self, value: str) -> None:
        for loss in self.losses:
            loss.reduction = value  # type: ignore[assignment]  # each is a BaseLoss

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """The loss of outputs (B, O) for targets (B, T), classes as their indices."""
        parts = zip(self.losses, self.parts(pred, targ), self.scales, strict=True)
        terms = [scale * loss(*part) for loss, part, scale in parts]
        return torch.stack(terms).sum(0)

    def parts(self, pred: Tensor, targ: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each target its outputs (B, size), and what they should be (B,)."""
        return list(zip(self._split(pred), targ.unbind(1), strict=True))

    def activation(self, x: Tensor) -> Tensor:
        """(B, O) predictions, each target's as its loss makes them: probabilities of classes."""
        return torch.cat([f.activation(part) for f, part in self._each(x)], 1)

    def decodes(self, x: Tensor) -> Tensor:
        """(B, T) values like the targets from predictions (B, O)."""
        return torch.stack([f.decodes(part).flatten().float() for f, part in self._each(x)], 1)

    def _each(self, x: Tensor) -> zip[tuple[Any, Tensor]]:
        return zip(self.losses, self._split(x), strict=True)

    def _split(self, pred: Tensor) -> tuple[Tensor, ...]:
        if pred.shape[1] != sum(self.sizes):
            raise ValueError(
                f"outputs of shape {tuple(pred.shape)} for targets that need {self.sizes} of them; "
                f"give the model n_out={sum(self.sizes)}"
            )
        return torch.split(pred, self.sizes, dim=1)
