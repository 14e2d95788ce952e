"""How clips and their spectrograms are shown: alone, in batches, beside predictions, worst first.

Importing the package imports this module, so that whoever holds an `AudioTensor` has these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.audio.draw import show_audio_signal, show_spectrogram
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import plot_top_losses, show, show_batch, show_results
from layerwise.core.display.titled import show_title
from layerwise.core.tensors import TensorCategory, TensorMultiCategory

__all__: list[str] = []

Axes = Any  # of matplotlib, which is imported only when something is drawn

_WIDTH, _HEIGHT = 4.0, 3.0  # inches of one clip in a grid


show.add(show_audio_signal)
show.add(show_spectrogram)


@show_batch.register
def _(
    x: AudioTensor | AudioSpectrogram,  # noqa: ARG001 - chooses the method
    y: object,  # noqa: ARG001
    samples: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Each clip with its target as title."""
    shown = samples[: _how_many(samples, max_n, nrows, ncols)]
    axes = _grid(len(shown), nrows, ncols, figsize) if ctxs is None else ctxs
    return [show(sample, ctx=ax) for sample, ax in zip(shown, axes, strict=False)]


@show_results.register
def _(
    x: AudioTensor | AudioSpectrogram,  # noqa: ARG001
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Target above prediction: green where classes are the same, red where they differ."""
    shown = samples[: _how_many(samples, max_n, nrows, ncols)]
    axes = ctxs
    if axes is None:
        axes = _grid(len(shown), nrows, ncols, figsize, title="Target/Prediction")
    has_classes = isinstance(y, TensorCategory | TensorMultiCategory)
    for ax, sample, out in zip(axes, shown, outs, strict=False):
        predicted = _members(out)
        inputs, targets = sample[: -len(predicted)], sample[-len(predicted) :]
        for member in inputs:
            show(member, ctx=ax)
        color = _colour(targets, predicted) if has_classes else "black"
        for value in (*targets, *predicted):
            show(value, ctx=ax, color=color)
    return list(axes)


@plot_top_losses.register
def _(
    x: AudioTensor | AudioSpectrogram,  # noqa: ARG001
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],
    losses: Sequence[Any],
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """Each clip under prediction, target, loss and, for classes, the largest probability."""
    has_classes = isinstance(y, TensorCategory | TensorMultiCategory)
    words = "Prediction/Actual/Loss" + ("/Probability" if has_classes else "")
    axes: list[Axes] = _grid(len(samples), nrows, ncols, figsize, title=words)
    for ax, sample, out, raw, loss in zip(axes, samples, outs, raws, losses, strict=False):
        predicted = _members(out)
        inputs, targets = sample[: -len(predicted)], sample[-len(predicted) :]
        for member in inputs:
            show(member, ctx=ax)
        title = f"{predicted[0]}/{targets[0]} / {float(loss):.2f}"
        if has_classes:
            title += f" / {float(raw.max()):.2f}"
        show_title(title, ax=ax, color=_colour(targets, predicted) if has_classes else "black")
    return axes


def _grid(
    count: int,
    nrows: int | None,
    ncols: int | None,
    figsize: tuple[float, float] | None,
    title: str | None = None,
) -> list[Axes]:
    """The axes of a new figure, wider than high."""
    figure, axes = get_grid(count, nrows, ncols, figsize=figsize, title=title, return_fig=True)
    if figsize is None:
        rows, columns = axes[0].get_gridspec().get_geometry()
        figure.set_size_inches(columns * _WIDTH, rows * _HEIGHT + (0.4 if title else 0))
    return list(axes)


def _how_many(samples: Sequence[Any], max_n: int, nrows: int | None, ncols: int | None) -> int:
    """How many are shown: no more than a grid holds whose rows and columns are given."""
    count = min(len(samples), max_n)
    return count if nrows is None or ncols is None else min(count, nrows * ncols)


def _members(out: Any) -> tuple[Any, ...]:
    """`out` as a tuple, unless it is one value that happens to be a tuple (it shows itself)."""
    return tuple(out) if isinstance(out, tuple) and not hasattr(out, "show") else (out,)


def _colour(targets: Sequence[Any], predicted: Sequence[Any]) -> str:
    same = all(str(p) == str(t) for p, t in zip(predicted, targets, strict=False))
    return "green" if same else "red"
