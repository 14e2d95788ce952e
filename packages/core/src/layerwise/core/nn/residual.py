"""Residual blocks and the squeeze-and-excitation gate inside them.

Shapes: B batch, C channels, * one to three dimensions in space.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, TypedDict, Unpack

from torch import Tensor, nn

from layerwise.core.errors import refuse_unknown
from layerwise.core.nn.attention import SimpleSelfAttention
from layerwise.core.nn.conv import ConvLayer, Size
from layerwise.core.nn.module import Module
from layerwise.core.nn.norm import NormType
from layerwise.core.nn.plumbing import ProdLayer, SequentialEx
from layerwise.core.nn.pool import AdaptiveAvgPool, AvgPool

__all__ = [
    "BlockOptions",
    "ResBlock",
    "SEBlock",
    "SEModule",
    "SEResNeXtBlock",
    "SeparableBlock",
]


class SEModule(SequentialEx):
    """Scales channels by a gate that sees all (Hu et al., "Squeeze-and-Excitation", 2018).

    Args:
        ch: channels of the input.
        reduction: factor by which the gate narrows them; its width is a multiple of 8.
        act_cls: makes the activation in the gate.
        ndim: dimensions in space: 1, 2 or 3.

    Example:
        >>> import torch
        >>> SEModule(16, 4)(torch.rand(2, 16, 5, 5)).shape
        torch.Size([2, 16, 5, 5])
    """

    def __init__(
        self, ch: int, reduction: int, act_cls: Callable[[], nn.Module] = nn.ReLU, ndim: int = 2
    ) -> None:
        narrow = max(8, math.ceil(ch // reduction / 8) * 8)
        super().__init__(
            AdaptiveAvgPool(1, ndim=ndim),
            ConvLayer(ch, narrow, ks=1, ndim=ndim, norm_type=None, act_cls=act_cls),
            ConvLayer(narrow, ch, ks=1, ndim=ndim, norm_type=None, act_cls=nn.Sigmoid),
            ProdLayer(),
        )


class _LayerOptions(TypedDict, total=False):
    """Settings that a block hands to each of its convolutional layers."""

    bias: bool | None
    bias_std: float
    bn_1st: bool
    dilation: int
    init: Literal["auto"] | Callable[[Tensor], object] | None
    padding_mode: str


class BlockOptions(_LayerOptions, total=False):
    """Settings of `ResBlock` that the blocks made of it take as well."""

    dw: bool
    g2: int
    sa: bool
    sym: bool
    norm_type: NormType | None
    act_cls: Callable[[], nn.Module]
    ndim: int
    ks: Size
    pool: Callable[..., nn.Module]
    pool_first: bool


_ZERO_START = {NormType.Batch: NormType.BatchZero, NormType.Instance: NormType.InstanceZero}


class ResBlock(Module):
    """Two or three convolutions beside a shortcut: (B, expansion*ni, *) to (B, expansion*nf, *).

    The last normalisation starts at zero, so the block starts as its shortcut; the shortcut pools
    before its 1x1 convolution (He et al., "Bag of Tricks", 2019).

    Args:
        expansion: 1 for two convolutions; more for a bottleneck of three (1, `ks`, 1) with
            that many times the channels outside.
        ni: channels of the input, before expansion.
        nf: channels of the output, before expansion.
        stride: factor by which both paths shrink the input.
        groups: groups of the convolution with the window.
        reduction: that of an `SEModule` at the end of the path; none if None.
        nh1: width after the first convolution of a bottleneck; `nh2` if None.
        nh2: width before the last convolution; `nf` if None.
        dw: make the convolution with the window depthwise.
        g2: groups of the last convolution.
        sa: self-attention at the end of the path.
        sym: make that attention symmetric.
        norm_type: how to normalise, in the path and the shortcut, or None.
        act_cls: makes the activations.
        ndim: dimensions in space: 1, 2 or 3.
        ks: size of the window.
        pool: makes the pooling of the shortcut, called `pool(stride, ndim=ndim, ceil_mode=True)`.
        pool_first: pool before the 1x1 convolution of the shortcut.
        kwargs: settings for each `ConvLayer`.

    Raises:
        TypeError: for a keyword that neither this class nor `ConvLayer` takes.

    Example:
        >>> import torch
        >>> ResBlock(1, 8, 16, stride=2)(torch.rand(2, 8, 9, 9)).shape
        torch.Size([2, 16, 5, 5])
    """

    def __init__(
        self,
        expansion: int,
        ni: int,
        nf: int,
        stride: int = 1,
        groups: int = 1,
        reduction: int | None = None,
        nh1: int | None = None,
        nh2: int | None = None,
        dw: bool = False,
        g2: int = 1,
        sa: bool = False,
        sym: bool = False,
        norm_type: NormType | None = NormType.Batch,
        act_cls: Callable[[], nn.Module] = nn.ReLU,
        ndim: int = 2,
        ks: Size = 3,
        pool: Callable[..., nn.Module] = AvgPool,
        pool_first: bool = True,
        **kwargs: Unpack[_LayerOptions],
    ) -> None:
        refuse_unknown("ResBlock", kwargs.keys() - _LAYER_OPTIONS, _BLOCK_OPTIONS)
        nh2 = nf if nh2 is None else nh2
        nh1 = nh2 if nh1 is None else nh1
        ni, nf = ni * expansion, nf * expansion
        zero = norm_type if norm_type is None else _ZERO_START.get(norm_type, norm_type)
        inner = partial(ConvLayer, ndim=ndim, norm_type=norm_type, act_cls=act_cls, **kwargs)
        last = partial(ConvLayer, ndim=ndim, norm_type=zero, act_cls=None, groups=g2, **kwargs)
        if expansion == 1:
            path = [inner(ni, nh2, ks, stride, groups=ni if dw else groups), last(nh2, nf, ks)]
        else:
            path = [
                inner(ni, nh1, 1),
                inner(nh1, nh2, ks, stride, groups=nh1 if dw else groups),
                last(nh2, nf, 1),
            ]
        gates: list[nn.Module] = []
        if reduction:
            gates.append(SEModule(nf, reduction=reduction, act_cls=act_cls, ndim=ndim))
        if sa:
            gates.append(SimpleSelfAttention(nf, ks=1, sym=sym))
        self.convpath = nn.Sequential(*path, *gates)
        shortcut: list[nn.Module] = []
        if ni != nf:
            shortcut.append(
                ConvLayer(ni, nf, 1, ndim=ndim, norm_type=norm_type, act_cls=None, **kwargs)
            )
        if stride != 1:
            at = 0 if pool_first else len(shortcut)
            shortcut.insert(at, pool(stride, ndim=ndim, ceil_mode=True))
        self.idpath = nn.Sequential(*shortcut)
        # The sum is a tensor of this block's own, so a ReLU may overwrite it.
        self.act = nn.ReLU(inplace=True) if act_cls is nn.ReLU else act_cls()

    def forward(self, x: Tensor) -> Tensor:
        """Activation of path plus shortcut."""
        out: Tensor = self.act(self.convpath(x) + self.idpath(x))
        return out


_LAYER_OPTIONS = _LayerOptions.__annotations__.keys()
_BLOCK_OPTIONS = sorted(
    {"nh1", "nh2", "stride", "groups", "reduction"} | BlockOptions.__annotations__.keys()
)


def SEBlock(  # noqa: N802 - the name users know
    expansion: int,
    ni: int,
    nf: int,
    groups: int = 1,
    reduction: int = 16,
    stride: int = 1,
    **kwargs: Unpack[BlockOptions],
) -> ResBlock:
    """A `ResBlock` with squeeze-and-excitation: (B, expansion*ni, *) to (B, expansion*nf, *).

    Args:
        expansion: as for `ResBlock`, like all that follows.
        ni: channels of the input, before expansion.
        nf: channels of the output, before expansion.
        groups: groups of the convolution with the window.
        reduction: of the gate.
        stride: factor by which the input shrinks.
        kwargs: other settings of `ResBlock`.
    """
    widths = {"nh1": nf * 2, "nh2": nf * expansion}
    return ResBlock(
        expansion, ni, nf, stride=stride, groups=groups, reduction=reduction, **widths, **kwargs
    )


def SEResNeXtBlock(  # noqa: N802 - the name users know
    expansion: int,
    ni: int,
    nf: int,
    groups: int = 32,
    reduction: int = 16,
    stride: int = 1,
    base_width: int = 4,
    **kwargs: Unpack[BlockOptions],
) -> ResBlock:
    """A `ResBlock` with groups (Xie et al., "ResNeXt", 2017) and squeeze-and-excitation.

    Args:
        expansion: as for `ResBlock`, like all that follows.
        ni: channels of the input, before expansion.
        nf: channels of the output, before expansion.
        groups: groups of the convolution with the window.
        reduction: of the gate.
        stride: factor by which the input shrinks.
        base_width: channels of a group where `nf` is 64.
        kwargs: other settings of `ResBlock`.
    """
    width = math.floor(nf * (base_width / 64)) * groups
    return ResBlock(
        expansion, ni, nf, stride=stride, groups=groups, reduction=reduction, nh2=width, **kwargs
    )


def SeparableBlock(  # noqa: N802 - the name users know
    expansion: int,
    ni: int,
    nf: int,
    reduction: int = 16,
    stride: int = 1,
    **kwargs: Unpack[BlockOptions],
) -> ResBlock:
    """A `ResBlock` with a depthwise convolution and squeeze-and-excitation.

    Args:
        expansion: as for `ResBlock`, like all that follows.
        ni: channels of the input, before expansion.
        nf: channels of the output, before expansion.
        reduction: of the gate.
        stride: factor by which the input shrinks.
        kwargs: other settings of `ResBlock`, but not `dw`, which is True here.
    """
    kwargs["dw"] = True
    return ResBlock(expansion, ni, nf, stride=stride, reduction=reduction, nh2=nf * 2, **kwargs)
