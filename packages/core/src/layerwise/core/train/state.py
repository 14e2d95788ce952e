"""`TrainState`: everything that training knows, and that a callback may read or change.

This class is the contract between the loop and callbacks: what is not listed here, neither side
relies on. `Learner` is a `TrainState` with the methods that users call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from layerwise.core.optim.groups import BaseOptimizer

if TYPE_CHECKING:
    from layerwise.core.train.callback import Callback

__all__ = ["TrainState"]


class TrainState:
    """The attributes of training, each with the time during which it means something.

    A callback reads and sets them as `self.learn.<name>`.
    """

    # -- from the beginning ----------------------------------------------------------------
    model: nn.Module
    """The model in training."""
    dls: Any
    """`DataLoaders`, or any object with `train` and `valid`."""
    loss_func: Callable[..., Any]
    """Called as `loss_func(pred, *yb)`."""
    opt: BaseOptimizer
    """The optimizer; there from `before_fit` of the first training on."""
    lr: float | slice
    """The default learning rate."""
    path: Path
    """Where files are written."""
    model_dir: str
    """The folder in `path` for models."""
    cbs: Sequence[Callback]
    """The callbacks, in the order in which they are called."""
    metrics: list[Any]
    """What is measured in validation."""
    logger: Callable[[Sequence[Any]], None]
    """Gets the row of each epoch, and first the row of names."""
    training: bool = False
    """Whether batches train the model; from `before_train` or `before_validate` on."""

    # -- from before_fit to after_fit ------------------------------------------------------
    n_epoch: int
    """Epochs of this fit."""
    epoch: int
    """The current epoch, from 0."""
    run_seed: int
    """What order and augmentation of the data depend on, with epoch and index."""
    pct_train: float = 0.0
    """Share of the training batches of this fit that are done."""
    train_iter: int = 0
    """Training batches that are done in this fit."""
    n_train_iter: int
    """Training batches that this fit will do in all, as far as loaders know their length."""

    # -- from before_train or before_validate on -------------------------------------------
    dl: Any
    """The current loader."""
    n_iter: int = 0
    """Batches it will give, 0 when it does not know."""
    iter: int
    """Number of the current batch."""

    # -- from before_batch to after_batch --------------------------------------------------
    batch: Any
    """The batch as the loader gave it, with types; gone when the batch is done."""
    xb: tuple[Any, ...]
    """Inputs, as plain tensors on the device; what the model is called with."""
    yb: tuple[Any, ...]
    """Targets, likewise; empty when there are none."""
    pred: Any
    """What the model returned; from `after_pred` on, None before."""
    loss_grad: Tensor
    """The loss that gradients come from; from `after_loss` on, None before."""
    loss: Tensor
    """The loss to report, detached; from `after_loss` on, None before. Stays after the fit."""

    # -- what callbacks may ask for --------------------------------------------------------
    @property
    def x(self) -> Any:
        """The input, or the tuple of them where there are several."""
        return self.xb[0] if len(self.xb) == 1 else self.xb

    @property
    def y(self) -> Any:
        """The target, or the tuple of them where there are several."""
        return self.yb[0] if len(self.yb) == 1 else self.yb

    @property
    def device(self) -> torch.device | None:
        """Where batches and model are."""
        device: torch.device | None = getattr(self.dls, "device", None)
        return device

    def __call__(self, event: str) -> None:
        """Call the method `event` of all callbacks, in order."""
        raise NotImplementedError

    def batch_step(self) -> None:
        """What is done with one batch; the engine's `batch_step` unless overridden."""
        raise NotImplementedError

    def create_opt(self) -> None:
        """Make `opt` from the model's parameters."""
        raise NotImplementedError
