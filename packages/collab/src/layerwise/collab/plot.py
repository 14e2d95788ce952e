"""`plot_items`: items by their factors on a plane, with their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.collab.recommend import factors_of_items, known_code, ratings_of
from layerwise.core.arrays import pca
from layerwise.core.errors import MissingDependencyError, names_nearest

__all__ = ["plot_items"]

# Where a name may stand beside its point: offset in points, and how it is aligned there.
_PLACES = (
    ((5, 0), "left", "center"), ((-5, 0), "right", "center"), ((0, 5), "center", "bottom"),
    ((0, -5), "center", "top"), ((4, 4), "left", "bottom"), ((4, -4), "left", "top"),
    ((-4, 4), "right", "bottom"), ((-4, -4), "right", "top"),
)  # fmt: skip


@names_nearest
def plot_items(
    learn: Any,
    items: Iterable[Any] | None = None,
    n: int = 50,
    components: tuple[int, int] = (0, 1),
    ax: Any = None,
) -> Any:
    """Axes with items along the directions in which the factors of all items vary most (PCA).

    Names are written where there is room for them, those given first before the others; an item
    whose name would cover another's is a point alone.

    Args:
        learn: a learner with a model of ours; one from `load_learner` too, with `items`.
        items: ids of the items; those with most ratings in training when None.
        n: how many of these.
        components: which two directions, 0 the one with most variation.
        ax: axes to draw on; a new figure when None.

    Raises:
        ValueError: if no items are given and the learner has no ratings to count.
        DataError: for an item that is not known; names the nearest.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError.of(
            "matplotlib", needed_for="figures", install="layerwise-core[plot]"
        ) from error
    data = ratings_of(learn)
    if items is None:
        if not len(data):
            raise ValueError("this learner has no ratings to choose items by; pass items=[ids]")
        counts = np.where(data.items.trained, data.counts(is_item=True), 0)
        codes = np.argsort(-counts, kind="stable")[: min(n, int((counts > 0).sum()))]
    else:
        codes = np.array([known_code(data.items, one) for one in items])
    # Directions of items that training has seen; the others are all at the mean.
    trained = data.items.trained.nonzero()[0]
    places = np.zeros((len(data.items), 2))
    factors = factors_of_items(learn)[trained]
    places[trained] = pca(factors, max(components) + 1).numpy()[:, list(components)]
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 7), layout="constrained")
    ax.scatter(places[codes, 0], places[codes, 1], s=12, color="tab:blue")
    ax.set_xlabel(f"component {components[0]}")
    ax.set_ylabel(f"component {components[1]}")
    _write_names(ax, places[codes], [str(data.items.classes[int(i)]) for i in codes])
    return ax


def _write_names(ax: Any, places: NDArray[Any], names: list[str]) -> None:
    """Each name beside its point, at the first place where it covers neither point nor name."""
    from matplotlib.transforms import Bbox

    figure = ax.figure
    figure.canvas.draw()  # places of the axes are not known before
    renderer, inside = figure.canvas.get_renderer(), ax.get_window_extent()
    points = ax.transData.transform(places)
    taken = [Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    for (x, y), name in zip(places, names, strict=True):
        for offset, horizontal, vertical in _PLACES:
            text = ax.annotate(
                name, (x, y), xytext=offset, textcoords="offset points", fontsize=7,
                ha=horizontal, va=vertical,
            )  # fmt: skip
            box = text.get_window_extent(renderer)
            is_inside = inside.x0 <= box.x0 and box.x1 <= inside.x1
            if is_inside and not any(box.overlaps(other) for other in taken):
                taken.append(box.padded(2))
                break
            text.remove()
