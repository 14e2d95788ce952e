"""Generators and critics.

Shapes: B batch, C channels of a picture, S its side, Z numbers of noise, F features.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypedDict, Unpack

from torch import Tensor, nn

from layerwise.core.nn.attention import SelfAttention
from layerwise.core.nn.conv import ConvLayer
from layerwise.core.nn.module import Module
from layerwise.core.nn.norm import NormType
from layerwise.core.nn.plumbing import Flatten, MergeLayer, SequentialEx
from layerwise.core.settings import built

__all__ = ["AddChannels", "DenseResBlock", "basic_critic", "basic_generator", "gan_critic"]


class _LayerOptions(TypedDict, total=False):
    """What the nets here hand to each of their `ConvLayer`s."""

    act_cls: Callable[[], nn.Module]
    bias: bool | None
    bias_std: float
    bn_1st: bool
    init: Literal["auto"] | Callable[[Tensor], object] | None
    padding_mode: str


class AddChannels(Module):
    """Adds axes of length 1 at the end: noise becomes a picture of one pixel.

    Args:
        n_dim: how many.

    Example:
        >>> import torch
        >>> AddChannels(2)(torch.zeros(4, 100)).shape
        torch.Size([4, 100, 1, 1])
    """

    def __init__(self, n_dim: int) -> None:
        self.n_dim = n_dim

    def forward(self, x: Tensor) -> Tensor:
        """(*, Z) as (*, Z, 1, ..., 1)."""
        return x.reshape(*x.shape, *[1] * self.n_dim)


class DenseResBlock(SequentialEx):
    """Two convolutions whose output is joined to their input: (B, nf, *) to (B, 2*nf, *).

    Args:
        nf: channels of the input.
        norm_type: how to normalise.
        kwargs: for each `ConvLayer`.

    Example:
        >>> import torch
        >>> DenseResBlock(8)(torch.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 16, 5, 5])
    """

    def __init__(
        self,
        nf: int,
        norm_type: NormType | None = NormType.Batch,
        **kwargs: Unpack[_LayerOptions],
    ) -> None:
        super().__init__(
            ConvLayer(nf, nf, norm_type=norm_type, **kwargs),
            ConvLayer(nf, nf, norm_type=norm_type, **kwargs),
            MergeLayer(dense=True),
        )


@built
def basic_critic(
    in_size: int,
    n_channels: int,
    n_features: int = 64,
    n_extra_layers: int = 0,
    norm_type: NormType | None = NormType.Batch,
    **kwargs: Unpack[_LayerOptions],
) -> nn.Sequential:
    """A critic of convolutions that halve the sides (Radford et al., 2016): (B, C, S, S) to (B, 1).

    Args:
        in_size: side of the pictures: 8, 16, 32, 64, ...
        n_channels: channels of the pictures.
        n_features: channels after the first layer; they double as the sides halve.
        n_extra_layers: convolutions after the first layer that keep size and channels.
        norm_type: how to normalise all layers but the first and the last. Spectral
            (Miyato et al., 2018) is for all of them.
        kwargs: for each `ConvLayer`, such as `act_cls`.

    Raises:
        ValueError: if halving `in_size` does not lead to 4.

    Example:
        >>> import torch
        >>> basic_critic(16, 3, n_features=8)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 1])
    """
    doublings = _doublings(in_size, "in_size")
    # What acts on weights and not on what passes through is meant for all layers.
    outer = norm_type if norm_type in (NormType.Spectral, NormType.Weight) else None
    half: Any = {"ks": 4, "stride": 2, "padding": 1, **kwargs}
    layers: list[nn.Module] = [ConvLayer(n_channels, n_features, norm_type=outer, **half)]
    layers += [
        ConvLayer(n_features, n_features, norm_type=norm_type, **kwargs)
        for _ in range(n_extra_layers)
    ]
    for _ in range(doublings - 1):
        layers.append(ConvLayer(n_features, 2 * n_features, norm_type=norm_type, **half))
        n_features *= 2
    last = ConvLayer(
        n_features, 1, 4, padding=0, norm_type=outer, act_cls=None, bias_std=0,
        init=nn.init.kaiming_normal_,
    )  # fmt: skip
    return nn.Sequential(*layers, last, Flatten())


@built
def basic_generator(
    out_size: int,
    n_channels: int,
    in_sz: int = 100,
    n_features: int = 64,
    n_extra_layers: int = 0,
    norm_type: NormType | None = NormType.Batch,
    **kwargs: Unpack[_LayerOptions],
) -> nn.Sequential:
    """A generator of convolutions that double the sides (Radford et al., 2016): (B, Z) to pictures.

    Args:
        out_size: side of the pictures: 8, 16, 32, 64, ...
        n_channels: channels of the pictures, whose values are from -1 to 1.
        in_sz: numbers of noise.
        n_features: channels before the last layer; before that twice as many where sides are half.
        n_extra_layers: convolutions before the last layer that keep size and channels.
        norm_type: how to normalise all layers but the last.
        kwargs: for each `ConvLayer`, such as `act_cls`.

    Raises:
        ValueError: if doubling 4 does not lead to `out_size`.

    Example:
        >>> import torch
        >>> basic_generator(16, 3, n_features=8)(torch.zeros(2, 100)).shape
        torch.Size([2, 3, 16, 16])
    """
    doublings = _doublings(out_size, "out_size")
    layer = partial(ConvLayer, ks=4, norm_type=norm_type, transpose=True, **kwargs)
    width = n_features * 2 ** (doublings - 1)
    layers: list[nn.Module] = [AddChannels(2), layer(in_sz, width)]
    for _ in range(doublings - 1):
        layers.append(layer(width, width // 2, stride=2, padding=1))
        width //= 2
    layers += [layer(width, width, ks=3, padding=1) for _ in range(n_extra_layers)]
    last = nn.ConvTranspose2d(width, n_channels, 4, 2, 1, bias=False)
    return nn.Sequential(*layers, last, nn.Tanh())


def _doublings(size: int, name: str) -> int:
    """How often 4 is doubled to `size`."""
    count = size.bit_length() - 3
    if count < 1 or size != 4 * 2**count:
        raise ValueError(
            f"{name}={size}; sides are doubled from 4 pixels on, so give 8, 16, 32, 64, ... and "
            "Resize pictures to that"
        )
    return count


_LEAKY = partial(nn.LeakyReLU, negative_slope=0.2)


@built
def gan_critic(
    n_channels: int = 3, nf: int = 128, n_blocks: int = 3, p: float = 0.15
) -> nn.Sequential:
    """A critic that is trained as a classifier first: (B, C, S, S) to (B, N), a number for a part.

    Spectral norm in all layers, dropout, a dense block, and self-attention after the first halving
    of the sides in the blocks.

    Args:
        n_channels: channels of the pictures.
        nf: channels after the first layer.
        n_blocks: how often the sides are halved after that, and channels doubled; sides have to
            be at least `8 * 2**n_blocks`.
        p: share of dropout.

    Example:
        >>> import torch
        >>> gan_critic(3, nf=8, n_blocks=1)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 25])
    """
    half = partial(
        ConvLayer, ks=4, stride=2, padding=1, norm_type=NormType.Spectral, act_cls=_LEAKY
    )
    dense = DenseResBlock(nf, norm_type=NormType.Spectral, act_cls=_LEAKY)
    layers: list[nn.Module] = [half(n_channels, nf), nn.Dropout2d(p / 2), dense]
    nf *= 2
    for i in range(n_blocks):
        attention = SelfAttention(2 * nf) if i == 0 else None
        layers += [nn.Dropout2d(p), half(nf, 2 * nf, xtra=attention)]
        nf *= 2
    last = ConvLayer(nf, 1, 4, bias=False, padding=0, norm_type=NormType.Spectral, act_cls=None)
    return nn.Sequential(*layers, last, Flatten())
