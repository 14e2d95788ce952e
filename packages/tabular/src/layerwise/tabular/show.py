"""How tables look: batches and results as printed frames, a row each."""

from __future__ import annotations

from typing import Any

import pandas as pd

from layerwise.core.display.generic import plot_top_losses, show_batch, show_results
from layerwise.tabular.display import display_rows
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
    display_rows(_beside(x, y).head(max_n))


@plot_top_losses.register
def _(
    x: Tabular,
    y: Tabular,
    samples: Any,  # noqa: ARG001 - a table has its rows in it
    outs: Any,  # noqa: ARG001 - and its predictions
    raws: Any,
    losses: Any,
) -> None:
    """Rows with their targets, what was predicted, how likely it seemed, and the loss."""
    frame = _beside(x, y)
    if x.vocab is not None and all(len(raw) == len(x.vocab) for raw in raws):
        frame["probability"] = [float(max(raw)) for raw in raws]
    frame["loss"] = list(losses)
    display_rows(frame)


def _beside(x: Tabular, y: Tabular) -> pd.DataFrame:
    """The columns of `x`, and the targets of `y`, which were predicted."""
    return x.items.assign(**{f"{name}_pred": y.items[name] for name in x.y_names})
