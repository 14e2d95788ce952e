"""How samples of several pictures, or with several targets, are shown.

Importing the package imports this module, as it does `show`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from layerwise.core.display.answers import are_same, how_many, members_of, write_answers
from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import plot_top_losses, show, show_batch, show_results
from layerwise.core.tensors import TensorCategory, TensorImage, TensorImageBase
from layerwise.vision.coords import LabeledBBox, TensorPoint
from layerwise.vision.show import Axes, show_pairs, with_losses, with_titles

__all__ = ["show_side_by_side"]


def show_side_by_side(
    samples: Sequence[Any],
    outs: Sequence[Any] | None = None,
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
    *,
    pictures: int = 2,
    judge: Callable[[Any, Any], bool] | None = None,
    add_vert: float = 0,
) -> list[Axes]:
    """The axes with the pictures of each sample in a row, all else as title of the first.

    Args:
        samples: decoded samples whose first members are pictures.
        outs: decoded predictions, shown below the targets; none when None.
        ctxs: axes to draw on, as many for each sample as it has pictures.
        max_n: how many samples at most.
        nrows: rows of the grid, in samples.
        ncols: columns of the grid, in samples; one when None.
        figsize: width and height of the figure in inches.
        pictures: how many there are in a sample.
        judge: whether a prediction is right, for the colour of the title.
        add_vert: inches to add to the height, for titles of several lines.
    """
    shown = how_many(samples, max_n, nrows, ncols)
    if ctxs is None:
        ncols = 1 if nrows is None and ncols is None else ncols
        ncols = -(-shown // nrows) if ncols is None and nrows is not None else ncols or 1
        ctxs = get_grid(
            shown * pictures, None, ncols * pictures, figsize=figsize, add_vert=add_vert,
            title=None if outs is None else "Target/Prediction",
        )  # fmt: skip
    for i, sample in enumerate(samples[:shown]):
        axes = ctxs[i * pictures : (i + 1) * pictures]
        for member, ax in zip(sample, axes, strict=False):
            show(member, ctx=ax)
        predicted = () if outs is None else members_of(outs[i])
        write_answers(axes[0], tuple(sample[pictures:]), predicted, judge)
    return list(ctxs)


# -- several inputs ----------------------------------------------------------------------------


@show_batch.register
def _(
    x: tuple,  # type: ignore[type-arg]  # dispatch takes the class
    y: object,
    samples: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    **grid: Any,
) -> list[Axes]:
    """Pictures side by side; other tuples as everywhere, in a table."""
    if not _are_pictures(x):
        return _elsewhere(show_batch)(x, y, samples, ctxs, max_n, **grid)
    return show_side_by_side(samples, None, ctxs, max_n, pictures=len(x), **grid)


@show_results.register
def _(
    x: tuple,  # type: ignore[type-arg]  # dispatch takes the class
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    **grid: Any,
) -> list[Axes]:
    """Pictures side by side under target and prediction; other tuples in a table."""
    if not _are_pictures(x):
        return _elsewhere(show_results)(x, y, samples, outs, ctxs, max_n, **grid)
    judge = are_same if isinstance(y, TensorCategory) else None
    return show_side_by_side(
        samples, outs, ctxs, max_n, pictures=len(x), judge=judge, add_vert=1, **grid
    )


@plot_top_losses.register
def _(
    x: tuple,  # type: ignore[type-arg]  # dispatch takes the class
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],
    losses: Sequence[Any],
    **grid: Any,
) -> list[Axes]:
    """Pictures side by side under target, prediction and loss; other tuples in a table."""
    if not _are_pictures(x):
        return _elsewhere(plot_top_losses)(x, y, samples, outs, raws, losses, **grid)
    axes = show_side_by_side(samples, outs, None, len(samples), pictures=len(x), add_vert=1, **grid)
    return with_losses(axes, axes[:: len(x)], losses)


def _are_pictures(x: tuple[Any, ...]) -> bool:
    return len(x) > 0 and all(isinstance(member, TensorImage) for member in x)


def _elsewhere(dispatch: Any) -> Callable[..., list[Any]]:
    """The method for inputs of no kind that is known."""
    found: Callable[..., list[Any]] = dispatch.default
    return found


# -- several targets ---------------------------------------------------------------------------


@show_results.register
def _(
    x: TensorImage,  # noqa: ARG001 - chooses the method
    y: tuple,  # type: ignore[type-arg]  # dispatch takes the class
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Side by side where a target is drawn over the picture, otherwise titles."""
    if any(map(_is_drawn, y)):
        return show_pairs(samples, outs, ctxs, max_n, nrows, ncols, figsize)
    judge = are_same if all(isinstance(target, TensorCategory) for target in y) else None
    return with_titles(samples, outs, ctxs, max_n, nrows, ncols, figsize, judge=judge)


@plot_top_losses.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: tuple,  # type: ignore[type-arg]  # dispatch takes the class
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],  # noqa: ARG001 - of several kinds
    losses: Sequence[Any],
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """As for `show_results`, with the loss above."""
    if any(map(_is_drawn, y)):
        axes = show_pairs(samples, outs, None, len(samples), nrows, ncols, figsize)
        return with_losses(axes, axes[::2], losses)
    axes = with_titles(
        samples, outs, None, len(samples), nrows, ncols, figsize, judge=None, add_vert=2
    )
    return with_losses(axes, axes, losses)


def _is_drawn(target: Any) -> bool:
    return isinstance(target, TensorImageBase | TensorPoint | LabeledBBox)
