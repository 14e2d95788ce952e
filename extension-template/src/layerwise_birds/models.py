"""`song_model`: a small network over time."""

from __future__ import annotations

from layerwise.core.nn.plumbing import Flatten
from layerwise.core.settings import built
from torch import nn

__all__ = ["song_model"]

# B: songs of a batch. T: steps of a song. K: outputs.


@built  # so that an export can make it again
def song_model(n_out: int, width: int = 16) -> nn.Module:
    """A network from songs (B, T) to scores (B, K), for any number of steps from 9 on.

    Args:
        n_out: outputs, K.
        width: channels of the convolutions.

    Example:
        >>> import torch
        >>> song_model(3)(torch.zeros(2, 20)).shape
        torch.Size([2, 3])
    """
    return nn.Sequential(
        nn.Unflatten(-1, (1, -1)),  # (B, 1, T)
        nn.Conv1d(1, width, 5), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Conv1d(width, width, 5), nn.BatchNorm1d(width), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), Flatten(), nn.Linear(width, n_out),
    )  # fmt: skip
