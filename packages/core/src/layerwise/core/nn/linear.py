"""The fully connected block: normalisation, dropout, linear layer, activation."""

from __future__ import annotations

from torch import nn

from layerwise.core.nn.norm import BatchNorm
from layerwise.core.settings import RemembersCall

__all__ = ["LinBnDrop"]


class LinBnDrop(RemembersCall, nn.Sequential):
    """Batch normalisation, dropout and a linear layer: (B, n_in) to (B, n_out).

    Args:
        n_in: features of the input.
        n_out: features of the output.
        bn: whether to normalise; the linear layer then has no bias.
        p: share of features that dropout hides; no dropout if 0.
        act: activation after the linear layer.
        lin_first: linear layer and activation first, then normalisation and dropout.

    Example:
        >>> [type(layer).__name__ for layer in LinBnDrop(4, 2, p=0.1, act=nn.ReLU())]
        ['BatchNorm1d', 'Dropout', 'Linear', 'ReLU']
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bn: bool = True,
        p: float = 0.0,
        act: nn.Module | None = None,
        lin_first: bool = False,
    ) -> None:
        norm: list[nn.Module] = [BatchNorm(n_out if lin_first else n_in, ndim=1)] if bn else []
        if p:
            norm.append(nn.Dropout(p))
        linear: list[nn.Module] = [nn.Linear(n_in, n_out, bias=not bn)]
        if act is not None:
            linear.append(act)
        super().__init__(*(linear + norm if lin_first else norm + linear))
