"""`CollabPredictor`: from pairs of user and item, in any form, to what the model says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from layerwise.collab.types import Rating
from layerwise.core.nested import to_device
from layerwise.core.train.predictor import Predictor

__all__: list[str] = []


class CollabPredictor(Predictor):
    """Predictions for rows: mappings, series, or pairs of user and item.

    A call gives the rating, what the loss decodes, and the prediction; with the input, the
    `UserItem` before them.
    """

    def batches(self, items: Any, bs: int | None = None) -> Iterator[Any]:
        """Batches of codes, on the device; all in one if `bs` is None."""
        data = self._source.dataset.test_set(items)
        for rows in torch.split(torch.arange(len(data)), bs or max(len(data), 1)):
            batch = data.gather(rows)
            device = self.learn.dls.device
            yield self._source.after_batch(batch if device is None else to_device(batch, device))

    def decode(
        self, batch: Any, preds: Any, decoded: Any, *, with_input: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """What a call gives, for each row of a batch."""
        for i, value in enumerate(decoded.flatten().tolist()):
            found = Rating(value), decoded[i], preds[i]
            pair = self._source.dataset.decode((batch[0][i],)) if with_input else ()
            yield (*pair, *found)
