"""The show functions, chosen by the types of input and target; domains register their own.

Each has a default that prints a table, so that every kind of data shows as something.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from layerwise.core.dispatch import Dispatch
from layerwise.core.display.table import Table, display_table, get_empty_df
from layerwise.core.display.titled import ShowTitle, show_title

__all__ = ["plot_top_losses", "show", "show_batch", "show_results", "show_samples"]

_MOST_VALUES = 8  # numbers of a tensor that are read at a glance; larger ones are summarised


# -- one value -----------------------------------------------------------------------------


def _show(x: Any, ctx: Any = None, **kwargs: Any) -> Any:
    """The context with `x` on it, by the method `show` of `x` if it has one, else as a title.

    Chosen by the type of `x`: `@show.register` on a function whose first parameter is annotated.

    Args:
        x: what to show.
        ctx: axes, a row of a table, or None for a new figure or a printed line.
        **kwargs: passed to the method.

    Example:
        >>> show(3, ctx={})
        {'text': 3}
    """
    if hasattr(x, "show"):
        found = x.show(ctx=ctx, **kwargs)
        return ctx if found is None else found
    return show_title(_cell(x), ctx=ctx, **kwargs)


show = Dispatch(_show, name="show")


@show.register
def _(x: tuple, ctx: Any = None, **kwargs: Any) -> Any:  # type: ignore[type-arg]  # dispatch takes the class
    """A sample: its members one after the other on one context."""
    if hasattr(x, "show"):
        return _show(x, ctx=ctx, **kwargs)
    for member in x:
        ctx = show(member, ctx=ctx, **kwargs)
    return ctx


def _cell(x: Any) -> Any:
    """What stands for `x` in a table: itself, or the kind and the shape of large arrays."""
    if not isinstance(x, Tensor | np.ndarray):
        return x
    size = x.numel() if isinstance(x, Tensor) else x.size
    if hasattr(x, "show") or size > _MOST_VALUES:
        return f"{type(x).__name__} {tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}"
    return x.tolist()


def show_samples(samples: Iterable[Any], ctxs: Iterable[Any], **kwargs: Any) -> list[Any]:
    """The contexts with one sample on each, for as many as there are of both.

    Args:
        samples: tuples, whose members are shown by `show` one after the other, or single values.
        ctxs: axes, or rows of a table.
        **kwargs: passed to `show` for each member.

    Example:
        >>> show_samples([("so good", 1)], [{}])
        [{'text': 'so good', 'text_': 1}]
    """
    return [show(s, ctx=ctx, **kwargs) for s, ctx in zip(samples, ctxs)]  # noqa: B905 - as documented


# -- batches -------------------------------------------------------------------------------


def _show_batch(
    x: Any,  # noqa: ARG001 - chooses the method
    y: Any,  # noqa: ARG001 - chooses the method
    samples: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 9,
) -> list[Any]:
    """The contexts with one sample of a batch on each; by default rows of a printed table.

    Chosen by the types of `x` and `y`: `@show_batch.register` on a function whose first two
    parameters are annotated.

    Args:
        x: inputs of the batch, for their type.
        y: targets of the batch, for their type.
        samples: decoded samples, tuples of inputs and targets.
        ctxs: where to show them, by default rows of a table, which is then printed.
        max_n: how many at most.

    Example:
        >>> rows = show_batch(0, 0, [("so good", 1), ("bad", 0)], max_n=1)
        input    target
        so good       1
    """
    rows = get_empty_df(len(samples)) if ctxs is None else ctxs
    filled = [_fill(ctx, sample) for sample, ctx in zip(samples[:max_n], rows)]  # noqa: B905 - fewer with max_n
    return _displayed(filled, is_own=ctxs is None)


show_batch = Dispatch(_show_batch, arity=2, name="show_batch")


def _show_results(
    x: Any,  # noqa: ARG001 - chooses the method
    y: Any,  # noqa: ARG001 - chooses the method
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 9,
) -> list[Any]:
    """The contexts with one sample and its prediction on each; by default rows of a table.

    Chosen by the types of `x` and `y`, as `show_batch` is.

    Args:
        x: inputs of the batch, for their type.
        y: targets of the batch, for their type.
        samples: decoded samples, tuples of inputs and targets.
        outs: decoded predictions, one (or a tuple of them) for each sample.
        ctxs: where to show them, by default rows of a table, which is then printed.
        max_n: how many at most.

    Example:
        >>> rows = show_results(0, 0, [("so good", 1)], [(0,)])
        input    target  prediction
        so good       1           0
    """
    rows = get_empty_df(len(samples)) if ctxs is None else ctxs
    shown = zip(samples[:max_n], outs, rows)  # noqa: B905 - fewer with max_n
    filled = [_fill_prediction(_fill(ctx, sample), out) for sample, out, ctx in shown]
    return _displayed(filled, is_own=ctxs is None)


show_results = Dispatch(_show_results, arity=2, name="show_results")


def _plot_top_losses(
    x: Any,  # noqa: ARG001 - chooses the method
    y: Any,  # noqa: ARG001 - chooses the method
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],
    losses: Sequence[Any],
) -> list[Any]:
    """Rows with sample, prediction, its probability and loss; by default printed as a table.

    Chosen by the types of `x` and `y`, as `show_batch` is.

    Args:
        x: inputs of the batch, for their type.
        y: targets of the batch, for their type.
        samples: decoded samples, tuples of inputs and targets, worst first.
        outs: decoded predictions.
        raws: predictions before decoding; of several values, the largest is the probability.
        losses: loss of each sample.

    Example:
        >>> raws, losses = [np.array([0.25, 0.75])], [1.5]
        >>> rows = plot_top_losses(0, 0, [("so good", 0)], [(1,)], raws, losses)
        input    target  prediction  probability  loss
        so good       0           1         0.75   1.5
    """
    filled = []
    for sample, out, raw, loss in zip(samples, outs, raws, losses, strict=True):
        row = _fill_prediction(_fill({}, sample), out)
        if np.ndim(raw) == 1 and len(raw) > 1:
            row["probability"] = float(max(raw))
        row["loss"] = float(loss)
        filled.append(row)
    return _displayed(filled, is_own=True)


plot_top_losses = Dispatch(_plot_top_losses, arity=2, name="plot_top_losses")


class _Displayed(list[Any]):
    """Rows that have been shown as a table: a notebook that ends a cell with them adds nothing."""

    def _ipython_display_(self) -> None:
        pass


def _displayed(filled: list[Any], *, is_own: bool) -> list[Any]:
    if not is_own:
        return filled
    display_table(Table(filled))
    return _Displayed(filled)


def _members(sample: Any) -> tuple[Any, ...]:
    return sample if isinstance(sample, tuple) and not hasattr(sample, "show") else (sample,)


def _fill(ctx: Any, sample: Any) -> Any:
    """`ctx` with each member of `sample`: titles under their own label, others by their place."""
    members = _members(sample)
    for i, member in enumerate(members):
        last = i == len(members) - 1 and i > 0
        label = "target" if last else "input" if len(members) <= 2 else f"input {i}"
        ctx = _write(ctx, member, label=None if isinstance(member, ShowTitle) else label)
    return ctx


def _fill_prediction(ctx: Any, out: Any) -> Any:
    for member in _members(out):
        ctx = _write(ctx, member, label="prediction")
    return ctx


def _write(ctx: Any, member: Any, label: str | None) -> Any:
    """`ctx` with one member: drawn where `ctx` can be drawn on, else as text.

    Pictures have a method `show` too, but it cannot draw on the row of a table.
    """
    is_drawing = hasattr(ctx, "set_title")
    if isinstance(member, ShowTitle):
        return member.show(ctx=ctx, **({"label": label} if label else {}))
    return show(member, ctx=ctx) if is_drawing else show_title(_cell(member), ctx=ctx, label=label)
