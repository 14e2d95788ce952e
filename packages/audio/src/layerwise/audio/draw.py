"""One signal or spectrogram on axes: seconds along, amplitude or Hz upwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.display.axes import subplots
from layerwise.core.nested import to_np

__all__ = ["show_audio_signal", "show_spectrogram"]

# C: channels. N: samples. F: rows. T: frames.

Axes = Any  # of matplotlib, which is imported only when something is drawn

_MOST_POINTS = 4000  # of a line that eyes can tell apart; longer signals are drawn as a band
_SIZE = (6.0, 2.5)  # inches of a figure, for each channel
_TICKS = (0, 50, 100, 200, 500, 1000, 2000, 4000, 8000, 16000, 32000)


def show_audio_signal(
    x: AudioTensor,
    ctx: Axes = None,
    ax: Axes = None,
    figsize: tuple[float, float] | None = None,
    title: Any = None,
    color: str = "C0",
) -> Axes:
    """The axes that a signal was drawn on, time in seconds; several channels above each other.

    Args:
        x: (C, N).
        ctx: axes; those of a new figure when None.
        ax: the same as `ctx`.
        figsize: width and height of the new figure in inches.
        title: title of the axes.
        color: of the line.

    Raises:
        ValueError: if `x` is no (C, N).
    """

    def draw(place: Axes, channel: Any) -> None:
        times = np.arange(len(channel)) / x.sr
        if len(channel) <= _MOST_POINTS:
            place.plot(times, channel, color=color, linewidth=0.7)
        else:
            low, high, at = _band(channel, times)
            place.fill_between(at, low, high, color=color, linewidth=0.4)
        place.set_xlim(0, max(x.duration, 1 / x.sr))
        place.set_ylabel("amplitude", fontsize="small")

    _check_axes(x, 2, "(channels, samples)")
    return _by_channel(x, draw, ax if ctx is None else ctx, figsize, title)


def show_spectrogram(
    x: AudioSpectrogram,
    ctx: Axes = None,
    ax: Axes = None,
    figsize: tuple[float, float] | None = None,
    title: Any = None,
    cmap: str = "magma",
    colorbar: bool = True,
) -> Axes:
    """The axes that a spectrogram was drawn on, low frequencies below; channels above each other.

    Time is in seconds and rows are in Hz, as far apart as they are in the spectrogram: mel bands
    stand at the frequency of their peak. Coefficients are counted.

    Args:
        x: (C, F, T).
        ctx: axes; those of a new figure when None.
        ax: the same as `ctx`.
        figsize: width and height of the new figure in inches.
        title: title of the axes.
        cmap: colours.
        colorbar: what colours mean, beside the picture: dB where values are decibels.

    Raises:
        ValueError: if `x` is no (C, F, T).
    """

    def draw(place: Axes, channel: Any) -> None:
        rows, half = len(channel), x.hop_length / x.sr / 2
        begin, end = x.times[0].item() - half, x.times[-1].item() + half
        picture = place.imshow(
            channel, origin="lower", aspect="auto", cmap=cmap, interpolation="nearest",
            extent=(begin, end, -0.5, rows - 0.5),
        )  # fmt: skip
        place.set_xlim(max(0, begin), end)
        _name_rows(place, x, rows)
        if colorbar:
            unit = "%+.0f dB" if x.to_db and x.kind != "mfcc" else None
            beside = place.inset_axes((1.02, 0, 0.03, 1))
            place.figure.colorbar(picture, cax=beside, format=unit).ax.tick_params(labelsize=8)

    _check_axes(x, 3, "(channels, rows, frames)")
    return _by_channel(x, draw, ax if ctx is None else ctx, figsize, title)


def _check_axes(x: Tensor, ndim: int, what: str) -> None:
    if x.ndim != ndim or 0 in x.shape:
        raise ValueError(
            f"a {type(x).__name__} of shape {tuple(x.shape)} is not drawn; give one of {what} that "
            "is not empty, an item of a batch for example"
        )


def _by_channel(
    x: Tensor,
    draw: Callable[[Axes, Any], None],
    ax: Axes,
    figsize: tuple[float, float] | None,
    title: Any,
) -> Axes:
    """The axes with each channel of `x` drawn on a part of its own, the first above."""
    channels = to_np(x)
    count = len(channels)
    if ax is None:
        size = figsize or (_SIZE[0], _SIZE[1] * count)
        ax = subplots(1, 1, figsize=size, layout="constrained")[1][0]
    parts = [ax]
    if count > 1:
        ax.set_axis_off()
        height = 1 / (count + 0.3 * (count - 1))
        parts = [ax.inset_axes((0, 1 - (1.3 * i + 1) * height, 1, height)) for i in range(count)]
    for part, channel in zip(parts, channels, strict=True):
        draw(part, channel)
        part.tick_params(labelsize="small")
    for part in parts[:-1]:
        part.set_xticklabels([])
    parts[-1].set_xlabel("seconds", fontsize="small")
    if title is not None:
        ax.set_title(str(title))
    return ax


def _band(channel: Any, times: Any) -> tuple[Any, Any, Any]:
    """Smallest and largest of as many stretches as can be told apart, and when each begins."""
    size = -(-len(channel) // _MOST_POINTS)
    starts = np.arange(0, len(channel), size)
    low, high = np.minimum.reduceat(channel, starts), np.maximum.reduceat(channel, starts)
    return low, high, times[starts]


def _name_rows(ax: Axes, x: AudioSpectrogram, rows: int) -> None:
    """Ticks in Hz where rows have a frequency."""
    freqs = x.freqs
    if freqs is None:
        ax.set_ylabel("coefficient" if x.kind == "mfcc" else "row", fontsize="small")
        return
    # Rows that were resized lie evenly between those that there were.
    at = np.linspace(0, rows - 1, len(freqs))
    known = to_np(freqs)
    span = known[-1] - known[0]
    even = [step for step in (250, 500, 1000, 2000, 4000, 8000) if span / step <= 8]
    wanted = _TICKS if x.mel else np.arange(0, known[-1] + 1, even[0] if even else span / 4)
    ticks = [hz for hz in wanted if known[0] <= hz <= known[-1]]
    places = np.interp(ticks, known, at)
    # Those that would stand on top of each other are left out, the lower ones first.
    kept: list[int] = []
    for i in reversed(range(len(ticks))):
        if not kept or places[kept[-1]] - places[i] >= rows / 12:
            kept.append(i)
    kept.reverse()
    ax.set_yticks([places[i] for i in kept], [f"{ticks[i]:g}" for i in kept])
    ax.set_ylabel("Hz", fontsize="small")
