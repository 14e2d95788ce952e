"""Small changes to how training goes: short epochs, norm layers that stay as they are."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.events import CancelTrainException, CancelValidException

__all__ = ["BnFreeze", "ShortEpochCallback", "bn_types", "set_bn_eval"]

bn_types = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
"""Layers that keep running statistics of their inputs."""


class ShortEpochCallback(Callback):
    """Ends each epoch after a share of its batches, to see whether a script runs through.

    Reads `iter`, `n_iter`; cancels training, and validation within an epoch. `validate` and
    `get_preds` are never cut short.

    Args:
        pct: share of the batches to do; one at least is done.
        short_valid: cut validation as well.

    Raises:
        ValueError: if `pct` is not a share.

    Example:
        >>> ShortEpochCallback(pct=0.1).pct
        0.1
    """

    order: ClassVar[float] = 60

    def __init__(self, pct: float = 0.01, short_valid: bool = True) -> None:
        super().__init__()
        if not 0 < pct <= 1:
            raise ValueError(f"pct={pct}; give the share of the batches to do, above 0 and up to 1")
        self.pct, self.short_valid = pct, short_valid
        self._in_epoch = False

    def before_epoch(self) -> None:
        """From here on batches are left out."""
        self._in_epoch = True

    def after_batch(self) -> None:
        """Cancel the rest once enough is done.

        Raises:
            ValueError: for a loader that does not know its length.
        """
        learn = self.learn
        if not self._in_epoch or not (learn.training or self.short_valid):
            return
        if not learn.n_iter:
            raise ValueError(
                "ShortEpochCallback does a share of the batches, and this loader does not say how "
                "many it gives; pass n= (samples an epoch) to it"
            )
        if learn.iter + 1 >= self.pct * learn.n_iter:
            raise CancelTrainException if learn.training else CancelValidException

    def after_epoch(self) -> None:
        """What follows is whole."""
        self._in_epoch = False

    after_fit = after_epoch


class BnFreeze(Callback):
    """Keeps the statistics of batch norm layers whose parameters are frozen.

    The learner trains norm layers of frozen groups unless it is made with `train_bn=False`; with
    that, or with parameters frozen by hand, their statistics would go on moving without this.

    Reads and changes the modes of layers of `model`.

    Example:
        >>> BnFreeze().name
        'bn_freeze'
    """

    order: ClassVar[float] = -9
    after: ClassVar = (TrainEvalCallback,)

    def before_train(self) -> None:
        """Put them in evaluation mode."""
        set_bn_eval(self.learn.model)


def set_bn_eval(m: nn.Module, use_eval: bool = True) -> None:
    """Put the batch norm layers in `m` whose parameters are all frozen in evaluation mode.

    Args:
        m: a model.
        use_eval: False puts them in training mode.

    Example:
        >>> layer = nn.BatchNorm1d(2).requires_grad_(False)
        >>> set_bn_eval(nn.Sequential(layer))
        >>> layer.training
        False
    """
    for layer in m.modules():
        if isinstance(layer, bn_types):
            params = list(layer.parameters(recurse=False))
            if params and not any(p.requires_grad for p in params):
                layer.train(not use_eval)
