"""Colours as hue, saturation and value, and as shades of grey."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from layerwise.core.tensors import TensorBase, dress

__all__ = ["grayscale", "hsv", "hsv2rgb", "rgb2hsv"]

T = TypeVar("T", bound=Tensor)

# B: pictures. H, W: height and width. What is typed keeps its type.

_GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as television and JPEG have it


def typed(result: Tensor, like: T) -> T:
    """A plain result as the type of `like`."""
    return dress(result, like) if isinstance(like, TensorBase) else result  # type: ignore[return-value]  # a plain tensor for a plain one


def plain_of(x: Tensor) -> Tensor:
    """`x` as a plain tensor of the same memory."""
    return x.as_plain() if isinstance(x, TensorBase) else x


def grayscale(x: T) -> T:
    """(B, 1, H, W) how bright each pixel of (B, 3, H, W) is (luma of ITU-R BT.601).

    Example:
        >>> grayscale(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).item()
        0.29899999499320984
    """
    plain = _three(x)
    red, green, blue = plain.unbind(-3)
    grey = (red * _GREY[0]).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2])
    return typed(grey.unsqueeze(-3), x)


def rgb2hsv(img: T) -> T:
    """(B, 3, H, W) hue, saturation and value, each from 0 to 1, of red, green and blue.

    Grey has the hue 0.

    Args:
        img: (B, 3, H, W) from 0 to 1.

    Example:
        >>> rgb2hsv(torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)).flatten().tolist()
        [0.3333333432674408, 1.0, 1.0]
    """
    plain = _three(img)
    red, green, blue = plain.unbind(-3)
    value = plain.amax(-3)
    chroma = value - plain.amin(-3)
    some = chroma.clamp(min=torch.finfo(chroma.dtype).tiny)
    hue = torch.where(
        value == red,
        (green - blue) / some,
        torch.where(value == green, (blue - red) / some + 2, (red - green) / some + 4),
    )
    saturation = chroma / value.clamp(min=torch.finfo(chroma.dtype).tiny)
    return typed(torch.stack([hue.div_(6).remainder_(1), saturation, value], -3), img)


def hsv2rgb(img: T) -> T:
    """(B, 3, H, W) red, green and blue of hue, saturation and value, all from 0 to 1.

    Example:
        >>> hsv2rgb(torch.tensor([0.0, 1.0, 0.5]).view(1, 3, 1, 1)).flatten().tolist()
        [0.5, 0.0, 0.0]
    """
    plain = _three(img)
    hue, saturation, value = plain.unbind(-3)
    chroma, around = saturation * value, hue * 6
    channels = []
    for start in (5, 3, 1):
        at = (around + start).remainder_(6)
        channels.append(value - chroma * torch.minimum(at, 4 - at).clamp_(0, 1))
    return typed(torch.stack(channels, -3), img)


def hsv(x: T, func: Callable[[Tensor], Tensor]) -> T:
    """(B, 3, H, W) pictures changed by `func` as hue, saturation and value, clamped to 0 to 1.

    Args:
        x: (B, 3, H, W) from 0 to 1.
        func: from (B, 3, H, W) to as many, in place or not; hues may pass 1.
    """
    changed = func(rgb2hsv(plain_of(x)))
    return typed(hsv2rgb(changed).clamp_(0, 1), x)


def _three(x: Tensor) -> Tensor:
    if x.ndim < 3 or x.shape[-3] != 3:
        raise ValueError(
            f"colours need red, green and blue, (B, 3, H, W), not pictures of {tuple(x.shape)}"
        )
    return plain_of(x)
