"""What the mean in a loss is taken over, so that means of parts can be joined to that of the whole.

The mean over a batch is the mean over its parts, each counted with its weight: the number of
targets that are not ignored, or the sum of their classes' weights.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.metrics.sizes import count_elements, count_items
from layerwise.core.nn.base_loss import BaseLoss
from layerwise.core.nn.losses import DiceLoss, FocalLoss, LabelSmoothingCrossEntropy

__all__ = ["loss_weight", "target_weights"]

_BY_CLASS = (nn.CrossEntropyLoss, nn.NLLLoss, LabelSmoothingCrossEntropy)
_BY_ITEM = (nn.CTCLoss, DiceLoss)
# Other losses of known kinds: their weights change the sum and not what it is divided by.
_BY_ELEMENT = (nn.modules.loss._Loss, FocalLoss)
_IGNORED = -100
"""The target that torch's losses ignore unless told otherwise."""


def loss_weight(loss_func: Any, pred: Any, *targets: Any) -> float | Tensor | None:
    """What the loss of one batch is a mean over; None where it is a sum.

    A loss of one's own with another mean says so by a method `loss_weight(pred, *targets)`. Without
    one it counts as a mean over all elements of the targets, or over those that are not -100 (or
    its `ignore_index`) where targets are whole numbers.

    Args:
        loss_func: a loss of torch or ours, a `partial` of one, or any function.
        pred: what the model returned.
        targets: the targets of the batch.

    Returns:
        A number, or a tensor () where it depends on the values of the targets: the sum of the
        weights of their classes, or the count of those that are not ignored.

    Example:
        >>> import torch
        >>> logits, classes = torch.zeros(3, 2), torch.tensor([0, 1, -100])
        >>> loss_weight(nn.CrossEntropyLoss(), logits, classes)
        tensor(2)
        >>> loss_weight(nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0])), logits, classes)
        tensor(4.)
        >>> loss_weight(nn.MSELoss(), torch.zeros(3, 2), torch.zeros(3, 2))
        6
    """
    own = getattr(loss_func, "loss_weight", None)
    if callable(own):
        weight: float | Tensor | None = own(pred, *targets)
        return weight
    inner, options = _unwrapped(loss_func)
    reduction = _option(inner, options, "reduction", "mean")
    if reduction == "sum":
        return None
    if isinstance(inner, _BY_ITEM) or reduction == "batchmean":
        return count_items(targets)
    weights = target_weights(loss_func, pred, *targets)
    return count_elements(targets or (pred,)) if weights is None else weights.sum()


def target_weights(loss_func: Any, pred: Any, *targets: Any) -> Tensor | None:
    """(B, *) what each target counts in the mean of the loss; None where all count alike.

    Args:
        loss_func: as for `loss_weight`.
        pred: what the model returned.
        targets: the targets of the batch; the first one counts.

    Example:
        >>> import torch
        >>> target_weights(nn.CrossEntropyLoss(), torch.zeros(2, 3), torch.tensor([1, -100]))
        tensor([ True, False])
    """
    inner, options = _unwrapped(loss_func)
    target = targets[0] if targets else None
    if isinstance(inner, _BY_ELEMENT) and not isinstance(inner, _BY_CLASS):
        return None
    if not isinstance(target, Tensor) or _is_like(pred, target):
        return None
    by_class = isinstance(inner, _BY_CLASS) or inner in (F.cross_entropy, F.nll_loss)
    if not by_class and (target.is_floating_point() or isinstance(inner, BaseLoss)):
        return None
    counted: Tensor = target != _option(inner, options, "ignore_index", _IGNORED)
    by_index = _option(inner, options, "weight", None) if by_class else None
    if by_index is None:
        return counted
    classes = target.long().where(counted, 0)  # what is ignored may be no class at all
    weights: Tensor = by_index.to(target.device)[classes]
    return weights.where(counted, 0)


def _unwrapped(loss_func: Any) -> tuple[Any, dict[str, Any]]:
    """The loss inside of ours and of partials, and the keywords of those."""
    options: dict[str, Any] = {}
    while isinstance(loss_func, partial):
        options = {**loss_func.keywords, **options}
        loss_func = loss_func.func
    return (loss_func.func if isinstance(loss_func, BaseLoss) else loss_func), options


def _option(inner: Any, options: dict[str, Any], name: str, default: Any) -> Any:
    return options[name] if name in options else getattr(inner, name, default)


def _is_like(pred: Any, target: Tensor) -> bool:
    """Whether targets are numbers of the kind of the outputs: probabilities, not classes."""
    return isinstance(pred, Tensor) and pred.shape == target.shape and target.is_floating_point()
