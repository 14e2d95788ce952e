"""CRNN: convolutions over a spectrogram, then a recurrent layer over time.

Shapes: B batch, C channels, F frequencies, T frames, H features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layerwise.audio.models.masked import Inputs, masked_max, masked_mean, split_lengths, with_rows
from layerwise.audio.models.resnet import ConvOverTime
from layerwise.core.nn.module import Module

__all__ = ["CRNN"]


class CRNN(Module):
    """(B, C, F, T) spectrograms, with lengths or without, to (B, n_out): convolutions and a GRU.

    After Choi et al., "Convolutional Recurrent Neural Networks for Music Classification" (2017),
    smaller, with the height of each row beside it (see `with_rows`), a GRU that reads in both
    directions, and mean and maximum of all that it says. Maps shrink by two along frequencies with
    each layer and along time with the first two, so that the GRU still sees when things happen.
    Frequencies are averaged before it, so that any number of them will do.

    Args:
        n_out: outputs.
        n_in: C, 1 for one channel of sound.
        widths: channels of each convolution.
        hidden: features of the GRU, for each direction.
        p: share of features that dropout hides before the GRU and before the last layer.

    Example:
        >>> net = CRNN(5, widths=(8, 16), hidden=8).eval()
        >>> net((torch.zeros(2, 1, 64, 50), torch.tensor([50, 31]))).shape
        torch.Size([2, 5])
    """

    takes: ClassVar[str] = "spectrograms"
    takes_lengths: ClassVar[bool] = True

    def __init__(
        self,
        n_out: int,
        n_in: int = 1,
        widths: Sequence[int] = (32, 64, 128, 128),
        hidden: int = 96,
        p: float = 0.2,
    ) -> None:
        ins = [n_in + 1, *widths]
        self.convs = nn.ModuleList(
            ConvOverTime(ins[i], width, stride=2 if i < 2 else 1) for i, width in enumerate(widths)
        )
        self.drop = nn.Dropout(p)
        self.gru = nn.GRU(widths[-1], hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(4 * hidden, n_out)

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, n_out) of (B, C, F, T), or of that and the (B,) lengths of the items in frames."""
        x, lengths = split_lengths(inputs)
        x = with_rows(x)
        for i, conv in enumerate(self.convs):
            x, lengths = conv(x, lengths)
            x = F.relu(x)
            if i >= 2:  # strides of the first two halve frequencies already
                x = F.max_pool2d(x, (2, 1), ceil_mode=True)
        said = self._over_time(self.drop(x.mean(2)), lengths)
        pooled = torch.cat([masked_mean(said, lengths), masked_max(said, lengths)], 1)
        out: Tensor = self.linear(self.drop(pooled))
        return out

    def _over_time(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(B, H, T) what the GRU says of (B, H, T); it never reads the filling."""
        rows = x.mT  # (B, H, T) -> (B, T, H)
        if lengths is None:
            said: Tensor = self.gru(rows)[0]
            return said.mT
        packed = pack_padded_sequence(
            rows, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        out, _ = pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, total_length=rows.shape[1]
        )
        return out.mT
