"""`TabDataLoader`: batches of (codes, numbers, targets), cut from the arrays of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from layerwise.core.data.array_loader import ArrayDL
from layerwise.core.data.weighted import checked_weights, drawn_by_weight
from layerwise.core.items import L
from layerwise.core.nested import to_cpu

__all__ = ["TabDataLoader", "TabWeightedDL"]


class TabDataLoader(ArrayDL):
    """Batches of a `Tabular`: (B, C) int64 codes, (B, K) float32 numbers, and targets if any.

    Args:
        dataset: a `Tabular`.
        bs: rows per batch.
        shuffle: a new order each epoch.
        kwargs: the other arguments of `TfmdDL`.

    Example:
        >>> import pandas as pd
        >>> from layerwise.tabular.pandas_table import TabularPandas
        >>> df = pd.DataFrame({"age": [20.0, 40.0, 60.0], "pay": [1.0, 2.0, 3.0]})
        >>> to = TabularPandas(df, cont_names="age", y_names="pay")
        >>> [tuple(member.shape) for member in TabDataLoader(to, bs=2).one_batch()]
        [(2, 0), (2, 1), (2, 1)]
    """

    def decode(self, b: Any) -> Any:
        """The batch `b` as a `Tabular` of what the columns held; see `Tabular.show`."""
        return self.dataset.decoded_batch(*to_cpu(self.after_batch.decode(b)))

    def decode_batch(self, b: Any, max_n: int = 9, full: bool = True) -> L:  # noqa: ARG002 - rows are decoded whole
        """Up to `max_n` rows of the batch `b`, each a `Series` of what its columns held."""
        frame = self.decode(b).items
        return L([frame.iloc[i] for i in range(min(max_n, len(frame)))])


class TabWeightedDL(TabDataLoader):
    """A loader that draws each row of an epoch with a chance in proportion to its weight.

    As `WeightedDL` draws samples: with replacement, and only where it shuffles.

    Args:
        dataset: a `Tabular`.
        bs: rows per batch.
        shuffle: draw by weight, anew each epoch.
        wgts: a weight for each row, 0 or more; all equal when None.
        kwargs: the other arguments of `TfmdDL`.

    Raises:
        ValueError: if weights do not fit the rows, or cannot be weights.
    """

    def __init__(
        self,
        dataset: Any,
        bs: int | None = 64,
        shuffle: bool = True,
        *,
        wgts: Sequence[float] | Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        self.wgts = None if wgts is None else checked_weights(wgts, len(dataset))
        super().__init__(dataset, bs, shuffle, **kwargs)

    def row_order(self) -> Tensor:
        """(n,) the rows of one epoch, drawn by weight."""
        if not self.shuffle or self.wgts is None:
            return super().row_order()
        return drawn_by_weight(self.wgts[: self.n])

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        return {**super().settings(), "wgts": self.wgts}

    def new(self, dataset: Any = None, cls: Any = None, **kwargs: Any) -> Any:
        """A loader like this one; over other rows, it has no weights unless they are given."""
        if dataset is not None and dataset is not self.dataset:
            kwargs = {"wgts": None, **kwargs}
        return super().new(dataset, cls, **kwargs)
