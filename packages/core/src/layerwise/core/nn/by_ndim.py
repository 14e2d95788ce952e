"""The 1d, 2d and 3d member of a family of torch's layers."""

from __future__ import annotations

from typing import cast

from torch import nn

__all__ = ["layer_class"]


def layer_class(kind: str, ndim: int) -> type[nn.Module]:
    """The class of `torch.nn` called `kind`, for inputs with `ndim` dimensions in space.

    Raises:
        ValueError: if `ndim` is not 1, 2 or 3.

    Example:
        >>> layer_class("Conv", 3).__name__
        'Conv3d'
    """
    if ndim not in (1, 2, 3):
        raise ValueError(
            f"ndim={ndim!r}, but torch has {kind}1d, {kind}2d and {kind}3d; give 1, 2 or 3"
        )
    return cast("type[nn.Module]", getattr(nn, f"{kind}{ndim}d"))
