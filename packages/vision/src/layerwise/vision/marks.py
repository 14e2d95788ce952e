"""Points and boxes drawn over a picture, visible on any colour."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.errors import MissingDependencyError

__all__ = ["draw_boxes", "draw_points"]

# N: points or boxes.

Axes = Any  # of matplotlib, which is imported only when something is drawn

CENTRE = 0.5  # of a pixel, which matplotlib puts at whole numbers


def draw_points(ax: Axes, points: Tensor, **scatter: Any) -> None:
    """Points on axes; those with a coordinate that is NaN are left out.

    Args:
        ax: axes of matplotlib.
        points: (N, 2) x, y in pixels.
        scatter: arguments of matplotlib's `scatter`, such as `s`, `c` and `marker`.
    """
    known = points[~points.isnan().any(-1)] - CENTRE
    fill = {} if "color" in scatter else {"c": "red", "edgecolors": "white"}
    settings = {"s": 40, "linewidths": 0.8, **fill, **scatter}
    # Axes that a picture was drawn on keep their limits, also where a point lies outside.
    limits = (ax.get_xlim(), ax.get_ylim()) if ax.images else None
    ax.scatter(known[:, 0].numpy(), known[:, 1].numpy(), **settings)
    if limits is not None:
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])


def draw_boxes(
    ax: Axes,
    boxes: Tensor,
    labels: Sequence[Any] | None = None,
    *,
    texts: Sequence[Any] | None = None,
    color: Any = None,
    width: float = 2.0,
    linestyle: str = "-",
) -> None:
    """Boxes on axes, outlined in black so that they stand out, labels at their corners.

    Boxes without area are left out, and their labels with them.

    Args:
        ax: axes of matplotlib.
        boxes: (N, 4) left, upper, right, lower in pixels.
        labels: of each box, which choose its colour.
        texts: what is written at each box; its label when None.
        color: of all; by default one for each label, white where there are none.
        width: of the lines, in points.
        linestyle: of matplotlib.
    """
    _, patches, patheffects = _matplotlib()
    outline = [patheffects.withStroke(linewidth=width + 1.5, foreground="black")]
    written = labels if texts is None else texts
    colors = _colors(labels, len(boxes)) if color is None else [color] * len(boxes)
    for i, (left, upper, right, lower) in enumerate(boxes.tolist()):
        if right <= left or lower <= upper:
            continue
        box = patches.Rectangle(
            (left - CENTRE, upper - CENTRE), right - left, lower - upper, fill=False,
            edgecolor=colors[i], linewidth=width, linestyle=linestyle,
        )  # fmt: skip
        ax.add_patch(box).set_path_effects(outline)
        if written is not None:
            _write_label(ax, written[i], (left - CENTRE, upper - CENTRE), colors[i], patheffects)


def _write_label(
    ax: Axes, label: Any, at: tuple[float, float], color: Any, patheffects: Any
) -> None:
    """The label inside of its box at the upper left corner, moved into the picture."""
    low_x, high_x = sorted(ax.get_xlim())
    low_y, high_y = sorted(ax.get_ylim())
    text = ax.text(
        min(max(at[0], low_x), high_x), min(max(at[1], low_y), high_y), f" {label}",
        verticalalignment="top", color=color, fontsize=10, weight="bold", clip_on=True,
    )  # fmt: skip
    text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="black")])


# Bright enough to be read over any picture, within their black outline.
_PALETTE = (
    "#ffd54a", "#ff6b6b", "#4dd0ff", "#8ee04e", "#ff8ad8", "#ffa040", "#b79cff", "#5ff0c0",
    "#ff5cf4", "#d4f04a", "#7fb2ff", "#ffb3a7", "#00e5e5",
)  # fmt: skip


def _colors(labels: Sequence[Any] | None, count: int) -> list[str]:
    """A colour for each box: one for each label, as far as they go the same in all pictures."""
    if labels is None:
        return ["white"] * count
    chosen: dict[str, str] = {}
    for label in sorted(set(map(str, labels))):
        # By its letters, for a picture does not know the labels of the others; where two of one
        # picture would meet, the later one takes the next.
        at = zlib.crc32(label.encode()) % len(_PALETTE)
        others = [*_PALETTE[at:], *_PALETTE[:at]]
        chosen[label] = next((c for c in others if c not in chosen.values()), others[0])
    return [chosen[str(label)] for label in labels]


def new_axes(size: tuple[int, int] | None) -> Axes:
    """Axes of a new figure with the directions of a picture, and its size where that is known."""
    pyplot, _, _ = _matplotlib()
    _, ax = pyplot.subplots(figsize=(3, 3))
    ax.set_aspect("equal")
    if size is None:
        ax.invert_yaxis()
    else:
        ax.set_xlim(-CENTRE, size[0] - CENTRE)
        ax.set_ylim(size[1] - CENTRE, -CENTRE)
    return ax


def as_rows(coordinates: Any, width: int) -> Tensor:
    """(N, width) plain numbers on the CPU."""
    return (
        torch.as_tensor(coordinates).detach().cpu().as_subclass(Tensor).float().reshape(-1, width)
    )


def _matplotlib() -> tuple[Any, Any, Any]:
    try:
        import matplotlib.pyplot as plt
        from matplotlib import patches, patheffects
    except ImportError as error:
        raise MissingDependencyError.of(
            "matplotlib", needed_for="figures", install="layerwise-core[plot]"
        ) from error
    return plt, patches, patheffects
