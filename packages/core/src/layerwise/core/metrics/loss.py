"""Parts of the loss, reported as metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.metrics.metric import BatchState, RunningMean, callable_name
from layerwise.core.metrics.sizes import count_items

__all__ = ["LossMetric", "LossMetrics"]


class LossMetric(RunningMean):
    """The mean over a set of an attribute of the loss function, each batch weighted by its size.

    For losses that keep their parts: set `self.content_loss = ...` when the loss is computed, and
    pass `LossMetric("content_loss")`.

    Args:
        attr: name of the attribute.
        nm: name of the metric; `attr` when None.

    Example:
        >>> import torch
        >>> part = LossMetric("content")
        >>> part.update(torch.tensor(2.), torch.zeros(8))
        >>> part.name, part.value
        ('content', 2.0)
    """

    def __init__(self, attr: str, nm: str | None = None) -> None:
        super().__init__()
        self.attr, self._name = attr, nm or attr

    def update(self, pred: Any, *targets: Any) -> None:
        """Add the value `pred` of the batch with these `targets`."""
        self._add(pred, count_items(targets))

    def accumulate(self, learn: BatchState) -> None:
        """Add what the loss function holds for the batch just seen.

        Raises:
            AttributeError: if the loss function does not have the attribute.
        """
        if not hasattr(learn.loss_func, self.attr):
            raise AttributeError(
                f"the loss function {callable_name(learn.loss_func)} has no attribute "
                f"{self.attr!r}; set it where the loss is computed, or leave this metric out"
            )
        self.update(getattr(learn.loss_func, self.attr), *(learn.yb or learn.xb))


def LossMetrics(  # noqa: N802 - users of this family know the name
    attrs: str | Sequence[str], nms: str | Sequence[str] | None = None
) -> list[LossMetric]:
    """A `LossMetric` for each of `attrs`.

    Args:
        attrs: names, as a list or in one string with commas.
        nms: names of the metrics, in the same form; `attrs` when None.

    Raises:
        ValueError: if there are not as many names as attributes.

    Example:
        >>> [metric.name for metric in LossMetrics("content,style", nms=["c", "s"])]
        ['c', 's']
    """
    attrs, nms = _listed(attrs), _listed(attrs if nms is None else nms)
    if len(attrs) != len(nms):
        raise ValueError(
            f"{len(nms)} names {nms} for {len(attrs)} attributes {attrs}; give each one"
        )
    return [LossMetric(attr, nm) for attr, nm in zip(attrs, nms, strict=True)]


def _listed(names: str | Sequence[str]) -> list[str]:
    return [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
