"""What models take and give beside tensors: keywords, and objects with a loss and logits.

Models of transformers take a batch by keywords, `labels` among them, and return an object with
`loss` and `logits`. Such a model trains as it is; nothing here asks for its library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

from torch import Tensor, nn

__all__ = ["ModelLoss"]

LABELS = "labels"
"""The key under which a batch that is a mapping has its targets."""


class ModelLoss:
    """The loss function of a model that computes its loss itself and returns it.

    A learner takes it by default for models whose `forward` has a parameter `labels`.

    Raises:
        ValueError: when called, since then the model has returned no loss.

    Example:
        >>> ModelLoss()
        ModelLoss()
    """

    def __call__(self, pred: Any, *targets: Any) -> Tensor:  # noqa: ARG002 - as losses have
        """Complain: there was a loss to take, or this would not be called."""
        raise ValueError(
            f"the model returned {type(pred).__name__} without a loss, and the learner has no loss "
            "function of its own; let the batch carry its targets under 'labels', or pass "
            "loss_func="
        )

    def __repr__(self) -> str:
        return "ModelLoss()"


def read_output(output: Any) -> tuple[Any, Tensor | None]:
    """The prediction in what a model returned, and the loss in it if there is one.

    Example:
        >>> read_output("anything else")
        ('anything else', None)
    """
    if isinstance(output, Tensor | tuple | list):
        return output, None
    if type(output) is dict:
        logits, loss = output.get("logits"), output.get("loss")
    else:
        logits, loss = getattr(output, "logits", None), getattr(output, "loss", None)
    if not isinstance(loss, Tensor):
        loss = None
    elif loss.ndim:  # one for each device, of a model that runs on several
        loss = loss.mean()
    return (output if logits is None else logits), loss


def accepted_keywords(model: nn.Module, batch: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What of `batch` the model takes by keywords; None where it wants the mapping itself.

    It takes keywords if it has a parameter for each key; targets alone may be left over, which
    then go to the loss function.
    """
    names, takes_any = _parameters(type(model).forward)
    if takes_any:
        return batch
    if not names.issuperset(key for key in batch if key != LABELS):
        return None
    return {key: value for key, value in batch.items() if key in names}


def computes_loss(model: nn.Module) -> bool:
    """Whether the model has a parameter for targets, as those that compute their loss do."""
    return LABELS in _parameters(type(model).forward)[0]


@lru_cache(maxsize=64)
def _parameters(forward: Callable[..., Any]) -> tuple[frozenset[str], bool]:
    """The names of the parameters of `forward`, and whether it takes any keyword."""
    parameters = list(signature(forward).parameters.values())[1:]
    kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    names = frozenset(p.name for p in parameters if p.kind in kinds)
    takes_any = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    # `forward(self, x, **options)` wants the batch as x: it names no part of it.
    positional = [p for p in parameters if p.kind is Parameter.POSITIONAL_OR_KEYWORD]
    return names, takes_any and (not positional or LABELS in names)
