"""M5: a convolutional net on waveforms.

Shapes: B batch, C channels, N samples, T steps behind a layer, H features.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.audio.models.masked import Inputs, masked_mean, split_lengths
from layerwise.core.nn.module import Module

__all__ = ["M5"]


class _Step(Module):
    """Convolution without padding, normalisation, activation, and the largest of every four."""

    def __init__(self, n_in: int, n_out: int, ks: int, stride: int = 1) -> None:
        self.ks, self.stride = ks, stride
        self.conv = nn.Conv1d(n_in, n_out, ks, stride, bias=False)
        self.norm = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        out = F.max_pool1d(F.relu(self.norm(self.conv(x))), 4)
        # No padding: what a window saw is of the clip alone, up to a step that can be counted.
        if lengths is not None:
            lengths = (lengths - self.ks).div(self.stride, rounding_mode="floor") + 1
            lengths = lengths.div(4, rounding_mode="floor")
        return out, lengths


class M5(Module):
    """(B, C, N) waveforms, with lengths or without, to (B, n_out): the net M5 of Dai et al. (2016).

    "Very Deep Convolutional Neural Networks for Raw Waveforms": a first window of 80 samples, which
    at 8 kHz is 10 ms, three more layers, and the mean over time. Convolutions are not padded.
    Dropout in front of the last layer is ours. Clips of less than 1,772 samples, which would leave
    nothing to average, are filled up to that.

    Args:
        n_out: outputs.
        n_in: C, 1 for mono.
        width: H of the first two layers; 128 as in the paper.
        ks: samples of the first window: 80 as in the paper; 160 is 10 ms at 16 kHz.
        stride: step of the first window; a power of two up to 16 keeps the cost in bounds.
        p: share of features that dropout hides before the last layer.

    Example:
        >>> import torch
        >>> net = M5(10, width=8).eval()
        >>> net(torch.zeros(2, 1, 8000)).shape, net(torch.zeros(1, 1, 3)).shape
        (torch.Size([2, 10]), torch.Size([1, 10]))
    """

    takes: ClassVar[str] = "signals"
    takes_lengths: ClassVar[bool] = True

    def __init__(
        self,
        n_out: int,
        n_in: int = 1,
        width: int = 128,
        ks: int = 80,
        stride: int = 4,
        p: float = 0.2,
    ) -> None:
        steps = [
            _Step(n_in, width, ks, stride),
            _Step(width, width, 3),
            _Step(width, 2 * width, 3),
            _Step(2 * width, 4 * width, 3),
        ]
        self.steps = nn.ModuleList(steps)
        self.drop = nn.Dropout(p)
        self.linear = nn.Linear(4 * width, n_out)
        self.shortest = _shortest(steps)

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, n_out) of (B, C, N), or of that and the (B,) lengths of the items in samples."""
        x, lengths = split_lengths(inputs)
        x = F.pad(x, (0, max(0, self.shortest - x.shape[-1])))
        if lengths is not None:
            lengths = lengths.clamp(min=self.shortest)
        for step in self.steps:
            x, lengths = step(x, lengths)
        out: Tensor = self.linear(self.drop(masked_mean(x, lengths)))
        return out


def _shortest(steps: list[_Step]) -> int:
    """How many samples leave one step behind all layers."""
    size = 1
    for step in reversed(steps):
        size = (4 * size - 1) * step.stride + step.ks
    return size
