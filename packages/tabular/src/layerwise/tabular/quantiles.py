"""`NormalizeQuantiles`: numbers by their rank, so that no distribution is too skewed for a net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from layerwise.tabular.procs import TabularProc, refuse_gaps

__all__ = ["NormalizeQuantiles"]

# The error of a rank among so many rows is under 0.2 %, and sorting more takes its time.
_MOST_ROWS = 100_000


class NormalizeQuantiles(TabularProc):
    """Numbers to a normal distribution, by their rank among the training rows.

    In place of `Normalize`, and better where columns are skewed or have outliers, as prices,
    incomes and counts do: nets learn more from them (Gorishniy et al., 2021, preprocess so).
    Between the ranks that were kept it is linear; numbers beyond those of training count as the
    largest or smallest, and are decoded to these, in the row that `predict` shows too.

    Args:
        n_quantiles: ranks to keep of each column, 2 or more.
        knots: what was learnt: by column the numbers of these ranks, and what they become; for
            making an equal one.

    Raises:
        ValueError: if a column has gaps and no `FillMissing` stands before.

    Example:
        >>> import pandas as pd
        >>> from layerwise.tabular.pandas_table import TabularPandas
        >>> df = pd.DataFrame({"income": [10.0, 20.0, 40.0, 80.0, 1e6]})
        >>> to = TabularPandas(df, NormalizeQuantiles, cont_names="income")
        >>> [f"{x:.2f}" for x in to.items["income"]]
        ['-1.28', '-0.52', '0.00', '0.52', '1.28']
    """

    order: float = 2

    def __init__(
        self, n_quantiles: int = 500, *, knots: Mapping[Any, tuple[Any, Any]] | None = None
    ) -> None:
        super().__init__()
        if n_quantiles < 2:
            raise ValueError(f"n_quantiles={n_quantiles}; give 2 or more")
        self.n_quantiles = n_quantiles
        self.knots: dict[Any, tuple[np.ndarray, np.ndarray]] = {
            name: (np.asarray(values), np.asarray(normal))
            for name, (values, normal) in (knots or {}).items()
        }

    def setups(self, to: Any) -> None:
        """Rank each column of numbers."""
        self.knots = {}
        for name in to.cont_names:
            values = to.column(name)
            refuse_gaps(values, name)
            self.knots[name] = self._ranked(_some(values))

    def _ranked(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ordered = np.sort(values).astype(np.float64)
        if not len(ordered):
            return np.zeros(1), np.zeros(1)
        places = np.linspace(0, len(ordered) - 1, min(self.n_quantiles, len(ordered)))
        kept = np.unique(ordered[places.round().astype(np.int64)])
        # Equal numbers share the middle of their ranks.
        ranks = np.searchsorted(ordered, kept, "left") + np.searchsorted(ordered, kept, "right")
        shares = torch.from_numpy(ranks / (2 * len(ordered)))
        return kept, torch.special.ndtri(shares).numpy()

    def encodes(self, to: Any) -> None:
        """Replace numbers by what their rank becomes."""
        for name, (values, normal) in self.knots.items():
            found = np.interp(to.column(name), values, normal)
            to.set_column(name, found.astype(np.float32))

    def decodes(self, to: Any) -> None:
        """Numbers as they were, but for those beyond the training rows."""
        for name, (values, normal) in self.knots.items():
            to.set_column(name, np.interp(to.column(name), normal, values))


def _some(values: np.ndarray) -> np.ndarray:
    """All rows, or as many as ranks need, drawn."""
    if len(values) <= _MOST_ROWS:
        return values
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(values), (_MOST_ROWS,), generator=generator)
    found: np.ndarray = values[rows.numpy()]
    return found
