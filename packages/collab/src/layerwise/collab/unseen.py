"""`FillUnseen`: users and items that training has not seen get the mean of those that it has."""

from __future__ import annotations

from typing import ClassVar

import torch

from layerwise.collab.models import CollabModel
from layerwise.collab.ratings import Ratings
from layerwise.core.callback.ema import EMA
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["FillUnseen"]


class FillUnseen(Callback):
    """Writes the mean of the trained rows into all others, in each embedding of the model.

    These are row 0, for whoever has no id here, and rows of ids from a vocabulary that no rating
    in training has. It is done before each validation and prediction, and at the end, so the model
    that is saved or exported needs nothing else. Their gradient is always zero, so training does
    not change by it.

    Reads `dls`; sets rows of the weights of `model`. Does nothing for a model that is no
    `CollabModel`, and for loaders of other data.
    """

    order: ClassVar[float] = 75
    after: ClassVar[tuple[type[Callback], ...]] = (TrainEvalCallback, EMA)

    def before_validate(self) -> None:
        """Fill."""
        self._fill()

    def after_fit(self) -> None:
        """Fill."""
        self._fill()

    def _fill(self) -> None:
        model = self.learn.model
        data = getattr(getattr(self.learn.dls, "train", None), "dataset", None)
        if isinstance(model, CollabModel) and isinstance(data, Ratings):
            model.fill_unseen(
                torch.from_numpy(data.users.trained), torch.from_numpy(data.items.trained)
            )
