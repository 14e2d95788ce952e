"""`TabularPredictor`: from a row, in any form, to what the model says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from layerwise.core.train.predictor import Predictor

__all__: list[str] = []


class TabularPredictor(Predictor):
    """Predictions for rows: a `Series`, a dict by column, or a whole frame of them.

    A call gives the row with its target filled in, as a `Tabular` that shows itself, what the loss
    decodes, and the prediction.
    """

    def takes_list(self, item: Any) -> bool:
        """Whether `item` is several rows: a frame, a table, or a list."""
        return hasattr(item, "__len__") and not isinstance(item, Mapping | pd.Series | str)

    def __call__(self, item: Any, *, with_input: bool = False) -> tuple[Any, ...]:
        """The row with its target, what the loss decodes, and the prediction."""
        return next(self._rows(item, with_input))

    def each(
        self, items: Any, bs: int | None = None, *, with_input: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """What a call gives, for each row of `items`, all in one batch or in batches of `bs`."""
        if bs is None:
            yield from self._rows(items, with_input)
            return
        for start in range(0, len(items), bs):
            part = slice(start, start + bs)
            rows = items.iloc[part] if isinstance(items, pd.DataFrame) else items[part]
            yield from self._rows(rows, with_input)

    def _rows(self, items: Any, with_input: bool) -> Iterator[tuple[Any, ...]]:
        table = self._source.dataset.test_set(items)
        batch = self._source.after_batch(table.batch(self.learn.dls.device))
        preds, decoded = self.outputs(batch)
        for found in self.decode(batch, preds, decoded, with_input=with_input):
            if len(table) == 1:  # of several rows it is not known which had them
                found[int(with_input)].unseen = table.unseen
            yield found

    def decode(
        self, batch: Any, preds: Any, decoded: Any, *, with_input: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """What a call gives, for each row of a batch."""
        whole = self._source.decode((*batch, decoded))
        inputs = self._source.decode(batch) if with_input else None
        for i in range(len(whole)):
            found = whole.row(i), decoded[i], preds[i]
            yield found if inputs is None else (inputs.row(i), *found)
