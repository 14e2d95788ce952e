"""A training as names and settings, which JSON can hold and a run is repeated from.

It holds how the model is made, loss, optimizer, callbacks, metrics, what loaders do to their items,
and the calls that trained. It holds no data and no weights: those come from the caller, and from
the random state in which the model is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.described import to_description
from layerwise.core.errors import ConfigError, nearest
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS
from layerwise.core.settings import settings_of
from layerwise.core.train.data_config import steps_to_plain

__all__ = ["loader_settings"]

FORMAT = "layerwise-config-1"

P = ParamSpec("P")
R = TypeVar("R")

Config = dict[str, Any]

_ALL_KINDS = KINDS | {"torch"}
_PIPELINES = ("after_item", "before_batch", "after_batch")
_LOADER = ("bs", "shuffle", "drop_last", "num_workers")
_LARGEST = 100_000  # numbers of one tensor; more is data, which does not belong in a configuration

LEARNER = (
    "model", "loss_func", "opt_func", "lr", "splitter", "metrics", "model_dir", "wd", "wd_bn_bias",
    "train_bn", "moms",
)  # fmt: skip
"""Arguments of a learner that are its attributes too."""

CALLS = ("fit", "fit_one_cycle", "fit_flat_cos", "fit_sgdr", "fine_tune", "freeze_to")
"""Methods of a learner that a configuration notes and repeats."""


class NotedCalls(list[tuple[str, dict[str, Any]]]):
    """Methods that trained a learner and what they were given; `busy` while one of them runs."""

    busy = False


def noted(method: Callable[P, R]) -> Callable[P, R]:
    """A method of a learner whose calls from outside are kept in `calls`."""

    @wraps(method)
    def kept(*args: P.args, **kwargs: P.kwargs) -> R:
        learn: Any = args[0]
        if learn.calls.busy:  # one of these methods calls another
            return method(*args, **kwargs)
        try:
            given = dict(signature(method).bind(*args, **kwargs).arguments)
        except TypeError:
            return method(*args, **kwargs)  # which says in its own words what is wrong
        for parameter in signature(method).parameters.values():
            if parameter.kind is Parameter.VAR_KEYWORD:
                given.update(given.pop(parameter.name, {}))
        given.pop("self")
        learn.calls.append((method.__name__, given))
        learn.calls.busy = True
        try:
            return method(*args, **kwargs)
        finally:
            learn.calls.busy = False

    return kept


def run_to_config(learn: Any, usual: tuple[type, ...]) -> Config:
    """What `Learner.to_config` returns.

    Args:
        learn: the learner.
        usual: classes of the callbacks that every learner has by default.
    """
    arrays: dict[str, Tensor] = {}

    def plain(value: Any, where: str) -> Any:
        return to_description(value, arrays, where, structure=False)

    has_usual = {type(cb) for cb in learn.cbs}.issuperset(usual)
    own = [cb for cb in learn.cbs if not (has_usual and type(cb) in usual and _is_plain(cb))]
    config: Config = {
        "format": FORMAT,
        "learner": {name: plain(getattr(learn, name), name) for name in LEARNER},
        "loaders": _loaders_to_plain(learn.dls, arrays),
        "calls": [
            {"method": name, **plain(given, f"an argument of {name}")}
            for name, given in learn.calls
        ],
    }
    config["learner"]["cbs"] = plain(own, "cbs")
    config["learner"]["default_cbs"] = has_usual
    config["learner"]["compile"] = plain(learn.compiling, "compile") if learn.compiling else False
    config["arrays"] = {name: _array_to_plain(value) for name, value in arrays.items()}
    return config


def _is_plain(cb: Any) -> bool:
    """Whether a callback has the settings that it has by default."""
    return settings_of(cb) == settings_of(type(cb)())


def _loaders_to_plain(dls: Any, arrays: dict[str, Tensor]) -> list[Config | None]:
    loaders = getattr(dls, "loaders", None)
    if loaders is None:
        loaders = [dls.train, dls.valid]
    return [_loader_to_plain(loader, arrays) for loader in loaders]


def _loader_to_plain(loader: Any, arrays: dict[str, Tensor]) -> Config | None:
    """Settings and transforms of a loader of ours; None for others, which have their own."""
    if not isinstance(loader, DataLoader):
        return None
    plain: Config = {name: getattr(loader, name) for name in _LOADER}
    if isinstance(loader, TfmdDL):
        for name in _PIPELINES:
            plain[name] = steps_to_plain(getattr(loader, name), arrays, name, training=True)
    return plain


def _array_to_plain(value: Tensor) -> Config:
    if value.numel() > _LARGEST:
        raise ConfigError(
            f"a tensor of {value.numel()} numbers is among the settings; a configuration holds no "
            "data and no weights"
        )
    return {"dtype": str(value.dtype).removeprefix("torch."), "values": value.tolist()}


def settings_from_config(config: Mapping[str, Any], dls: Any) -> dict[str, Any]:
    """The keywords of a learner, once `dls` has shown to be of the kind that is described.

    Raises:
        ConfigError: if the configuration is damaged, or the loaders do something else.
    """
    arrays = _arrays(config)
    found: dict[str, Any] = _from_plain(_part(config, "learner", dict), arrays)
    known = {*LEARNER, "cbs", "default_cbs", "compile"}
    for name in found:
        if name not in known:
            raise ConfigError(f"a learner has no setting {name!r}.{nearest(name, known)}")
    _check_loaders(config, dls)
    return found


def _part(config: Mapping[str, Any], name: str, kind: type) -> Any:
    if config.get("format") != FORMAT or not isinstance(config.get(name), kind):
        raise ConfigError(
            f"this is no configuration of the format {FORMAT!r}, as Learner.to_config makes it, or "
            f"its part {name!r} is missing"
        )
    return config[name]


def _arrays(config: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        return {
            name: torch.tensor(plain["values"], dtype=getattr(torch, plain["dtype"]))
            for name, plain in _part(config, "arrays", dict).items()
        }
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"the tensors of this configuration are damaged: {error}") from error


def _from_plain(plain: Any, arrays: Mapping[str, Tensor]) -> Any:
    return from_description(plain, arrays, _ALL_KINDS, may_fetch=True)


def _check_loaders(config: Mapping[str, Any], dls: Any) -> None:
    arrays: dict[str, Tensor] = {}
    now = _loaders_to_plain(dls, arrays)
    then, kept = _part(config, "loaders", list), _arrays(config)
    if len(now) != len(then):
        raise ConfigError(f"{len(now)} loaders where the run had {len(then)}")
    for i, (one, other) in enumerate(zip(now, then, strict=True)):
        for name in [*_LOADER, *_PIPELINES]:
            if name == "num_workers":  # of no influence on what is loaded
                continue
            mine, theirs = (one or {}).get(name), (other or {}).get(name)
            if not _same(mine, arrays, theirs, kept):
                raise ConfigError(
                    f"loader {i} has {name}={mine!r:.200}, the run had {theirs!r:.200}; make the "
                    "loaders with dataloaders(..., **loader_settings(config))"
                )


def _same(one: Any, arrays: Mapping[str, Tensor], other: Any, others: Mapping[str, Tensor]) -> bool:
    """Whether two descriptions are equal, tensors by their values."""
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_same(a, arrays, b, others) for a, b in pairs)
    if isinstance(one, dict) and isinstance(other, dict):
        if "$tensor" in one and "$tensor" in other:
            return torch.equal(arrays[one["$tensor"]], others[other["$tensor"]])
        return one.keys() == other.keys() and all(
            _same(one[key], arrays, other[key], others) for key in one
        )
    return bool(one == other)


def loader_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords for `dataloaders` that make loaders like those of the run: `bs`, transforms, ...

    Args:
        config: as `Learner.to_config` made it.

    Raises:
        ConfigError: if there is nothing about loaders in it.
    """
    train = next(iter(_part(config, "loaders", list)), None)
    if train is None:
        raise ConfigError("the run had loaders of another library, whose settings are not known")
    return dict(_from_plain(train, _arrays(config)))


def repeat_calls(learn: Any, config: Mapping[str, Any]) -> None:
    """Train by the calls that a configuration notes."""
    arrays = _arrays(config)
    for call in _part(config, "calls", list):
        given = _from_plain(call, arrays)
        method = given.pop("method", None)
        if method not in CALLS:
            raise ConfigError(
                f"a configuration cannot call {method!r}.{nearest(str(method), CALLS)} "
                f"It calls {', '.join(CALLS)}"
            )
        getattr(learn, method)(**given)
