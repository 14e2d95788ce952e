"""`TrainState`: everything that training knows, and that a callback may read or change.

This class is the contract between the loop and callbacks: what is not listed here, neither side
relies on. `Learner` is a `TrainState` with the methods that users call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.random import RandomStates
from layerwise.core.train.log import LogBus
from layerwise.core.train.outputs import accepted_keywords
from layerwise.core.train.parts import PartedLoss
from layerwise.core.train.strategy import Strategy
from layerwise.core.train.timer import Timer

if TYPE_CHECKING:
    from layerwise.core.train.callback import Callback

__all__ = ["TrainState"]


class TrainState:
    """The attributes of training, each with the time during which it means something.

    A callback reads and sets them as `self.learn.<name>`.
    """

    # -- from the beginning ----------------------------------------------------------------
    model: nn.Module
    """The model in training; as the user made it, whatever is wrapped around it."""
    wrapped: nn.Module | None = None
    """What is called in place of `model` where several processes or devices train together."""
    strategy: Strategy = Strategy()
    """How many processes train the model, and the way to its whole state and its optimizer's."""
    compiling: Mapping[str, Any] | None = None
    """Options of `torch.compile` for the model; None where it runs as it is."""
    aux_models: dict[str, nn.Module]
    """Other models that training needs (a teacher, an average), by name; see `add_model`."""
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
    log_bus: LogBus
    """Who listens to what is logged; `log` publishes to it."""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """What trained the model: names of methods, and their arguments."""
    timer: Timer | None = None
    """What measures events and callbacks; None while nothing does."""
    training: bool = False
    """Whether batches train the model; from `before_train` or `before_validate` on."""

    # -- from before_fit to after_fit ------------------------------------------------------
    n_epoch: int
    """Epochs of this fit."""
    epoch: int
    """The current epoch, from 0."""
    only_valid: bool = False
    """Whether this is a validation or a prediction, with the events of a fit around it."""
    run_seed: int
    """What order and augmentation of the data depend on, with epoch and index."""
    fit_count: int = 0
    """Fits that have begun; a checkpoint says which one it belongs to."""
    epoch_random: RandomStates
    """The global random states from which this epoch's training data began."""
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
    parted: PartedLoss | None
    """The losses that `loss_grad` is the sum of, where the loss function gives several by name."""
    accumulating: bool = False
    """Whether gradients of this batch wait for those of the next, so that processes need not
    exchange them yet."""
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

    def call_model(self, *xb: Any) -> Any:
        """What the model gives for these inputs.

        A mapping goes in as keywords where the model's `forward` has parameters of those names,
        as models of transformers do.
        """
        model = self.model
        if self.compiling is not None and self.__dict__.get("_compiled") is not model:
            model.compile(**self.compiling)
            self.__dict__["_compiled"] = model
        called = self.strategy.to_call(self)
        if len(xb) == 1 and isinstance(xb[0], Mapping):
            keywords = accepted_keywords(model, xb[0])
            if keywords is not None:
                return called(**keywords)
        return called(*xb)

    def log(self, name: str, value: Any, split: str | None = None) -> None:
        """Publish a value to all that listen; costs one test where nobody does.

        Args:
            name: what it is, such as `"grad_norm"`.
            value: a number, a tensor (read only when a listener does), a text, a `Table` or a
                figure of matplotlib.
            split: `"train"` or `"valid"`; that of the current batch when None.
        """
        if self.log_bus:
            split = split or ("train" if self.training else "valid")
            self.log_bus.publish(name, value, self.epoch, split)

    def __call__(self, event: str) -> None:
        """Call the method `event` of all callbacks, in order."""
        raise NotImplementedError

    def batch_step(self) -> None:
        """What is done with one batch; the engine's `batch_step` unless overridden."""
        raise NotImplementedError

    def create_opt(self) -> None:
        """Make `opt` from the model's parameters."""
        raise NotImplementedError
