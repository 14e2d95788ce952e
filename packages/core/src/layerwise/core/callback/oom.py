"""`AutoMicroBatch`: a batch that does not fit into memory goes through the model in parts."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, starmap
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.single import refuse_parts, refuse_second
from layerwise.core.devices import any_process, largest_of_processes
from layerwise.core.random import RandomStates, get_random_states, set_random_states
from layerwise.core.train.callback import Callback

__all__ = ["AutoMicroBatch"]


class AutoMicroBatch(Callback):
    """Halves what goes through the model at once, each time that memory runs out.

    The batch stays as it is: predictions of its parts are joined, the loss is computed over all of
    them, and in the backward pass each part goes through the model again, so that the activations
    of one part are in memory at a time (gradient caching; Gao et al., 2021). Loss and gradients are
    those of the large batch but for rounding, with any loss, mixup, accumulation or gradient
    scaler; a step costs one forward pass more. The size that fits is kept for all later batches,
    fits and in checkpoints.

    Norm layers over the batch see the parts; there is a warning where a model has some. A step
    that has begun to move the weights is not tried again. Where one of several processes runs out
    of memory, all go back and take the same size.

    Reads `xb`, `model`; sets `batch_step`, and `wrapped` while it trains in parts.

    Args:
        size: items at a time to begin with; None for whole batches.

    Raises:
        RuntimeError: the error for want of memory itself, if one item does not fit.
        TypeError: if the model returns anything but a tensor.

    Example:
        >>> AutoMicroBatch().size is None
        True
    """

    order: ClassVar[float] = -9.5  # processes agree before any of them waits for another
    run_valid = False
    keeps: ClassVar[tuple[str, ...]] = ("size",)

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        if size is not None and size < 1:
            raise ValueError(f"size={size}: at least one item goes through the model at a time")
        self.size = size
        self._plain: Callable[[], None] | None = None
        self._asked = self._others_failed = False

    def before_fit(self) -> None:
        """Stand around the step of each batch."""
        refuse_second(self, AutoMicroBatch)
        self.after_fit()
        learn = self.learn
        refuse_parts(self, "a whole model, which it calls more than once a step")
        if not learn.only_valid:
            if learn.strategy.processes > 1:
                learn.strategy.averages_late = True
            self._plain = learn.batch_step
            learn.batch_step = self._batch_step  # type: ignore[method-assign]  # until after_fit

    def after_fit(self) -> None:
        """Leave the learner as it was."""
        if self._plain is not None:
            self._plain = None
            del self.learn.batch_step
            if self.learn.strategy.processes > 1:
                self.learn.strategy.averages_late = False

    def _batch_step(self) -> None:
        learn, plain = self.learn, self._plain
        if plain is None or not learn.training:
            learn.__class__.batch_step(learn)
            return
        while True:
            before, self._asked, self._others_failed = _Before(learn.model), False, False
            try:
                self._in_parts(plain)
                return
            except RuntimeError as error:
                others_gone_on = self._asked and not self._others_failed
                if not _is_want_of_memory(error) or before.is_moved:
                    raise
                if others_gone_on and learn.strategy.processes > 1:
                    raise
                if not self._asked:
                    any_process(True, learn.device)
                self._halve(error)
            before.put_back()
            for cb in learn.cbs:
                if isinstance(cb, MixedPrecision):
                    cb.before_batch()  # it ends half precision once there is a loss

    def after_backward(self) -> None:
        """Find out whether all processes had the memory; if one had not, all go back."""
        self._others_failed = any_process(False, self.learn.device)
        self._asked = True
        if self._others_failed:
            raise torch.OutOfMemoryError("another process is out of memory")

    def _in_parts(self, plain: Callable[[], None]) -> None:
        learn, wrapped = self.learn, self.learn.wrapped
        if self.size is not None and self.size < _rows(learn.xb):
            learn.wrapped = _Parts(learn.model, self.size)
        elif learn.strategy.processes > 1:
            learn.wrapped = None  # the model itself, whose gradients nobody waits for
        try:
            plain()
        finally:
            learn.wrapped = wrapped

    def _halve(self, error: RuntimeError) -> None:
        learn = self.learn
        tried = largest_of_processes(
            min(self.size or _rows(learn.xb), _rows(learn.xb)), learn.device
        )
        if tried <= 1:
            raise error
        # Until the frames of the failed try are gone, so is no memory of it.
        traceback.clear_frames(error.__traceback__)
        learn.pred = learn.loss_grad = learn.loss = learn.parted = None  # type: ignore[assignment]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.size is None and _has_batch_norm(learn.model):
            warnings.warn(
                "a batch does not fit into memory and goes through the model in parts, and the "
                "batch norm layers of this model see the parts; smaller batches with a lower "
                "learning rate, or group norm, would be the same in one part or many",
                stacklevel=2,
            )
        self.size = tried // 2
        learn.log("micro_batch", self.size)


class _Before:
    """What a failed try changes, as it was before: random states, buffers, gradients."""

    def __init__(self, model: nn.Module) -> None:
        self._params = [p for p in model.parameters() if p.requires_grad]
        self._versions = [p._version for p in self._params]
        grads = [p.grad for p in self._params]
        self._grads = [None if g is None else g.clone() for g in grads]
        self._buffers = [(b, b.clone()) for b in model.buffers()]
        self._random = get_random_states()

    @property
    def is_moved(self) -> bool:
        """Whether a weight was changed since."""
        return self._versions != [p._version for p in self._params]

    def put_back(self) -> None:
        for param, grad in zip(self._params, self._grads, strict=True):
            param.grad = grad
        _put_back(self._buffers)
        set_random_states(**self._random)


class _Parts(nn.Module):
    """A model that is called with some rows of its inputs at a time."""

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.model, self.size = model, size

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        rows = _rows((*args, *kwargs.values()))
        # As equal as can be: batch norm could make nothing of a last part of one item.
        count = -(-rows // self.size)
        bounds = [rows * i // count for i in range(count + 1)]
        parts = [
            (
                [_cut(a, part, rows) for a in args],
                {k: _cut(v, part, rows) for k, v in kwargs.items()},
            )
            for part in starmap(slice, pairwise(bounds))
        ]
        params = [p for p in self.model.parameters() if p.requires_grad]
        joined: Tensor = _Joined.apply(self.model, parts, *params)  # type: ignore[no-untyped-call]
        return joined


_Part = tuple[Sequence[Any], Mapping[str, Any]]


class _Joined(torch.autograd.Function):
    """The predictions of all parts; going back, each part is computed again, alone."""

    @staticmethod
    def forward(ctx: Any, model: nn.Module, parts: list[_Part], *params: Tensor) -> Tensor:  # noqa: ARG004 - autograd gives them gradients
        ctx.model, ctx.parts, ctx.random = model, parts, []
        found: list[Tensor] = []
        for args, kwargs in parts:
            ctx.random.append(get_random_states())
            pred = model(*args, **kwargs)
            if not isinstance(pred, Tensor):
                raise TypeError(
                    f"AutoMicroBatch joins predictions that are tensors, and this "
                    f"{type(model).__name__} returns a {type(pred).__name__}; make the batch "
                    "smaller and add GradientAccumulation"
                )
            found.append(pred)
        device = found[0].device.type
        ctx.rows, ctx.autocast = [len(pred) for pred in found], None
        if torch.is_autocast_enabled(device):
            ctx.autocast = device, torch.get_autocast_dtype(device)
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        model: nn.Module = ctx.model
        params = [p for p in model.parameters() if p.requires_grad]
        sums: list[Tensor | None] = [None] * len(params)
        after, buffers = get_random_states(), [(b, b.clone()) for b in model.buffers()]
        try:
            for part, random, grad in zip(
                ctx.parts, ctx.random, torch.split(grads[0], ctx.rows), strict=True
            ):
                for i, found in enumerate(_gradients(ctx, part, random, grad, params)):
                    own = sums[i]
                    if found is not None:
                        sums[i] = found if own is None else own.add_(found)
        finally:
            _put_back(buffers)  # norm layers have counted these rows already
            set_random_states(**after)
        return (None, None, *sums)


def _gradients(
    ctx: Any, part: _Part, random: RandomStates, grad: Tensor, params: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    args, kwargs = part
    set_random_states(**random)
    device, dtype = ctx.autocast or (grad.device.type, None)
    with torch.enable_grad():
        with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
            pred = ctx.model(*args, **kwargs)
        return torch.autograd.grad(pred, params, grad, allow_unused=True)


def _put_back(buffers: list[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)


def _rows(inputs: Any) -> int:
    """The items in a batch."""
    for value in inputs.values() if isinstance(inputs, Mapping) else inputs:
        if isinstance(value, Tensor) and value.ndim:
            return len(value)
        if isinstance(value, Mapping | list | tuple) and (found := _rows(value)):
            return found
    return 0


def _cut(value: Any, part: slice, rows: int) -> Any:
    """The rows of a part, of all tensors in `value` that have a row an item."""
    if isinstance(value, Tensor):
        return value[part] if value.ndim and len(value) == rows else value
    if isinstance(value, Mapping):
        return {key: _cut(member, part, rows) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cut(member, part, rows) for member in value)
    return value


def _is_want_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out; the CPU has no kind of its own for that."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _has_batch_norm(model: nn.Module) -> bool:
    return any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in model.modules()
    )
