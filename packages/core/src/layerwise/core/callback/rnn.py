"""Callbacks of recurrent language models: state between batches, outputs, and their penalties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from layerwise.core.nn.module import get_model
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["ModelResetter", "RNNCallback", "RNNRegularizer", "rnn_cbs"]


class ModelResetter(Callback):
    """Forgets the state that the model keeps between batches, where a new text begins.

    Calls `reset()` of the model before training, before validation and after the fit. A checkpoint
    holds what the model gives as `kept_state()`, lists of tensors, and a training that is resumed
    hands it to `recall(state)`; where the model has no such methods, or several processes read
    texts, each its own, it starts with nothing read.

    Raises:
        TypeError: in `before_fit`, if the model has no `reset`.

    Example:
        >>> ModelResetter().name
        'model_resetter'
    """

    order: ClassVar[float] = -9
    in_export: ClassVar[bool] = True
    after: ClassVar = (TrainEvalCallback,)

    def before_fit(self) -> None:
        """Look whether the model can be reset."""
        if not callable(getattr(self.learn.model, "reset", None)):
            raise TypeError(
                f"ModelResetter calls the model's reset(), and {type(self.learn.model).__name__} "
                "has none; write one, or leave the callback out"
            )

    def before_train(self) -> None:
        """Forget."""
        self._reset()

    def before_validate(self) -> None:
        """Forget."""
        self._reset()

    def after_fit(self) -> None:
        """Forget, so that no state stays in memory."""
        if callable(getattr(self.learn.model, "reset", None)):
            self._reset()

    def state_dict(self) -> dict[str, Any]:
        """What the model remembers."""
        kept = getattr(get_model(self.learn.model), "kept_state", None)
        return {"kept": kept()} if callable(kept) and self._is_alone else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the model remember it again."""
        if "kept" in state and self._is_alone:
            model: Any = get_model(self.learn.model)
            model.recall(state["kept"])

    @property
    def _is_alone(self) -> bool:
        return self.learn.strategy.processes == 1

    def _reset(self) -> None:
        model: Any = self.learn.model
        model.reset()


class RNNCallback(Callback):
    """Takes the prediction from a model that returns its activations too.

    Such a model returns (prediction, raw outputs, outputs after dropout); of lists with one entry
    a layer the last counts. A model that returns a tensor is left alone.

    Changes `pred`.

    Attributes:
        raw_out: (B, T, H) the last layer's output, from `after_pred` to `after_batch`.
        out: (B, T, H) the same after dropout.

    Raises:
        ValueError: in `after_pred`, if the model returns another number of things.
    """

    order: ClassVar[float] = -8
    in_export: ClassVar[bool] = True
    after: ClassVar = (TrainEvalCallback,)

    def __init__(self) -> None:
        super().__init__()
        self.raw_out: Tensor | None = None
        self.out: Tensor | None = None

    def after_pred(self) -> None:
        """Keep the activations, and leave the prediction alone in `pred`."""
        pred = self.learn.pred
        if isinstance(pred, Tensor):
            return
        if not isinstance(pred, tuple | list) or len(pred) != 3:
            count = len(pred) if isinstance(pred, tuple | list) else type(pred).__name__
            raise ValueError(
                "RNNCallback expects a model that returns (prediction, raw outputs, outputs after "
                f"dropout), and this one returned {count}; leave the callback out"
            )
        self.learn.pred, self.raw_out, self.out = (_last(part) for part in pred)

    def after_batch(self) -> None:
        """Let go of them, and of the graph behind them."""
        self.raw_out = self.out = None

    after_fit = after_batch


def _last(part: Any) -> Any:
    return part[-1] if isinstance(part, list | tuple) else part


class RNNRegularizer(Callback):
    """Adds penalties on activations to the loss (Merity, Keskar and Socher, 2018).

    `alpha` times the mean square of the last layer's output after dropout, and `beta` times that of
    its change from one step in time to the next, before dropout. Changes `loss_grad` in training.

    Args:
        alpha: weight of large activations.
        beta: weight of fast changes.

    Raises:
        ValueError: in `before_fit`, without `RNNCallback`, which keeps the activations.

    Example:
        >>> RNNRegularizer(alpha=2, beta=1).beta
        1
    """

    after: ClassVar = (RNNCallback,)
    run_valid = False

    def __init__(self, alpha: float = 0.0, beta: float = 0.0) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta
        self._source: RNNCallback | None = None

    def before_fit(self) -> None:
        """Find who keeps the activations."""
        found = [cb for cb in self.learn.cbs if isinstance(cb, RNNCallback)]
        if not found:
            raise ValueError(
                "RNNRegularizer needs the activations that RNNCallback keeps; add both, as "
                "rnn_cbs(alpha, beta) does"
            )
        self._source = found[0]

    def after_loss(self) -> None:
        """Add the penalties."""
        source, learn = self._source, self.learn
        if source is None or source.out is None or source.raw_out is None:
            return
        if learn.loss_grad is None:
            return
        if self.alpha:
            learn.loss_grad = learn.loss_grad + self.alpha * source.out.float().pow(2).mean()
        if self.beta and source.raw_out.shape[1] > 1:
            change = source.raw_out[:, 1:].float() - source.raw_out[:, :-1].float()
            learn.loss_grad = learn.loss_grad + self.beta * change.pow(2).mean()

    def after_fit(self) -> None:
        """Let go of it."""
        self._source = None


def rnn_cbs(alpha: float = 0.0, beta: float = 0.0) -> list[Callback]:
    """The callbacks that a recurrent language model trains with.

    Args:
        alpha: weight of large activations in the loss.
        beta: weight of fast changes.

    Example:
        >>> rnn_cbs(alpha=2.0)
        [ModelResetter, RNNCallback, RNNRegularizer]
    """
    cbs: list[Callback] = [ModelResetter(), RNNCallback()]
    return [*cbs, RNNRegularizer(alpha, beta)] if alpha or beta else cbs
