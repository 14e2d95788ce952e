"""What all losses share: flattening, reduction, and the way back from outputs to targets.

Shapes: B batch, C classes, * any dimensions in space, N = B times the sizes in *.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.nn.module import Module
from layerwise.core.settings import attribute_settings, settings_of

__all__ = ["BaseLoss", "ClassLoss", "NoneReduce"]

_REDUCTIONS = ("mean", "sum", "none")


def checked_reduction(reduction: str) -> str:
    """`reduction`, if it is one; otherwise a ValueError that lists them."""
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"reduction={reduction!r}; give one of {', '.join(map(repr, _REDUCTIONS))}"
        )
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """`loss` as one number, or as it is for "none"."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


class BaseLoss(Module):
    """A loss of torch over flattened outputs and targets; the interface of our losses.

    Subclasses override `activation`, what turns outputs into predictions, and `decodes`, what turns
    predictions into values like the targets.

    Args:
        loss_cls: makes the module that compares.
        args: for `loss_cls`.
        axis: the axis of the classes.
        flatten: flatten before comparing. With `reduction="none"` the loss then is (N,).
        floatify: make targets floating point.
        is_2d: whether outputs become (N, C) when flattened, with classes, or one axis like targets.
        kwargs: for `loss_cls`.

    Raises:
        ValueError: if outputs and targets do not fit each other.

    Example:
        >>> import torch
        >>> BaseLoss(nn.SmoothL1Loss, is_2d=False)(torch.zeros(2, 1), torch.ones(2))
        tensor(0.5000)
    """

    # Any module with a `reduction`, for which torch has no class.
    func: Any

    def __init__(
        self,
        loss_cls: Callable[..., nn.Module],
        *args: Any,
        axis: int = -1,
        flatten: bool = True,
        floatify: bool = False,
        is_2d: bool = True,
        **kwargs: Any,
    ) -> None:
        self.func = loss_cls(*args, **kwargs)
        self.axis, self.flatten, self.floatify, self.is_2d = axis, flatten, floatify, is_2d
        checked_reduction(self.reduction)

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal loss: attributes of its own, or of what it calls."""
        if type(self).__init__ is not BaseLoss.__init__:
            return attribute_settings(self, self.func)
        own = {n: getattr(self, n) for n in ("axis", "flatten", "floatify", "is_2d")}
        return {"loss_cls": type(self.func), **settings_of(self.func), **own}

    @property
    def reduction(self) -> str:
        """How the losses of the items become one: "mean", "sum" or "none"; may be set."""
        return str(self.func.reduction)

    @reduction.setter
    def reduction(self, value: str) -> None:
        self.func.reduction = checked_reduction(value)

    def forward(self, inp: Tensor, targ: Tensor) -> Tensor:
        """The loss of outputs `inp` for targets `targ`.

        Args:
            inp: (B, ..., C, ...) with classes along `axis`, or (B, ...) where there are none.
            targ: (B, ...) without the axis of classes, or with the shape of `inp`.
        """
        if self.floatify:
            # Half precision is for outputs; a target loses nothing by staying in float32.
            targ = targ.to(torch.promote_types(inp.dtype, torch.float32))
        elif not targ.is_floating_point():
            targ = targ.long()
        inp, targ = self._class_pair(inp, targ) if self.is_2d else self._value_pair(inp, targ)
        loss: Tensor = self.func(inp, targ)
        if self.flatten and not self.is_2d and loss.ndim > 1:  # weights by class kept the axes
            return loss.movedim(-1, self.axis).flatten()
        return loss

    def _class_pair(self, inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs as (N, C); targets as (N,), or as (N, C) where they are probabilities."""
        if not self.flatten:
            return inp, targ
        is_soft = targ.is_floating_point() and targ.shape == inp.shape
        inp = inp.movedim(self.axis, -1)
        if is_soft:
            return inp.flatten(0, -2), targ.movedim(self.axis, -1).flatten(0, -2)
        inp = inp.flatten(0, -2) if inp.ndim > 1 else inp.unsqueeze(0)
        if targ.numel() != len(inp):
            raise ValueError(
                f"{targ.numel()} targets for outputs that flatten to {tuple(inp.shape)}, classes "
                f"last; check the shapes and the axis of the classes (axis={self.axis})"
            )
        return inp, targ.flatten()

    def _value_pair(self, inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
        """Both with the class axis last if a weight by class needs it, otherwise flat."""
        if not self.flatten:
            return inp, targ
        if inp.ndim == 1 and targ.shape == inp.shape:
            return inp, targ
        if targ.numel() != inp.numel():
            raise ValueError(
                f"targets of shape {tuple(targ.shape)} for outputs of shape {tuple(inp.shape)}; "
                "give as many targets as outputs (one-hot where there are several classes)"
            )
        weights = [getattr(self.func, name, None) for name in ("weight", "pos_weight")]
        if any(w is not None and w.numel() > 1 and w.shape != (inp.numel(),) for w in weights):
            return inp.movedim(self.axis, -1), targ.reshape(inp.shape).movedim(self.axis, -1)
        return inp.flatten(), targ.flatten()

    def activation(self, x: Tensor) -> Tensor:
        """Predictions from outputs, same shape; here the outputs."""
        return x

    def decodes(self, x: Tensor) -> Tensor:
        """Values like the targets from predictions; here the predictions."""
        return x


class ClassLoss(BaseLoss):
    """A `BaseLoss` for one class an item, named by its index: the interface of such losses."""

    y_int = True

    def activation(self, x: Tensor) -> Tensor:
        """Probabilities of the classes, same shape."""
        return x.softmax(dim=self.axis)

    def decodes(self, x: Tensor) -> Tensor:
        """The likeliest class, without the axis of classes."""
        return x.argmax(dim=self.axis)


class NoneReduce:
    """A context in which a loss keeps one number an item.

    Args:
        loss_func: a loss with a `reduction`, or a function that takes one.

    Example:
        >>> import torch
        >>> loss = nn.MSELoss()
        >>> with NoneReduce(loss) as per_item:
        ...     per_item(torch.zeros(2), torch.ones(2))
        tensor([1., 1.])
        >>> loss.reduction
        'mean'
    """

    def __init__(self, loss_func: Callable[..., Tensor]) -> None:
        self.loss_func = loss_func
        self._before: str | None = None

    def __enter__(self) -> Callable[..., Tensor]:
        if not hasattr(self.loss_func, "reduction"):
            return partial(self.loss_func, reduction="none")
        self._before = self.loss_func.reduction
        self.loss_func.reduction = "none"
        return self.loss_func

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            self.loss_func.reduction = self._before  # type: ignore[attr-defined]  # checked on entry
