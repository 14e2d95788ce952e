"""Several losses in one step: their sum, and which optimizer each of them trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.optim.several import Optimizers

__all__ = ["PartedLoss"]


class PartedLoss:
    """Losses by name, and their sum, which callbacks may scale like any loss.

    With several optimizers (`Optimizers`), a loss with the name of one of them gives gradients to
    the parameters of that one alone, whatever else it was computed from; the other losses give
    gradients to all. With one optimizer only the sum counts.

    Attributes:
        parts: the losses, with their graphs.
        total: () their sum, which the engine calls backward on.

    Args:
        parts: the losses.
        opt: the optimizer in use; None outside of training.

    Example:
        >>> weight = torch.ones(1, requires_grad=True)
        >>> loss = PartedLoss({"fit": 2 * weight.sum(), "decay": weight.sum()}, None)
        >>> loss.total.item()
        3.0
    """

    def __init__(self, parts: Mapping[str, Tensor], opt: BaseOptimizer | None) -> None:
        if not parts:
            raise ValueError("the loss function gave an empty mapping; it needs at least one loss")
        self.parts = dict(parts)
        self._opt = opt if isinstance(opt, Optimizers) else None
        # What callbacks do to the sum reaches each part as the gradient of its stand-in.
        self._stand_ins: dict[str, Tensor] = {}
        if self._opt is not None:
            self._stand_ins = {
                name: part.detach().requires_grad_() for name, part in self.parts.items()
            }
        terms = list((self._stand_ins or self.parts).values())
        self.total: Tensor = torch.stack(terms).sum(0) if len(terms) > 1 else terms[0] * 1

    @property
    def is_parted(self) -> bool:
        """Whether losses go back one after another, each to its own parameters."""
        return bool(self._stand_ins)

    def backward(self) -> None:
        """Go on from the stand-ins, once `total` was gone back from: each part to its own."""
        names = list(self._stand_ins)
        for name in names:
            assert self._opt is not None  # noqa: S101 - for the type checker: there are stand-ins
            self.parts[name].backward(  # type: ignore[no-untyped-call]  # torch does not say
                gradient=self._stand_ins[name].grad,
                inputs=self._opt.trained_by(name),
                retain_graph=name != names[-1],
            )
