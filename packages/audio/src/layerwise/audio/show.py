"""How clips and their spectrograms are shown: alone, in batches, beside predictions, worst first.

Importing the package imports this module, so that whoever holds an `AudioTensor` has these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.audio.draw import show_audio_signal, show_spectrogram
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.display.answers import are_same, how_many, show_answers, show_losses
from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import plot_top_losses, show, show_batch, show_results
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
    shown = samples[: how_many(samples, max_n, nrows, ncols)]
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
    shown = samples[: how_many(samples, max_n, nrows, ncols)]
    axes = ctxs
    if axes is None:
        axes = _grid(len(shown), nrows, ncols, figsize, title="Target/Prediction")
    has_classes = isinstance(y, TensorCategory | TensorMultiCategory)
    return show_answers(shown, outs, axes, judge=are_same if has_classes else None)


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
    axes = _grid(len(samples), nrows, ncols, figsize, title=words)
    return show_losses(samples, outs, losses, axes, raws=raws if has_classes else None)


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
