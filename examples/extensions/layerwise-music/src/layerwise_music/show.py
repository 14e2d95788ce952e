"""How batches of music are shown: a piano roll each, what was predicted in another colour.

Importing the package imports this module, so that whoever holds a `TensorMusic` has these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import show_batch, show_results

from layerwise_music.picture import draw_score
from layerwise_music.score import Score
from layerwise_music.types import TensorMusic

__all__: list[str] = []

_SIZE = (9.0, 2.2)  # inches of a piano roll


@show_batch.register
def _(
    x: TensorMusic,
    y: object,
    samples: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 4,
) -> Any:
    """A piano roll for each row of the batch."""
    shown = samples[:max_n]
    axes = _axes(len(shown)) if ctxs is None else ctxs
    for sample, ax in zip(shown, axes, strict=False):
        draw_score(_first_score(sample), ax)
    return axes


@show_results.register
def _(
    x: TensorMusic,
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 4,
) -> Any:
    """Two piano rolls for each row: what stands there, and the likeliest at each place (orange)."""
    shown = list(zip(samples, outs, strict=False))[:max_n]
    axes = _axes(2 * len(shown)) if ctxs is None else ctxs
    for i, (sample, out) in enumerate(shown):
        draw_score(_first_score(sample[1:]), axes[2 * i], title="target")
        draw_score(_first_score(out), axes[2 * i + 1], title="prediction", color="tab:orange")
    return axes


def _axes(count: int) -> Any:
    width, height = _SIZE
    return get_grid(count, count, 1, figsize=(width, height * count))


def _first_score(sample: Any) -> Score:
    members = sample if isinstance(sample, tuple | list) else (sample,)
    return next(member for member in members if isinstance(member, Score))
