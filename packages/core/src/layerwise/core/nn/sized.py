"""A convolutional network whose widths and depth follow from the data.

Shapes: B batch, C channels, * one to three dimensions in space.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from torch import nn

from layerwise.core.nn.conv import ConvLayer
from layerwise.core.nn.norm import NormType
from layerwise.core.nn.plumbing import Flatten
from layerwise.core.nn.pool import AdaptiveAvgPool
from layerwise.core.settings import RemembersCall

__all__ = ["SizedCNN", "cnn_for", "sized_widths"]


def sized_widths(
    c_in: int,
    size: tuple[int, ...],
    *,
    ks: int = 3,
    stem: int = 64,
    widest: int = 512,
    smallest: int = 4,
) -> list[int]:
    """The channels after each layer of a `SizedCNN`.

    A filter of the first layer sees `c_in * ks ** len(size)` numbers. More filters than that would
    only copy them, so the first width is the largest power of two within that number (fast.ai,
    "Deep Learning from the Foundations", lesson 11, 2019). Then each layer halves the map and
    doubles the width until the map is small.

    Args:
        c_in: channels of the input.
        size: its shape in space.
        ks: size of the window.
        stem: most channels of the first layer, which runs at full resolution.
        widest: most channels of any layer.
        smallest: a map with no side longer than this is not halved again.

    Raises:
        ValueError: if a number is not positive.

    Example:
        >>> sized_widths(1, (28, 28)), sized_widths(3, (64, 64))
        ([8, 16, 32, 64], [16, 32, 64, 128, 256])
    """
    numbers = {"c_in": c_in, "ks": ks, "stem": stem, "widest": widest, "smallest": smallest}
    for name, number in [*numbers.items(), *(("size", side) for side in size)]:
        if number < 1:
            raise ValueError(f"{name} has {number}; give a positive number")
    width = min(2 ** int(math.log2(c_in * ks ** len(size))), stem, widest)
    widths, longest = [width], max(size)
    while longest > smallest:
        # A stride of 2 on an odd side rounds up.
        longest = -(-longest // 2)
        widths.append(min(widths[-1] * 2, widest))
    return widths


class SizedCNN(RemembersCall, nn.Sequential):
    """A plain convolutional network sized for its input: (B, c_in, *size) to (B, c_out).

    The first layer keeps the resolution, the others halve it, see `sized_widths`; then average
    pooling and a linear layer. Other input sizes work as well, since the pooling adapts.

    Args:
        c_in: channels of the input.
        c_out: outputs, for example classes.
        size: shape in space: (length,), (height, width) or (depth, height, width); a number means
            a square.
        ks: odd size of the windows.
        norm_type: as for `ConvLayer`.
        act_cls: as for `ConvLayer`.
        stem: as for `sized_widths`, like what follows.
        widest: most channels of any layer.
        smallest: longest side of a map that is not halved again.

    Raises:
        ValueError: if `ks` is even, `size` has not one to three sides, or a number is not positive.

    Example:
        >>> import torch
        >>> SizedCNN(1, 10, 28)(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        size: int | tuple[int, ...],
        *,
        ks: int = 3,
        norm_type: NormType | None = NormType.Batch,
        act_cls: Callable[[], nn.Module] = nn.ReLU,
        stem: int = 64,
        widest: int = 512,
        smallest: int = 4,
    ) -> None:
        sides = (size, size) if isinstance(size, int) else tuple(size)
        ndim = len(sides)
        if ndim not in (1, 2, 3):
            raise ValueError(f"size={size!r} has {ndim} sides; give one to three")
        if ks % 2 == 0:
            raise ValueError(
                f"ks={ks} is even, so windows have no centre; give {ks - 1} or {ks + 1}"
            )
        widths = sized_widths(c_in, sides, ks=ks, stem=stem, widest=widest, smallest=smallest)
        layers = [
            ConvLayer(
                before, after, ks, 2 if i else 1, ndim=ndim, norm_type=norm_type, act_cls=act_cls
            )
            for i, (before, after) in enumerate(zip([c_in, *widths], widths, strict=False))
        ]
        super().__init__(
            *layers, AdaptiveAvgPool(ndim=ndim), Flatten(), nn.Linear(widths[-1], c_out)
        )


class _HasBatches(Protocol):
    def one_batch(self) -> Any: ...


def cnn_for(
    dls: _HasBatches,
    c_out: int | None = None,
    *,
    ks: int = 3,
    norm_type: NormType | None = NormType.Batch,
    act_cls: Callable[[], nn.Module] = nn.ReLU,
    stem: int = 64,
    widest: int = 512,
    smallest: int = 4,
) -> SizedCNN:
    """A `SizedCNN` for the pictures, volumes or sequences that `dls` loads.

    Args:
        dls: has `one_batch()`, whose first member is (B, C, *), and `c`, the number of outputs.
        c_out: number of outputs; `dls.c`, or that of a transform of samples, if None.
        ks: as for `SizedCNN`, like what follows.
        norm_type: how to normalise.
        act_cls: makes the activations.
        stem: most channels of the first layer.
        widest: most channels of any layer.
        smallest: longest side of a map that is not halved again.

    Raises:
        ValueError: if the batch does not have one to three dimensions in space, or if the number
            of outputs is not to be found.
    """
    shape = tuple(dls.one_batch()[0].shape)
    if not 3 <= len(shape) <= 5:
        raise ValueError(
            f"the first input has shape {shape}; a convolutional network needs "
            "(batch, channels, ...) with one to three dimensions in space"
        )
    c_out = _outputs_of(dls) if c_out is None else c_out
    if c_out is None:
        raise ValueError("the loaders have no `c`, the number of outputs; pass it as c_out")
    return SizedCNN(
        shape[1],
        c_out,
        shape[2:],
        ks=ks,
        norm_type=norm_type,
        act_cls=act_cls,
        stem=stem,
        widest=widest,
        smallest=smallest,
    )


def _outputs_of(dls: Any) -> int | None:
    """The number of outputs that data sets know, or a transform of samples, as that of points."""
    samples = getattr(getattr(dls, "train", None), "after_item", None)
    found = (getattr(owner, "c", None) for owner in (dls, samples))
    return next((int(c) for c in found if c is not None), None)
