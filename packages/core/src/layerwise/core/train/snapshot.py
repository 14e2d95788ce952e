"""A snapshot: everything that a training needs to go on as if it had never been stopped.

What is taken here is copied at once, so that training can go on while it is written. What is put
back is checked as a whole before anything is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.core.devices import any_process
from layerwise.core.errors import BundleError
from layerwise.core.metrics.state import sync_all
from layerwise.core.nn.module import with_versions
from layerwise.core.optim.saved import copy_for
from layerwise.core.random import get_random_states, set_random_states
from layerwise.core.train.batches import known_length, loader_generators
from layerwise.core.train.callback import Callback
from layerwise.core.train.state import TrainState

__all__ = ["CheckpointError"]

_COUNTERS = ("train_iter", "pct_train")


class CheckpointError(BundleError):
    """A checkpoint that cannot be written, or does not fit the training that is to go on from it.

    Says what differs and what to do.
    """


def take(
    learn: TrainState,
    epoch: int,
    batches: int,
    *,
    finished: bool = False,
    old: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The state of training, copied to the CPU.

    Args:
        learn: the learner, between two batches or between two epochs.
        epoch: the epoch to go on with.
        batches: training batches of it that are done; 0 between two epochs.
        finished: whether the fit is at its end.
        old: an earlier state that nobody needs any more; its memory is used again.
    """
    old = old or {}
    loss = getattr(learn, "loss", None)
    return {
        "fit": {
            "number": learn.fit_count,
            "epoch": epoch,
            "batches": batches,
            "finished": finished,
            "n_epoch": learn.n_epoch,
            "epoch_batches": known_length(learn.dls.train) or 0,
            "run_seed": learn.run_seed,
            "log_step": learn.log_bus.step,
            **{name: getattr(learn, name) for name in _COUNTERS},
        },
        "model": _module_state(
            learn.model,
            learn.strategy.full_model_state(learn),
            {} if finished else learn.strategy.full_grads(learn),  # which the engine clears
            old.get("model", {}),
        ),
        "aux_models": {
            name: _module_state(
                model, model.state_dict(), _grads(model), old.get("aux_models", {}).get(name, {})
            )
            for name, model in learn.aux_models.items()
        },
        "opt": _copied(
            learn.strategy.full_opt_state(learn), "the optimizer's state", old.get("opt")
        ),
        "frozen_to": learn.opt.frozen_idx,
        "callbacks": {
            key: _copied(
                cb.state_dict(),
                f"the state of {type(cb).__name__}",
                old.get("callbacks", {}).get(key),
            )
            for key, cb in _named_callbacks(learn.cbs)
        },
        "metrics": _metric_states(learn) if batches else [{} for _ in learn.metrics],
        "loss": None if loss is None else _copied(loss),
        "epoch_random": _packed_random(getattr(learn, "epoch_random", {})) if batches else {},
        "loaders": [[g.get_state() for g in loader_generators(dl)] for dl in _loaders(learn)],
        "random": _packed_random(get_random_states()),
    }


def restore(learn: TrainState, state: Mapping[str, Any]) -> None:
    """Put everything back to how it was when `take` gave `state`.

    Raises:
        CheckpointError: if something does not fit; names all of it, and nothing is changed.
    """
    wrong = [
        *_module_misfits(
            "the model", learn.model, learn.strategy.full_model_state(learn), state["model"]
        ),
        *_names_misfit("auxiliary models", learn.aux_models, state["aux_models"]),
        *(
            line
            for name, aux in learn.aux_models.items()
            if name in state["aux_models"]
            for line in _module_misfits(name, aux, aux.state_dict(), state["aux_models"][name])
        ),
        *_callback_misfits(learn.cbs, state["callbacks"]),
        *_metric_misfits(learn, state["metrics"]),
    ]
    if not wrong:
        wrong = _load_opt(learn, state)
    if wrong:
        raise CheckpointError("it does not fit this training:\n  " + "\n  ".join(wrong))
    learn.strategy.load_model_state(learn, state["model"]["weights"])
    _load_beside(learn.model, state["model"])
    learn.strategy.load_grads(learn, _like(learn.model, state["model"]["grads"]))
    for name, model in learn.aux_models.items():
        saved = state["aux_models"][name]
        model.load_state_dict(with_versions(saved["weights"], model))
        _load_beside(model, saved)
        grads = _like(model, saved["grads"])
        for param_name, param in model.named_parameters():
            param.grad = grads.get(param_name)
    for name in _COUNTERS:
        setattr(learn, name, state["fit"][name])
    learn.log_bus.step = state["fit"]["log_step"]
    for metric, saved in zip(learn.metrics, state["metrics"], strict=True):
        # What all processes have seen, one takes up: it is added together again at the end.
        metric.load_state_dict(_moved(saved, learn.device) if learn.strategy.rank == 0 else {})
    if state["loss"] is not None:
        learn.loss = _moved(state["loss"], learn.device)
    for key, cb in _named_callbacks(learn.cbs):
        if key in state["callbacks"]:
            cb.load_state_dict(state["callbacks"][key])
    for dl, generators in zip(_loaders(learn), state["loaders"], strict=True):
        for generator, own in zip(loader_generators(dl), generators, strict=True):
            generator.set_state(own)
    _put_back_random(state["random"])


