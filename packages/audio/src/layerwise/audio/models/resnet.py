"""A small residual net on spectrograms of any height and length.

Shapes: B batch, C channels, F frequencies, T frames, H features of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.audio.models.masked import (
    Inputs,
    mask_time,
    masked_max,
    masked_mean,
    split_lengths,
    with_rows,
)
from layerwise.core.nn.module import Module

__all__ = ["AudioResNet", "ConvOverTime", "PoolHead", "ResBlockOverTime", "audio_resnet"]


class ConvOverTime(Module):
    """Convolution and normalisation that see zeros in the filling, as behind the end of a clip.

    Args:
        n_in: channels in front.
        n_out: channels behind.
        ks: odd window in both directions.
        stride: step in both directions.
    """

    def __init__(self, n_in: int, n_out: int, ks: int = 3, stride: int = 1) -> None:
        if ks % 2 == 0:
            raise ValueError(f"ks={ks}; the window of a convolution that keeps the size is odd")
        self.stride = stride
        self.conv = nn.Conv2d(n_in, n_out, ks, stride, padding=ks // 2, bias=False)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B, n_in, F, T) to (B, n_out, ceil(F / stride), ceil(T / stride)), and its lengths."""
        out = self.norm(self.conv(mask_time(x, lengths)))
        if lengths is not None:
            lengths = (lengths - 1).div(self.stride, rounding_mode="floor") + 1
        return out, lengths


class ResBlockOverTime(Module):
    """Two convolutions and a way past them (He et al., "Deep Residual Learning", 2016).

    The shortcut halves the map by averaging before its convolution, so that it sees all of it (He
    et al., "Bag of Tricks", 2019).

    Args:
        n_in: channels in front.
        n_out: channels behind.
        stride: step of the first convolution.
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        self.first = ConvOverTime(n_in, n_out, stride=stride)
        self.second = ConvOverTime(n_out, n_out)
        self.past = None if n_in == n_out and stride == 1 else ConvOverTime(n_in, n_out, ks=1)
        self.stride = stride

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B, n_in, F, T) to (B, n_out, ceil(F / stride), ceil(T / stride)), and its lengths."""
        out, new_lengths = self.first(x, lengths)
        out, _ = self.second(F.relu(out), new_lengths)
        past = mask_time(x, lengths)
        if self.stride > 1:
            past = _averaged(past, self.stride)
        if self.past is not None:
            past, _ = self.past(past)
        return F.relu(out + past), new_lengths


def _averaged(x: Tensor, stride: int) -> Tensor:
    """(B, C, ceil(F / stride), ceil(T / stride)) means; behind the end of `x` are zeros."""
    # Not ceil_mode, which would leave out what is behind the end: the filling cannot be left out.
    rows, columns = (-size % stride for size in x.shape[-2:])
    return F.avg_pool2d(F.pad(x, (0, columns, 0, rows)), stride)


class PoolHead(Module):
    """Mean over frequencies, mean and maximum over time, dropout and a linear layer.

    Args:
        n_in: H, channels of the map.
        n_out: outputs.
        p: share of features that dropout hides.
    """

    def __init__(self, n_in: int, n_out: int, p: float = 0.2) -> None:
        self.drop = nn.Dropout(p)
        self.linear = nn.Linear(2 * n_in, n_out)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, H, F, T) to (B, n_out)."""
        over_time = x.mean(2)  # (B, H, F, T) -> (B, H, T)
        pooled = torch.cat([masked_mean(over_time, lengths), masked_max(over_time, lengths)], 1)
        out: Tensor = self.linear(self.drop(pooled))
        return out


class AudioResNet(Module):
    """(B, C, F, T) spectrograms of any size, with lengths or without, to (B, n_out).

    The height of each row beside it (see `with_rows`), a stem, groups of residual blocks, and
    `PoolHead`; after He et al. (2016). Each group but the
    first halves frequencies and time, as the stem does.

    Args:
        n_out: outputs.
        n_in: C, 1 for one channel of sound.
        widths: channels of each group.
        blocks: blocks in each group.
        p: share of features that dropout hides before the last layer.

    Raises:
        ValueError: if `widths` and `blocks` are not of one length.

    Example:
        >>> net = AudioResNet(10, widths=(8, 16), blocks=(1, 1)).eval()
        >>> net(torch.zeros(2, 1, 64, 50)).shape
        torch.Size([2, 10])
        >>> net((torch.zeros(2, 1, 64, 50), torch.tensor([50, 31]))).shape
        torch.Size([2, 10])
    """

    takes: ClassVar[str] = "spectrograms"
    takes_lengths: ClassVar[bool] = True

    def __init__(
        self,
        n_out: int,
        n_in: int = 1,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (1, 1, 1, 1),
        p: float = 0.2,
    ) -> None:
        if len(widths) != len(blocks) or not widths:
            raise ValueError(
                f"{len(widths)} widths and {len(blocks)} numbers of blocks; give one of each for "
                "every group"
            )
        self.stem = ConvOverTime(n_in + 1, widths[0], ks=5, stride=2)
        ins = [widths[0], *widths]
        self.body = nn.ModuleList(
            ResBlockOverTime(ins[i] if j == 0 else width, width, 2 if i and j == 0 else 1)
            for i, width in enumerate(widths)
            for j in range(blocks[i])
        )
        self.head = PoolHead(widths[-1], n_out, p)

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, n_out) of (B, C, F, T), or of that and the (B,) lengths of the items in frames."""
        x, lengths = split_lengths(inputs)
        x, lengths = self.stem(with_rows(x), lengths)
        x = F.relu(x)
        for block in self.body:
            x, lengths = block(x, lengths)
        out: Tensor = self.head(x, lengths)
        return out


def audio_resnet(n_out: int, n_in: int = 1, p: float = 0.2) -> AudioResNet:
    """An `AudioResNet` of four groups of one block: 1.2 million parameters.

    Args:
        n_out: outputs.
        n_in: channels of the spectrograms.
        p: share of features that dropout hides before the last layer.

    Example:
        >>> sum(each.numel() for each in audio_resnet(10).parameters())
        1232266
    """
    return AudioResNet(n_out, n_in, p=p)
