"""Heat maps over pictures that are already drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

__all__ = ["show_heat"]

# N items, C channels, h by w cells.


def show_heat(
    maps: Tensor, axes: Sequence[Any], *, alpha: float = 0.5, cmap: str = "inferno"
) -> list[Any]:
    """The axes with a heat map over the picture of each, stretched to its size.

    Each map is scaled by its largest value, so that maps show where and not how much.

    Args:
        maps: (N, h, w), or (N, C, h, w), of which the largest magnitude of the channels is shown.
        axes: of matplotlib, each with a picture.
        alpha: how much of the picture is hidden.
        cmap: colours.

    Raises:
        ValueError: if the maps have another shape, or there is no picture on the axes.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().add_subplot()
        >>> picture = ax.imshow([[0.0, 1.0], [1.0, 0.0]])
        >>> import torch
        >>> len(show_heat(torch.rand(1, 4, 4), [ax])[0].images)
        2
    """
    heat = maps.detach().float().cpu()
    heat = heat.abs().amax(1) if heat.ndim == 4 else heat
    if heat.ndim != 3:
        raise ValueError(
            f"maps of shape {tuple(maps.shape)}; give (N, h, w) or (N, C, h, w), as the "
            "attribution of pictures has"
        )
    for one, ax in zip(heat, axes, strict=False):
        if not getattr(ax, "images", None):
            raise ValueError("a heat map lies over a picture, and there is none on these axes")
        # The picture says where it lies, so that cells cover what they were computed from.
        extent = ax.images[0].get_extent()
        top = max(one.max().item(), 1e-12)
        ax.imshow(
            (one / top).numpy(), extent=extent, alpha=alpha, cmap=cmap, vmin=0, vmax=1,
            interpolation="bilinear",
        )  # fmt: skip
    return list(axes)