def _metric_states(learn: TrainState) -> list[dict[str, Any]]:
    """What each metric has seen of this epoch, in all processes together."""
    own = [metric.state_dict() for metric in learn.metrics]
    whole = own
    if any_process(any(own), learn.device) and learn.strategy.processes > 1:
        sync_all(learn.metrics)
        whole = [metric.state_dict() for metric in learn.metrics]
        for metric, state in zip(learn.metrics, own, strict=True):
            metric.load_state_dict(state)
    named = zip(learn.metrics, whole, strict=True)
    return [_copied(state, f"the metric {metric.name}") for metric, state in named]


_PYTHON = "random_state"


def _packed_random(states: Mapping[str, Any]) -> dict[str, Any]:
    """Random states with the 625 integers of Python's as one tensor, which is faster to write."""
    packed = dict(states)
    if _PYTHON in packed:
        version, words, normal = packed[_PYTHON]
        packed[_PYTHON] = [version, torch.tensor(words), normal]
    return packed


def unpacked_random(packed: Mapping[str, Any]) -> dict[str, Any]:
    """What `_packed_random` was given."""
    states = dict(packed)
    if _PYTHON in states:
        version, words, normal = states[_PYTHON]
        states[_PYTHON] = (version, tuple(words.tolist()), normal)
    return states


def _put_back_random(packed: Mapping[str, Any]) -> None:
    """Set the global random states; those of devices that are not here are left out."""
    states = unpacked_random(packed)
    devices = states.get("torch_cuda_state")
    if devices is not None and len(devices) != torch.cuda.device_count():
        del states["torch_cuda_state"]
    set_random_states(**states)


def _named_callbacks(cbs: Iterable[Callback]) -> list[tuple[str, Callback]]:
    """The callbacks by name; the second of one name is `name#2`."""
    found: list[tuple[str, Callback]] = []
    count: dict[str, int] = {}
    for cb in cbs:
        count[cb.name] = count.get(cb.name, 0) + 1
        found.append((cb.name if count[cb.name] == 1 else f"{cb.name}#{count[cb.name]}", cb))
    return found


def _copied(value: Any, what: str = "this", old: Any = None) -> Any:
    """`value` with tensors copied to the CPU and lists, dicts and arrays copied.

    Args:
        value: the state.
        what: what it is, for errors.
        old: an earlier copy that nobody needs any more; its tensors are written over where they
            fit, since new memory costs more than the copying does.

    Raises:
        CheckpointError: if there is something in it that a checkpoint cannot hold; says where.

    Example:
        >>> kept = [torch.zeros(2)]
        >>> other = _copied(kept)
        >>> kept[0] += 1
        >>> other
        [tensor([0., 0.])]
    """
    if isinstance(value, Tensor):
        return _copied_tensor(value, old)
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return value
    if isinstance(value, Mapping):
        before = old if isinstance(old, dict) else {}
        return {k: _copied(member, what, before.get(k)) for k, member in value.items()}
    if isinstance(value, list) and len(value) > 64 and type(value[0]) is type(value[-1]) is float:
        return value[:]  # a history; looking at each number would take longer than the batch did
    if isinstance(value, list | tuple):
        fits = isinstance(old, list | tuple) and len(old) == len(value)
        olds = old if fits else [None] * len(value)
        members = [_copied(m, what, o) for m, o in zip(value, olds, strict=True)]
        return members if isinstance(value, list) else tuple(members)
    if isinstance(value, np.ndarray):
        return value.copy()
    raise CheckpointError(
        f"{what} is or has a {type(value).__name__}, which a checkpoint cannot hold: "
        f"{value!r:.80}. Keep numbers, text, tensors, and lists and dicts of them, or write "
        "`state_dict` and `load_state_dict`"
    )


