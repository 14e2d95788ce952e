"""What in a training step is NaN or infinite, and where that began."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from layerwise.core.devices import any_process
from layerwise.core.errors import LayerwiseError
from layerwise.core.train.state import TrainState

__all__ = ["NotFiniteError", "all_finite"]

_ADVICE = {
    "input": "clean or fill these data, or leave them out; look at them with dls.show_batch()",
    "target": "clean or fill these targets, or leave such items out",
    "weight": "the model was broken before this batch: load other weights or make it anew",
    "prediction": "the model overflows on finite data: scale the inputs (Normalize), train at a "
    "smaller rate, or clip gradients",
    "loss": "the loss of finite predictions is not finite: look for a logarithm or root of 0, or a "
    "mean over nothing, in the loss function",
    "gradient": "train at a smaller rate or clip gradients; a root or norm of exactly 0 has no "
    "finite gradient either, add a small number inside it",
}


class NotFiniteError(LayerwiseError, FloatingPointError):
    """A loss or gradient is NaN or infinite; says in which batch, what was so first, what to do."""


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no number in `tensors` is NaN or infinite.

    One pass over the memory and one wait for each device. A sum is NaN or infinite where one of
    its terms is; where finite numbers add up to too much, they are looked at once more, one by one.

    Example:
        >>> all_finite([torch.ones(2), torch.zeros(3)]), all_finite([torch.tensor([1.0, math.nan])])
        (True, False)
    """
    tensors = list(tensors)
    if all(map(_is_simple, tensors)):
        # Python adds up in double precision; reading a number costs less than another operation.
        total = sum([(t.sum() if t.ndim else t).item() for t in tensors])
        return math.isfinite(total) or _each_finite(tensors)
    by_device: dict[torch.device, list[Tensor]] = {}
    for tensor in map(_own_part, tensors):
        by_device.setdefault(tensor.device, []).append(tensor)
    return all(_sum_finite(found) or _each_finite(found) for found in by_device.values())


def _is_simple(t: Tensor) -> bool:
    is_real = type(t) is Tensor and t.is_floating_point()
    return is_real and t.is_cpu and t.layout is torch.strided


def _each_finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _sum_finite(tensors: list[Tensor]) -> bool:
    """Whether the sum of norms is finite: a few launches for all tensors of a device."""
    real = [torch.view_as_real(t) if t.is_complex() else t for t in tensors]
    floating = [t for t in real if t.is_floating_point()]  # whole numbers are finite
    if not floating:
        return True
    norms = torch._foreach_norm(floating)
    return math.isfinite(torch.stack([norm.float() for norm in norms]).sum().item())


