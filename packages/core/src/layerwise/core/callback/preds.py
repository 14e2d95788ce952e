"""`MCDropoutCallback`: dropout stays on when predicting, so that several predictions differ."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["MCDropoutCallback"]


class MCDropoutCallback(Callback):
    """Leaves dropout on in validation and prediction (Gal and Ghahramani, 2016).

    The spread of several predictions for one item tells how sure the model is: pass it to
    `get_preds(cbs=MCDropoutCallback())` a few times. Only layers that drop are in training mode;
    batch norm is not. A layer drops if "dropout" is in the name of its class.

    Changes the mode of those layers, in `before_validate`, and back in `after_validate`.

    Example:
        >>> MCDropoutCallback().name
        'mc_dropout'
    """

    after: ClassVar = (TrainEvalCallback,)
    in_search: ClassVar[bool] = False

    def before_validate(self) -> None:
        """Switch dropout on."""
        self._switch(True)

    def after_validate(self) -> None:
        """Switch it off."""
        self._switch(False)

    def after_fit(self) -> None:
        """Switch it off if an error ended the validation; training sets modes itself."""
        if not self.learn.training:
            self._switch(False)

    def _switch(self, on: bool) -> None:
        for module in self.learn.model.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd) or _drops(module):
                module.train(on)


def _drops(module: nn.Module) -> bool:
    return "dropout" in type(module).__name__.lower()