def _copied_tensor(value: Tensor, old: Any) -> Tensor:
    plain = value.detach().as_subclass(Tensor)
    if isinstance(old, Tensor) and old.shape == plain.shape and old.dtype is plain.dtype:
        return old.copy_(plain)
    return plain.to("cpu", copy=True, memory_format=torch.contiguous_format)


# -- modules ---------------------------------------------------------------------------------


def _module_state(
    module: nn.Module,
    weights: Mapping[str, Any],
    grads: Mapping[str, Tensor],
    old: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "weights": _copied(weights, "the model's state", old.get("weights")),
        "unsaved_buffers": _copied(_unsaved_buffers(module, weights)),
        "frozen": [n for n, param in module.named_parameters() if not param.requires_grad],
        "grads": _copied(grads, "gradients", old.get("grads")),
    }


def _grads(module: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad for n, p in module.named_parameters() if p.grad is not None}


def _unsaved_buffers(module: nn.Module, weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Buffers that `state_dict` leaves out, which training may well change."""
    return {name: b for name, b in module.named_buffers() if name not in weights}


def _module_misfits(
    what: str, module: nn.Module, own: Mapping[str, Any], saved: Mapping[str, Any]
) -> list[str]:
    weights = saved["weights"]
    return [
        *_names_misfit(f"weights of {what}", own, weights),
        *(
            f"{what}: {name} is {tuple(own[name].shape)}, saved as {tuple(weights[name].shape)}"
            for name in own.keys() & weights.keys()
            if isinstance(own[name], Tensor) and own[name].shape != weights[name].shape
        ),
        *_names_misfit(
            f"buffers of {what}", _unsaved_buffers(module, own), saved["unsaved_buffers"]
        ),
    ]


def _load_beside(module: nn.Module, saved: Mapping[str, Any]) -> None:
    """Load what is no part of `state_dict`: other buffers, and which parameters are trained."""
    with torch.no_grad():
        for name, buffer in _unsaved_buffers(module, saved["weights"]).items():
            buffer.copy_(saved["unsaved_buffers"][name])
    frozen = set(saved["frozen"])
    for name, param in module.named_parameters():
        if param.is_floating_point() or param.is_complex():
            param.requires_grad_(name not in frozen)


def _like(module: nn.Module, grads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gradients laid out in memory as their parameters are, since sums depend on that."""
    return {n: copy_for(p, grads[n]) for n, p in module.named_parameters() if n in grads}


# -- the rest --------------------------------------------------------------------------------


def _load_opt(learn: TrainState, state: Mapping[str, Any]) -> list[str]:
    """Load the state of the optimizer; what does not fit, and then nothing was changed."""
    if not 0 <= state["frozen_to"] < max(1, len(learn.opt.param_lists)):
        return [f"the optimizer has {len(learn.opt.param_lists)} parameter groups"]
    try:
        learn.strategy.load_opt_state(learn, state["opt"])
    except ValueError as error:
        return [str(error)]
    if learn.opt.frozen_idx != state["frozen_to"]:
        learn.opt.freeze_to(state["frozen_to"])
    return []


def _callback_misfits(cbs: Iterable[Callback], saved: Mapping[str, Any]) -> list[str]:
    here = dict(_named_callbacks(cbs))
    gone = [name for name, state in saved.items() if state and name not in here]
    new = [name for name, cb in here.items() if name not in saved and cb.state_dict()]
    return [
        *(f"the callback {name!r} has a state in it; add it here too" for name in gone),
        *(
            f"it has no state of the callback {name!r}; leave that out, or start anew"
            for name in new
        ),
    ]


def _metric_misfits(learn: TrainState, saved: list[Any]) -> list[str]:
    if len(saved) == len(learn.metrics):
        return []
    return [f"it was written with {len(saved)} metrics, here are {len(learn.metrics)}"]


def _names_misfit(what: str, own: Iterable[str], saved: Iterable[str]) -> list[str]:
    own, saved = list(own), list(saved)
    told = [
        (f"{what} that it does not have", [n for n in own if n not in set(saved)]),
        (f"{what} that are not here", [n for n in saved if n not in set(own)]),
    ]
    return [f"{text}: {_few(names)}" for text, names in told if names]


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _loaders(learn: TrainState) -> list[Any]:
    found = [learn.dls.train]
    loaders = getattr(learn.dls, "loaders", None)
    if loaders is None or len(loaders) > 1:
        found.append(learn.dls.valid)
    return found


def _moved(value: Any, device: torch.device | None) -> Any:
    """`value` with its tensors on `device`."""
    if isinstance(value, Tensor):
        return value if device is None else value.to(device)
    if isinstance(value, dict):
        return {key: _moved(member, device) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_moved(member, device) for member in value)
    return value