def _own_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor; of a sparse one, its values."""
    if hasattr(tensor, "to_local"):
        tensor = tensor.to_local()
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def is_scaled(learn: TrainState) -> bool:
    """Whether a gradient scaler is at work: infinite gradients are how it finds its scale."""
    scalers = [vars(cb).get("scaler") for cb in learn.cbs]
    return any(isinstance(s, torch.amp.GradScaler) and s.is_enabled() for s in scalers)


def not_finite_at_step(learn: TrainState, *, gradients: bool) -> dict[str, str]:
    """What would make a step of the optimizer break the weights; as a rule nothing, and quickly.

    Args:
        learn: in a batch, before the step.
        gradients: look at gradients; otherwise at the loss alone.

    Returns:
        As `_not_finite_parts`.
    """
    # What accumulation makes of a mean over no target is finite, the mean itself is not.
    loss: Tensor | None = learn.loss_grad if gradients else learn.loss
    # Of shared gradients it is a part, and without it all processes find the same.
    checked = [] if loss is None or _is_shared(learn, gradients) else [loss.detach()]
    if gradients:
        for group in learn.opt.param_lists:
            checked += [p.grad for p in group if p.grad is not None]
    return {} if all_finite(checked) else _not_finite_parts(learn, gradients=gradients)


def any_not_finite(learn: TrainState, parts: Mapping[str, str], *, gradients: bool) -> bool:
    """Whether any process has found something; all of them have to ask.

    Args:
        learn: in a batch, before the step.
        parts: what `not_finite_at_step` found here.
        gradients: as for that.
    """
    return bool(parts) if _is_shared(learn, gradients) else any_process(bool(parts), learn.device)


def _is_shared(learn: TrainState, gradients: bool) -> bool:
    return gradients and learn.strategy.shares_gradients


def _not_finite_parts(learn: TrainState, *, gradients: bool = True) -> dict[str, str]:
    """What of the current batch is not finite, in the order in which it was computed.

    Args:
        learn: in the middle of a batch.
        gradients: look at gradients too.

    Returns:
        From "input", "target", "weight", "prediction", "loss", "gradient" to where in it.
    """
    told: dict[str, str] = {}
    batch = {"input": learn.xb, "target": learn.yb, "weight": dict(_named_weights(learn))}
    results = {"prediction": learn.pred, "loss": learn.loss_grad if gradients else learn.loss}
    named = {**batch, **results}
    if gradients:
        weights = _named_weights(learn, every=True)
        named["gradient"] = {name: w.grad for name, w in weights if w.grad is not None}
    for kind, value in named.items():
        found = [place for place in map(_place, _leaves(value)) if place]
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            told[kind] = "; ".join(found[:3]) + more
    return told


def told_not_finite(learn: TrainState, parts: Mapping[str, str]) -> str:
    """Which batch, what was not finite first, and what to do about it."""
    where = f"epoch {learn.epoch}, batch {learn.iter}, step {learn.train_iter} of this fit"
    if not parts:
        return f"{where}: another process has NaN or infinite numbers; its message says where"
    if set(parts) == {"gradient"} and learn.strategy.processes > 1:
        where = f"{where}, unless another process says where it began"
    first, *others = parts
    also = f" (then: {', '.join(others)})" if others else ""
    return (
        f"{where}: the {first} is the first that is not finite{also}: {parts[first]}. "
        + (_ADVICE[first])
    )


def _named_weights(learn: TrainState, *, every: bool = False) -> Iterator[tuple[str, Tensor]]:
    """The weights that are trained, by name; only those not finite unless `every`."""
    own = {p for group in learn.opt.param_lists for p in group}
    models = {"": learn.model, **learn.aux_models}
    for owner, model in models.items():
        for name, weight in model.named_parameters(f"{owner}" if owner else ""):
            if weight in own and (every or not all_finite([weight.detach()])):
                yield name, weight


def _leaves(x: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in a structure, each with its name or its place."""
    if isinstance(x, Tensor):
        yield name, x
    elif isinstance(x, Mapping):
        for key, member in x.items():
            yield from _leaves(member, str(key))
    elif isinstance(x, tuple | list):
        for place, member in enumerate(x):
            yield from _leaves(member, name if len(x) == 1 else f"number {place}")


def _place(leaf: tuple[str, Tensor]) -> str:
    """Where in a tensor the numbers are that are not finite; empty where all are."""
    name, tensor = leaf
    values = _own_part(tensor.detach())
    if all_finite([values]):
        return ""
    if not values.ndim:
        return f"{name} {values.item()}".strip()
    wrong = ~torch.isfinite(values)
    kinds = [
        f"{int(mask.sum())} {kind}"
        for kind, mask in (
            ("NaN", values.isnan()),
            ("Inf", values == math.inf),
            ("-Inf", values == -math.inf),
        )
        if mask.any()
    ]
    first = (
        int(wrong.flatten(1).any(1).nonzero()[0]) if values.ndim > 1 else int(wrong.nonzero()[0])
    )
    shape = " x ".join(map(str, values.shape))
    return f"{name} ({shape}) has {', '.join(kinds)}, first in row {first}".strip()
