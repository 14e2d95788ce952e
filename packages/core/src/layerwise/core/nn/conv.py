"""The convolutional block: convolution, normalisation, activation; and what is made of it alone.

Shapes: B batch, C channels, * one to three dimensions in space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, Unpack

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from layerwise.core.errors import refuse_unknown
from layerwise.core.nn.by_ndim import layer_class
from layerwise.core.nn.init import icnr_init, init_linear
from layerwise.core.nn.norm import BatchNorm, InstanceNorm, NormType
from layerwise.core.nn.pool import PoolFlatten
from layerwise.core.settings import RemembersCall

__all__ = ["ConvLayer", "ConvOptions", "PixelShuffle_ICNR", "SimpleCNN"]

Size = int | tuple[int, ...]


class ConvOptions(TypedDict, total=False):
    """What `ConvLayer` passes on to torch's convolution."""

    groups: int
    dilation: int
    padding_mode: str
    output_padding: int


class ConvLayer(RemembersCall, nn.Sequential):
    """A convolution with normalisation and activation: (B, ni, *) to (B, nf, *).

    Args:
        ni: channels of the input.
        nf: channels of the output.
        ks: size of the window.
        stride: step of the window.
        padding: zeros around the input; by default as many as keep the size at stride 1 (none for
            a transposed convolution).
        bias: whether the convolution has a bias; by default unless batch or instance normalisation
            follows, which has its own.
        ndim: dimensions in space: 1, 2 or 3.
        norm_type: how to normalise, or None. Weight and spectral norm compute the weight of the
            convolution from other parameters; torch saves such a layer by its state, not by
            pickle.
        bn_1st: normalisation before activation; False for the other order.
        act_cls: makes the activation; None for no activation.
        transpose: a transposed convolution.
        init: sets the weight; "auto" is what suits the activation, see `init_linear`.
        xtra: a module to put at the end.
        bias_std: width of the normal distribution of biases at the start.
        kwargs: `ConvOptions`, for torch's convolution.

    Raises:
        TypeError: for a keyword that is none of these.
        ValueError: if `ndim` is not 1, 2 or 3.

    Example:
        >>> import torch
        >>> ConvLayer(3, 8, stride=2)(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self,
        ni: int,
        nf: int,
        ks: Size = 3,
        stride: Size = 1,
        padding: Size | None = None,
        bias: bool | None = None,
        ndim: int = 2,
        norm_type: NormType | None = NormType.Batch,
        bn_1st: bool = True,
        act_cls: Callable[[], nn.Module] | None = nn.ReLU,
        transpose: bool = False,
        init: Literal["auto"] | Callable[[Tensor], object] | None = "auto",
        xtra: nn.Module | None = None,
        bias_std: float = 0.01,
        **kwargs: Unpack[ConvOptions],
    ) -> None:
        known = ConvOptions.__annotations__.keys() - (set() if transpose else {"output_padding"})
        refuse_unknown("ConvLayer", kwargs.keys() - known, [*_CONV_LAYER_OWN, *known])
        if padding is None:
            padding = 0 if transpose else _same_padding(ks, kwargs.get("dilation", 1))
        norm = _norm_layer(norm_type, nf, ndim)
        kind = "ConvTranspose" if transpose else "Conv"
        options: dict[str, Any] = {"stride": stride, "padding": padding, **kwargs}
        has_bias = norm is None if bias is None else bias
        conv = layer_class(kind, ndim)(ni, nf, ks, bias=has_bias, **options)
        act = None if act_cls is None else act_cls()
        init_linear(conv, act, init=init, bias_std=bias_std)
        tail = (norm, act) if bn_1st else (act, norm)
        layers = (_with_parametrized_weight(conv, norm_type), *tail, xtra)
        super().__init__(*(layer for layer in layers if layer is not None))


_CONV_LAYER_OWN = (
    "ks", "stride", "padding", "bias", "ndim", "norm_type", "bn_1st", "act_cls", "transpose",
    "init", "xtra", "bias_std",
)  # fmt: skip


def _same_padding(ks: Size, dilation: int) -> Size:
    """Zeros on each side with which an odd window keeps the size of its input."""
    if isinstance(ks, tuple):
        return tuple(dilation * (k - 1) // 2 for k in ks)
    return dilation * (ks - 1) // 2


def _norm_layer(norm_type: NormType | None, nf: int, ndim: int) -> nn.Module | None:
    if norm_type in (NormType.Batch, NormType.BatchZero):
        return BatchNorm(nf, ndim, norm_type)
    if norm_type in (NormType.Instance, NormType.InstanceZero):
        return InstanceNorm(nf, ndim, norm_type)
    return None


def _with_parametrized_weight(conv: nn.Module, norm_type: NormType | None) -> nn.Module:
    if norm_type is NormType.Weight:
        normed: nn.Module = weight_norm(conv)
        return normed
    if norm_type is NormType.Spectral:
        return spectral_norm(conv)
    return conv


class PixelShuffle_ICNR(RemembersCall, nn.Sequential):  # noqa: N801 - the name users know
    """Upsampling by a convolution and a pixel shuffle: (B, ni, H, W) to (B, nf, scale*H, scale*W).

    The weight starts as `icnr_init` makes it, so there is no checkerboard (Aitken et al., 2017).

    Args:
        ni: channels of the input.
        nf: channels of the output; `ni` if None.
        scale: factor of both sides.
        blur: average neighbouring pixels at the end.
        norm_type: as for `ConvLayer`.
        act_cls: as for `ConvLayer`.

    Example:
        >>> import torch
        >>> PixelShuffle_ICNR(4, 2)(torch.rand(1, 4, 5, 5)).shape
        torch.Size([1, 2, 10, 10])
    """

    def __init__(
        self,
        ni: int,
        nf: int | None = None,
        scale: int = 2,
        blur: bool = False,
        norm_type: NormType | None = NormType.Weight,
        act_cls: Callable[[], nn.Module] | None = nn.ReLU,
    ) -> None:
        nf = ni if nf is None else nf
        conv = ConvLayer(
            ni,
            nf * scale**2,
            ks=1,
            norm_type=norm_type,
            act_cls=act_cls,
            bias_std=0,
            init=lambda weight: weight.copy_(icnr_init(weight, scale)),
        )
        layers: list[nn.Module] = [conv, nn.PixelShuffle(scale)]
        if blur:
            layers += [nn.ReplicationPad2d((1, 0, 1, 0)), nn.AvgPool2d(2, stride=1)]
        super().__init__(*layers)


class SimpleCNN(RemembersCall, nn.Sequential):
    """Convolutions in a row, then `PoolFlatten`: (B, filters[0], H, W) to (B, filters[-1]).

    Args:
        filters: channels before the first layer and after each.
        kernel_szs: window of each layer; 3 by default.
        strides: step of each layer; 2 by default.
        bn: batch normalisation in all layers but the last.

    Raises:
        ValueError: if the lists do not fit each other.

    Example:
        >>> import torch
        >>> SimpleCNN([3, 8, 10])(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        filters: Sequence[int],
        kernel_szs: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        bn: bool = True,
    ) -> None:
        layer_count = len(filters) - 1
        kernel_szs = [3] * layer_count if kernel_szs is None else kernel_szs
        strides = [2] * layer_count if strides is None else strides
        if layer_count < 1 or not len(kernel_szs) == len(strides) == layer_count:
            raise ValueError(
                f"{len(filters)} filters, {len(kernel_szs)} kernel_szs and {len(strides)} strides; "
                "give at least two filters, and one kernel size and one stride fewer than filters"
            )
        layers: list[nn.Module] = []
        for i, (ks, stride) in enumerate(zip(kernel_szs, strides, strict=True)):
            norm_type = NormType.Batch if bn and i < layer_count - 1 else None
            layers.append(
                ConvLayer(filters[i], filters[i + 1], ks, stride=stride, norm_type=norm_type)
            )
        super().__init__(*layers, PoolFlatten())
