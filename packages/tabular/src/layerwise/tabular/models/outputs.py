"""What follows the last linear layer: outputs squashed into a range, or on the scale of targets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from layerwise.core.nn.activations import SigmoidRange
from layerwise.core.nn.module import Module

__all__ = ["Rescale"]

Range = tuple[float, float]
Stats = tuple[Sequence[float], Sequence[float]]


class Rescale(Module):
    """Outputs (B, N) around 0 to the size of the targets: `x * std + mean`.

    Without it, a net for prices in dollars spends its first epochs on the way to the mean price.

    Args:
        means: of the targets, N of them.
        stds: likewise; 0, of targets that are all the same, counts as 1.

    Raises:
        ValueError: if there are not as many of one as of the other.

    Example:
        >>> Rescale([100.0], [20.0])(torch.tensor([[-1.0], [0.5]])).tolist()
        [[80.0], [110.0]]
    """

    mean: Tensor
    std: Tensor

    def __init__(self, means: Sequence[float], stds: Sequence[float]) -> None:
        if len(means) != len(stds):
            raise ValueError(f"{len(means)} means and {len(stds)} stds; give one of each an output")
        self.register_buffer("mean", torch.tensor([float(m) for m in means]))
        self.register_buffer("std", torch.tensor([float(s) or 1.0 for s in stds]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N) in the same shape."""
        return x * self.std + self.mean


def scaled_outputs(out_sz: int, y_range: Range | None, y_stats: Stats | None) -> list[nn.Module]:
    """What follows a layer of `out_sz` outputs, as models are told: a range, a scale, or nothing.

    Raises:
        ValueError: if both are given, or the scale is of another number of outputs.
    """
    if y_range is not None and y_stats is not None:
        raise ValueError("y_range squashes outputs and y_stats scales them; give one of them")
    if y_range is not None:
        return [SigmoidRange(*y_range)]
    if y_stats is None:
        return []
    if len(y_stats[0]) != out_sz:
        raise ValueError(f"y_stats of {len(y_stats[0])} targets for {out_sz} outputs")
    return [Rescale(*y_stats)]
