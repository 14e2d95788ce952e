"""How batches of pictures are shown: grids of axes, titles for labels, errors in red.

Importing the package imports this module, so that whoever holds a `TensorImage` has these methods.
"""

from collections.abc import Callable, Sequence
from typing import Any

from layerwise.core.display.answers import (
    are_same,
    how_many,
    members_of,
    show_answers,
    show_losses,
)
from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import plot_top_losses, show, show_batch, show_results
from layerwise.core.display.titled import show_title
from layerwise.core.tensors import (
    TensorCategory,
    TensorImage,
    TensorImageBase,
    TensorMask,
    TensorMultiCategory,
)
from layerwise.vision.coords import TensorPoint

__all__ = ["show_pairs", "show_pictures", "show_triples"]

Axes = Any  # of matplotlib, which is imported only when something is drawn


def show_pictures(
    samples: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """The axes with one sample on each: its picture, what lies over it, its label as title.

    Args:
        samples: decoded samples, tuples of inputs and targets.
        ctxs: axes to draw on; those of a new grid when None.
        max_n: how many at most; a grid of given rows and columns may hold fewer.
        nrows: rows of the grid.
        ncols: columns of the grid.
        figsize: width and height of the figure in inches.
    """
    count = how_many(samples, max_n, nrows, ncols)
    axes = ctxs if ctxs is not None else get_grid(count, nrows, ncols, figsize=figsize)
    return [show(sample, ctx=ax) for sample, ax in zip(samples[:count], axes, strict=False)]


def show_pairs(
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """The axes with target and prediction side by side, for targets that lie over pictures.

    Args:
        samples: decoded samples, tuples of inputs and targets.
        outs: decoded predictions, a tuple for each sample.
        ctxs: axes to draw on, two for each sample; those of a new grid when None.
        max_n: how many samples at most.
        nrows: rows of the grid.
        ncols: columns of the grid, a pair in each; one when None.
        figsize: width and height of the figure in inches.
    """
    pairs = [
        (sample, (*_inputs_of(sample, members_of(out)), *members_of(out)))
        for sample, out in zip(samples, outs, strict=False)
    ]
    shown = pairs[: how_many(samples, max_n, nrows, ncols)]
    return _show_rows(shown, ("Target", "Prediction"), ctxs, nrows, ncols, figsize)


def show_triples(
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """The axes with input, target and prediction side by side, for targets that are pictures.

    Args:
        samples: decoded samples, an input and a target each.
        outs: decoded predictions, a tuple for each sample.
        ctxs: axes to draw on, three for each sample; those of a new grid when None.
        max_n: how many samples at most.
        nrows: rows of the grid.
        ncols: columns of the grid, a triple in each; one when None.
        figsize: width and height of the figure in inches.
    """
    triples = [
        (sample[0], sample[-1], members_of(out)[-1])
        for sample, out in zip(samples, outs, strict=False)
    ]
    shown = triples[: how_many(samples, max_n, nrows, ncols)]
    return _show_rows(shown, ("Input", "Target", "Prediction"), ctxs, nrows, ncols, figsize)


def _show_rows(
    rows: Sequence[tuple[Any, ...]],
    names: tuple[str, ...],
    ctxs: Sequence[Axes] | None,
    nrows: int | None,
    ncols: int | None,
    figsize: tuple[float, float] | None,
) -> list[Axes]:
    """What belongs together side by side on axes of its own, `ncols` times in a row of the grid."""
    width = len(names)
    if ctxs is None:
        if ncols is None:
            ncols = 1 if nrows is None else -(-len(rows) // nrows)
        ctxs = get_grid(
            len(rows) * width, nrows, ncols * width, figsize=figsize, title="/".join(names)
        )
    for i, row in enumerate(rows):
        for value, ax in zip(row, ctxs[i * width : (i + 1) * width], strict=False):
            show(value, ctx=ax)
    return list(ctxs)


@show_batch.register
def _(
    x: TensorImage,  # noqa: ARG001 - chooses the method
    y: object,  # noqa: ARG001
    samples: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    return show_pictures(samples, ctxs, max_n, nrows, ncols, figsize)


@show_batch.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: TensorImageBase,  # noqa: ARG001
    samples: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Two pictures a sample, side by side; a mask lies over its picture instead."""
    if samples and isinstance(members_of(samples[0])[-1], TensorMask):
        return show_pictures(samples, ctxs, max_n, nrows, ncols, figsize)
    count = how_many(samples, max_n, nrows, ncols)
    if ctxs is None:
        ctxs = get_grid(count, nrows, ncols, figsize=figsize, double=True)
    for i, sample in enumerate(samples[:count]):
        for member, ax in zip(sample, ctxs[2 * i : 2 * i + 2], strict=False):
            show(member, ctx=ax)
    return list(ctxs)


@show_results.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: object,  # noqa: ARG001
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """The picture, with the target and below it the prediction as title."""
    return with_titles(samples, outs, ctxs, max_n, nrows, ncols, figsize, judge=None)


@show_results.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: TensorCategory | TensorMultiCategory,  # noqa: ARG001
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Target above prediction: green where they are the same, red where they differ."""
    return with_titles(samples, outs, ctxs, max_n, nrows, ncols, figsize, judge=are_same)


@show_results.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: TensorImageBase | TensorPoint,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    draw = show_pairs if _lies_over(y) else show_triples
    return draw(samples, outs, ctxs, max_n, nrows, ncols, figsize)


@plot_top_losses.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: TensorCategory | TensorMultiCategory,  # noqa: ARG001
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],
    losses: Sequence[Any],
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Each picture under prediction, target, loss and the largest probability."""
    axes = get_grid(
        len(samples),
        nrows,
        ncols,
        figsize=figsize,
        add_vert=1,
        title="Prediction/Actual/Loss/Probability",
    )
    return show_losses(samples, outs, losses, axes, raws=raws)


@plot_top_losses.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: object,  # noqa: ARG001
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],  # noqa: ARG001 - numbers have no probability
    losses: Sequence[Any],
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Each picture under target, prediction and loss."""
    axes = with_titles(
        samples, outs, None, len(samples), nrows, ncols, figsize, judge=None, add_vert=2
    )
    return with_losses(axes, axes, losses)


@plot_top_losses.register
def _(
    x: TensorImage,  # noqa: ARG001
    y: TensorImageBase | TensorPoint,
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],  # noqa: ARG001 - a mask has a probability at each pixel
    losses: Sequence[Any],
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Target and prediction of each picture side by side, the loss above."""
    draw, width = (show_pairs, 2) if _lies_over(y) else (show_triples, 3)
    axes = draw(samples, outs, None, len(samples), nrows, ncols, figsize)
    return with_losses(axes, axes[::width], losses)


def _lies_over(target: Any) -> bool:
    """Whether a target is drawn over its picture rather than beside it."""
    return isinstance(target, TensorMask | TensorPoint)


def with_losses(axes: list[Axes], titled: list[Axes], losses: Sequence[Any]) -> list[Axes]:
    for ax, loss in zip(titled, losses, strict=False):
        show_title(f"loss {float(loss):.2f}", ax=ax)
    return axes


def with_titles(
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None,
    max_n: int,
    nrows: int | None,
    ncols: int | None,
    figsize: tuple[float, float] | None,
    *,
    judge: Callable[[Any, Any], bool] | None,
    add_vert: int = 1,
) -> list[Axes]:
    count = how_many(samples, max_n, nrows, ncols)
    axes = ctxs
    if axes is None:
        axes = get_grid(
            count, nrows, ncols, figsize=figsize, add_vert=add_vert, title="Target/Prediction"
        )
    return show_answers(samples[:count], outs, axes, judge=judge)


def _inputs_of(sample: Any, predicted: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sample[: len(sample) - len(predicted)])
