"""How tables look: batches and results as printed frames, a row each."""

from __future__ import annotations

from typing import Any

from layerwise.core.display.generic import show_batch, show_results
from layerwise.core.display.table import display_df
from layerwise.tabular.table import Tabular

__all__: list[str] = []


@show_batch.register
def _(
    x: Tabular,
    y: object,  # noqa: ARG001 - a table has its targets in it
    samples: Any = None,  # noqa: ARG001 - and its rows
    ctxs: Any = None,  # noqa: ARG001 - one frame for all
    max_n: int = 9,
) -> None:
    """Rows of a batch, as they were before they were encoded."""
    x.show(max_n)


@show_results.register
def _(
    x: Tabular,
    y: Tabular,
    samples: Any = None,  # noqa: ARG001 - a table has its rows in it
    outs: Any = None,  # noqa: ARG001 - and its predictions
    ctxs: Any = None,  # noqa: ARG001 - one frame for all
    max_n: int = 9,
) -> None:
    """Rows with their targets, and beside these what was predicted."""
    frame = x.items.head(max_n).copy()
    for name in x.y_names:
        frame[f"{name}_pred"] = y.items[name].head(max_n)
    display_df(frame)
