"""Residual nets with a stem of three convolutions (He et al., "Bag of Tricks", 2019).

Shapes: B batch, C channels, * one to three dimensions in space.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, Unpack

import torch
from torch import nn

from layerwise.core.errors import refuse_unknown
from layerwise.core.nn.conv import ConvLayer
from layerwise.core.nn.norm import NormType
from layerwise.core.nn.plumbing import Flatten
from layerwise.core.nn.pool import AdaptiveAvgPool, MaxPool
from layerwise.core.nn.residual import ResBlock
from layerwise.core.settings import RemembersCall, built

__all__ = [
    "XResNet",
    "XResNetOptions",
    "init_cnn",
    "xresnet18",
    "xresnet18_deep",
    "xresnet18_deeper",
    "xresnet34",
    "xresnet34_deep",
    "xresnet34_deeper",
    "xresnet50",
    "xresnet50_deep",
    "xresnet50_deeper",
    "xresnet101",
    "xresnet152",
]

Activation = Callable[[], nn.Module]


class _BlockSettings(TypedDict, total=False):
    """What `XResNet` hands to each of its blocks."""

    groups: int
    reduction: int | None
    nh1: int | None
    nh2: int | None
    dw: bool
    g2: int
    sym: bool
    norm_type: NormType | None
    pool: Callable[..., nn.Module]
    pool_first: bool
    bn_1st: bool
    bias_std: float


def init_cnn(m: nn.Module) -> None:
    """Nothing; weights of convolutions and linear layers in `m` are drawn anew, biases are zero.

    From He's normal distribution, on torch's global generator.
    """
    for layer in m.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            with torch.no_grad():
                if not nn.utils.parametrize.is_parametrized(layer):
                    nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    layer.bias.zero_()


class XResNet(RemembersCall, nn.Sequential):
    """(B, c_in, *) to (B, n_out): stem, groups of residual blocks, pooling, a linear layer.

    Args:
        block: makes a block, called as `ResBlock` is.
        expansion: channels at the end of a block over those inside: 1, or 4 for bottlenecks.
        layers: blocks in each group; each group but the first halves the size.
        p: share of features that dropout hides before the last layer.
        c_in: channels of the input.
        n_out: outputs.
        stem_szs: channels of the convolutions of the stem.
        block_szs: channels of each group, before expansion; 64, 128, 256, 512, then 256, if None.
        widen: factor on the channels of all groups.
        sa: self-attention at the end of the first group (for nets of four groups).
        act_cls: makes the activations.
        ndim: dimensions in space: 1, 2 or 3.
        ks: window of the convolutions.
        stride: step of the first convolution and of each group but the first.
        kwargs: settings of the blocks, see `ResBlock`; unknown ones are refused.

    Example:
        >>> net = XResNet(ResBlock, 1, [1, 1], n_out=7)
        >>> net(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        block: Callable[..., nn.Module],
        expansion: int,
        layers: Sequence[int],
        p: float = 0.0,
        c_in: int = 3,
        n_out: int = 1000,
        stem_szs: Sequence[int] = (32, 32, 64),
        block_szs: Sequence[int] | None = None,
        widen: float = 1.0,
        sa: bool = False,
        act_cls: Activation = nn.ReLU,
        ndim: int = 2,
        ks: int = 3,
        stride: int = 2,
        **kwargs: Unpack[_BlockSettings],
    ) -> None:
        if ks % 2 == 0:
            raise ValueError(f"ks={ks}; the window of a convolution that keeps the size is odd")
        self.block, self.expansion, self.act_cls, self.ndim = block, expansion, act_cls, ndim
        widths = [c_in, *stem_szs]
        stem = [
            ConvLayer(
                widths[i], widths[i + 1], ks, stride if i == 0 else 1, act_cls=act_cls, ndim=ndim
            )
            for i in range(len(stem_szs))
        ]
        sizes = list(block_szs or [64, 128, 256, 512, *[256] * (len(layers) - 4)][: len(layers)])
        sizes = [int(size * widen) for size in sizes]
        ins = [stem_szs[-1] // expansion, *sizes]
        options: dict[str, Any] = {"act_cls": act_cls, "ndim": ndim, "ks": ks, **kwargs}
        groups = [
            self._group(
                ins[i], ins[i + 1], count, stride if i else 1, sa and i == len(layers) - 4, options
            )
            for i, count in enumerate(layers)
        ]
        super().__init__(
            *stem,
            MaxPool(ks=ks, stride=stride, padding=ks // 2, ndim=ndim),
            *groups,
            AdaptiveAvgPool(1, ndim=ndim),
            Flatten(),
            nn.Dropout(p),
            nn.Linear(ins[-1] * expansion, n_out),
        )
        init_cnn(self)

    def _group(
        self, ni: int, nf: int, count: int, stride: int, sa: bool, options: dict[str, Any]
    ) -> nn.Sequential:
        return nn.Sequential(
            *(
                self.block(
                    self.expansion,
                    ni if i == 0 else nf,
                    nf,
                    stride=stride if i == 0 else 1,
                    sa=sa and i == count - 1,
                    **options,
                )
                for i in range(count)
            )
        )


class XResNetOptions(_BlockSettings, total=False):
    """What the functions that build such nets take besides: the settings of `XResNet`."""

    sa: bool
    act_cls: Activation
    ndim: int
    ks: int
    p: float
    c_in: int
    stem_szs: Sequence[int]
    block_szs: Sequence[int] | None
    widen: float
    stride: int


def xresnet_of(
    block: Callable[..., nn.Module],
    expansion: int,
    layers: Sequence[int],
    n_out: int,
    options: dict[str, Any],
) -> XResNet:
    """The net of `options` as they came from a user; unknown ones are refused."""
    known = ["n_out", *XResNetOptions.__optional_keys__]
    refuse_unknown("xresnet", [name for name in options if name not in known], known)
    return XResNet(block, expansion, layers, n_out=n_out, **options)


def _xresnet(expansion: int, layers: Sequence[int], n_out: int, options: Any) -> XResNet:
    return xresnet_of(ResBlock, expansion, layers, n_out, options)


@built
def xresnet18(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `XResNet` of 18 layers; `kwargs` are its settings (`act_cls`, `sa`, `ndim`, ...).

    Example:
        >>> sum(p.numel() for p in xresnet18(n_out=10).parameters())
        11200874
    """
    return _xresnet(1, [2, 2, 2, 2], n_out, kwargs)


@built
def xresnet34(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `XResNet` of 34 layers; `kwargs` are its settings."""
    return _xresnet(1, [3, 4, 6, 3], n_out, kwargs)


@built
def xresnet50(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `XResNet` of 50 layers, with bottlenecks; `kwargs` are its settings."""
    return _xresnet(4, [3, 4, 6, 3], n_out, kwargs)


@built
def xresnet101(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `XResNet` of 101 layers, with bottlenecks; `kwargs` are its settings."""
    return _xresnet(4, [3, 4, 23, 3], n_out, kwargs)


@built
def xresnet152(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `XResNet` of 152 layers, with bottlenecks; `kwargs` are its settings."""
    return _xresnet(4, [3, 8, 36, 3], n_out, kwargs)


@built
def xresnet18_deep(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet18` with two more groups of one block, for pictures of 256 pixels and more."""
    return _xresnet(1, [2, 2, 2, 2, 1, 1], n_out, kwargs)


@built
def xresnet18_deeper(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet18` of eight groups, for pictures of 512 pixels and more."""
    return _xresnet(1, [2, 2, 1, 1, 1, 1, 1, 1], n_out, kwargs)


@built
def xresnet34_deep(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet34` with two more groups of one block, for pictures of 256 pixels and more."""
    return _xresnet(1, [3, 4, 6, 3, 1, 1], n_out, kwargs)


@built
def xresnet34_deeper(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet34` of eight groups, for pictures of 512 pixels and more."""
    return _xresnet(1, [3, 4, 6, 3, 1, 1, 1, 1], n_out, kwargs)


@built
def xresnet50_deep(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet50` with two more groups of one block, for pictures of 256 pixels and more."""
    return _xresnet(4, [3, 4, 6, 3, 1, 1], n_out, kwargs)


@built
def xresnet50_deeper(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet50` of eight groups, for pictures of 512 pixels and more."""
    return _xresnet(4, [3, 4, 6, 3, 1, 1, 1, 1], n_out, kwargs)
