"""How batches of songs are shown: one on each axes, under the name of its singer.

Importing the package imports this module, so that whoever holds a `TensorSong` has these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.display.answers import are_same, show_answers
from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import show_batch, show_results, show_samples

from layerwise_birds.types import TensorSong

__all__: list[str] = []


@show_batch.register
def _(
    x: TensorSong, y: object, samples: Sequence[Any], ctxs: Any = None, max_n: int = 9
) -> list[Any]:
    """A grid of songs, their singers as titles."""
    axes = ctxs if ctxs is not None else get_grid(min(len(samples), max_n))
    return show_samples(samples[:max_n], axes)


@show_results.register
def _(
    x: TensorSong,
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Any = None,
    max_n: int = 9,
) -> list[Any]:
    """A grid of songs, singer and prediction as titles, red where they differ."""
    axes = ctxs if ctxs is not None else get_grid(min(len(samples), max_n), add_vert=1)
    return show_answers(samples[:max_n], outs, axes, judge=are_same)
