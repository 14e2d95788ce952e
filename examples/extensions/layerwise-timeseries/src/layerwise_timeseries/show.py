"""How batches of series are shown: one on each axes, a line for each channel.

Importing the package imports this module, so that whoever holds a `TensorSeries` has these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import (
    plot_top_losses,
    show_batch,
    show_results,
    show_samples,
)
from layerwise.core.display.titled import show_title

from layerwise_timeseries.types import TensorSeries

__all__: list[str] = []


@show_batch.register
def _(
    x: TensorSeries,
    y: object,
    samples: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 9,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """A grid of series, their targets as titles."""
    return show_samples(samples[:max_n], _axes(samples, ctxs, max_n, figsize))


@show_results.register
def _(
    x: TensorSeries,
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 9,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """A grid of series, target and prediction as titles, red where classes differ."""
    axes = _axes(samples, ctxs, max_n, figsize)
    for (series, target), (guess, *_), ax in zip(samples[:max_n], outs, axes, strict=False):
        _show_guess(series, target, guess, f"{target}\n{guess}", ax)
    return list(axes)


@plot_top_losses.register
def _(
    x: TensorSeries,
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],
    losses: Sequence[Any],
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """A grid of series: target, prediction and loss as titles, worst first."""
    axes = _axes(samples, None, len(samples), figsize)
    for (series, target), (guess, *_), loss, ax in zip(samples, outs, losses, axes, strict=True):
        _show_guess(series, target, guess, f"{target}\n{guess}, loss {float(loss):.2f}", ax)
    return list(axes)


def _axes(samples: Sequence[Any], ctxs: Any, max_n: int, figsize: Any) -> Any:
    count = min(len(samples), max_n)
    return ctxs if ctxs is not None else get_grid(count, figsize=figsize, add_vert=1)


def _show_guess(series: Any, target: Any, guess: Any, title: str, ax: Any) -> None:
    is_right = str(target) == str(guess)
    colour = "black" if isinstance(guess, float) else "green" if is_right else "red"
    show_title(title, ctx=series.show(ctx=ax), color=colour)
