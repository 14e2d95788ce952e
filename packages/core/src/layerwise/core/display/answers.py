"""Samples on axes with what was said of them: targets above predictions, right ones in green.

What the show methods of all domains share; each brings the grid that suits its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerwise.core.display.generic import show
from layerwise.core.display.titled import show_title
from layerwise.core.items import L

__all__ = [
    "are_same",
    "how_many",
    "members_of",
    "show_answers",
    "show_losses",
    "write_answers",
]

_MOST_NAMES = 3  # where loss and probability want room too

Axes = Any  # of matplotlib, which is imported only when something is drawn

Judge = Callable[[Any, Any], bool]
"""Whether a prediction is right, of it and its target."""


def show_answers(
    samples: Sequence[Any], outs: Sequence[Any], axes: Sequence[Axes], *, judge: Judge | None = None
) -> list[Axes]:
    """The axes with the inputs of a sample on each, and targets above predictions as title.

    Args:
        samples: decoded samples, tuples of inputs and targets.
        outs: decoded predictions, a tuple or a value for each sample.
        axes: at least as many as samples are to be shown.
        judge: whether a prediction is right, for the colour of the title; black when None.
    """
    for ax, sample, out in zip(axes, samples, outs, strict=False):
        predicted = members_of(out)
        inputs = len(sample) - len(predicted)
        for member in sample[:inputs]:
            show(member, ctx=ax)
        write_answers(ax, sample[inputs:], predicted, judge)
    return list(axes)


def show_losses(
    samples: Sequence[Any],
    outs: Sequence[Any],
    losses: Sequence[Any],
    axes: Sequence[Axes],
    *,
    raws: Sequence[Any] | None = None,
) -> list[Axes]:
    """The axes with the inputs of a sample on each, under prediction, target and loss.

    Args:
        samples: decoded samples, tuples of inputs and targets.
        outs: decoded predictions, a tuple or a value for each sample.
        losses: one number for each.
        axes: one for each.
        raws: the probabilities of classes, the largest of which is told; the title is green or red
            then, and black when None.
    """
    for i, (ax, sample, out) in enumerate(zip(axes, samples, outs, strict=False)):
        predicted, target = members_of(out), sample[-1]
        for member in sample[: len(sample) - len(predicted)]:
            show(member, ctx=ax)
        title = f"{_named(predicted[0])}/{_named(target)} / {float(losses[i]):.2f}"
        color = "black"
        if raws is not None:
            title += f" / {float(raws[i].max()):.2f}"
            color = "green" if are_same(predicted[0], target) else "red"
        show_title(title, ax=ax, color=color)
    return list(axes)


def write_answers(
    ax: Axes, targets: Sequence[Any], predicted: Sequence[Any], judge: Judge | None = None
) -> None:
    """Nothing; targets above predictions become the title of `ax`.

    Args:
        ax: axes.
        targets: of one sample.
        predicted: as many.
        judge: the title is green if it finds all right, else red; black when None.
    """
    color = "black"
    if judge is not None and predicted:
        right = all(judge(p, t) for p, t in zip(predicted, targets, strict=False))
        color = "green" if right else "red"
    for value in (*targets, *predicted):
        show(value, ctx=ax, color=color)


def how_many(
    samples: Sequence[Any], max_n: int, nrows: int | None = None, ncols: int | None = None
) -> int:
    """How many samples are shown: no more than a grid holds whose rows and columns are given.

    Example:
        >>> how_many(range(20), 9), how_many(range(20), 9, nrows=2, ncols=2)
        (9, 4)
    """
    count = min(len(samples), max_n)
    return count if nrows is None or ncols is None else min(count, nrows * ncols)


def members_of(out: Any) -> tuple[Any, ...]:
    """`out` as a tuple, unless it is one value that happens to be a tuple (it shows itself).

    Example:
        >>> members_of("cat"), members_of(("cat", 3))
        (('cat',), ('cat', 3))
    """
    return tuple(out) if isinstance(out, tuple) and not hasattr(out, "show") else (out,)


def are_same(predicted: Any, target: Any) -> bool:
    """Whether both are shown in the same words.

    Example:
        >>> are_same(3, "3")
        True
    """
    return str(predicted) == str(target)


def _named(value: Any) -> str:
    """A class, or a few of several, as they are shown above a picture with other things."""
    if not isinstance(value, L):
        return str(value)
    rest = f" +{len(value) - _MOST_NAMES}" if len(value) > _MOST_NAMES else ""
    return ";".join(map(str, value[:_MOST_NAMES])) + rest
