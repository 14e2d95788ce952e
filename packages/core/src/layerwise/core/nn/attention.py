"""Self-attention over the positions of a picture, a volume or a sequence.

Shapes: B batch, C channels, N positions, M pooled positions, K = C // 8.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from layerwise.core.nn.conv import ConvLayer
from layerwise.core.nn.module import Module
from layerwise.core.nn.norm import NormType

__all__ = ["PooledSelfAttention2d", "SelfAttention", "SimpleSelfAttention"]


def _project(n_in: int, n_out: int, ndim: int) -> ConvLayer:
    return ConvLayer(
        n_in, n_out, ks=1, ndim=ndim, norm_type=NormType.Spectral, act_cls=None, bias=False
    )


def _narrow(n_channels: int) -> int:
    return max(1, n_channels // 8)


class SelfAttention(Module):
    """Self-attention over all positions, added to the input (Zhang et al., "SAGAN", 2018).

    Starts as the identity, since the weight of what is added starts at zero.

    Args:
        n_channels: channels of the input.

    Example:
        >>> SelfAttention(16)(torch.rand(2, 16, 4, 4)).shape
        torch.Size([2, 16, 4, 4])
    """

    def __init__(self, n_channels: int) -> None:
        self.query = _project(n_channels, _narrow(n_channels), ndim=1)
        self.key = _project(n_channels, _narrow(n_channels), ndim=1)
        self.value = _project(n_channels, n_channels, ndim=1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) in the same shape."""
        flat = x.flatten(2)  # (B, C, ...) -> (B, C, N)
        # Each position asks with its `key` and is answered by the `query` of the others: the names
        # are those of existing checkpoints. (B, K, N) -> (B, N, K)
        asking, answering = self.key(flat).transpose(1, 2), self.query(flat).transpose(1, 2)
        values = self.value(flat).transpose(1, 2)
        attended = F.scaled_dot_product_attention(asking, answering, values, scale=1.0)  # (B, N, C)
        return (self.gamma * attended.transpose(1, 2) + flat).view_as(x)


class PooledSelfAttention2d(Module):
    """Self-attention over pooled positions of a picture (Brock et al., "BigGAN", 2018).

    Args:
        n_channels: channels of the input; the picture has at least two pixels a side.
    """

    def __init__(self, n_channels: int) -> None:
        self.theta = _project(n_channels, _narrow(n_channels), ndim=2)
        self.phi = _project(n_channels, _narrow(n_channels), ndim=2)
        self.g = _project(n_channels, max(1, n_channels // 2), ndim=2)
        self.o = _project(max(1, n_channels // 2), n_channels, ndim=2)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in the same shape."""
        asking = self.theta(x).flatten(2).transpose(1, 2)  # (B, N, K)
        answering = F.max_pool2d(self.phi(x), 2).flatten(2).transpose(1, 2)  # (B, M, K)
        values = F.max_pool2d(self.g(x), 2).flatten(2).transpose(1, 2)  # (B, M, C/2)
        attended = F.scaled_dot_product_attention(asking, answering, values, scale=1.0)
        out: Tensor = self.o(attended.transpose(1, 2).reshape(len(x), -1, *x.shape[2:]))
        return self.gamma * out + x


class SimpleSelfAttention(Module):
    """Self-attention without softmax, linear in the number of positions, added to the input.

    With W a spectrally normalised convolution, this is `x + gamma * (x x^T) W x`
    (Doria, "SimpleSelfAttention", 2019). Starts as the identity.

    Args:
        n_in: channels of the input.
        ks: window of the convolution over flattened positions.
        sym: make W symmetric; needs `ks=1`.

    Raises:
        ValueError: if `sym` is asked for with another window than 1.
    """

    def __init__(self, n_in: int, ks: int = 1, sym: bool = False) -> None:
        if sym and ks != 1:
            raise ValueError(f"sym=True with ks={ks}; a symmetric weight needs ks=1")
        self.sym, self.ks = sym, ks
        self.conv = nn.Conv1d(n_in, n_in, ks, padding=ks // 2, bias=False)
        spectral_norm(self.conv)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) in the same shape."""
        flat = x.flatten(2)  # (B, C, N)
        weight: Tensor = self.conv.weight
        if self.sym:
            weight = (weight + weight.transpose(0, 1)) / 2
        mixed = F.conv1d(flat, weight, padding=self.ks // 2)
        # (B, C, C) first: the products of all pairs of positions are never formed.
        attended = torch.bmm(torch.bmm(flat, flat.transpose(1, 2)), mixed)
        return (self.gamma * attended + flat).view_as(x)
