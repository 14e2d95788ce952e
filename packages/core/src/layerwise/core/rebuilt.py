"""`from_description`: the objects that `described.to_description` described.

What is read may come from a stranger. Names are looked up in the registry and in a table of torch's
own, of the kinds that the caller allows; classes are called with settings that they have, functions
are named and not called, but for those that build models, layers, optimizers and schedules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from inspect import Parameter
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import ConfigError, nearest
from layerwise.core.named import object_of
from layerwise.core.settings import Settings, signature_of

__all__ = ["from_description"]

# Registered functions of these kinds are meant to be called with settings.
_CALLED = ("model:", "layer:", "optimizer:", "schedule:")
# What would make them fetch or read files, whoever wrote the description.
_FETCHING = ("pretrained", "weights")


def from_description(
    plain: Any, arrays: Mapping[str, Tensor], kinds: frozenset[str], *, may_fetch: bool = False
) -> Any:
    """What `to_description` described, made by constructors that have a name, and by nothing else.

    Args:
        plain: values of JSON.
        arrays: the tensors that they name.
        kinds: the kinds of names, of `layerwise.core.registry.KINDS` and `"torch"`, that may stand
            in it.
        may_fetch: let it ask for trained weights, for descriptions of your own.

    Raises:
        ConfigError: if it is damaged, has a name that is not known here or not meant to be there,
            or settings that its class does not take.

    Example:
        >>> from_description({"$type": "torch:nn.Dropout", "p": 0.5}, {}, frozenset({"torch"}))
        Dropout(p=0.5, inplace=False)
    """
    return _Reader(arrays, kinds, may_fetch).read(plain)


class _Reader:
    """Makes values one inside the other."""

    def __init__(
        self, arrays: Mapping[str, Tensor], kinds: frozenset[str], may_fetch: bool
    ) -> None:
        self.arrays, self.kinds, self.may_fetch = arrays, kinds, may_fetch

    def read(self, plain: Any) -> Any:
        """What `plain` describes."""
        if isinstance(plain, list):
            return [self.read(member) for member in plain]
        if not isinstance(plain, dict):
            return plain
        marks = [key for key in plain if key.startswith("$")]
        if not marks:
            return {key: self.read(member) for key, member in plain.items()}
        mark = marks[0]
        if mark not in _READERS or len(marks) > 1:
            raise ConfigError(f"{' with '.join(marks)!r:.80} is no mark of a description")
        if mark != "$type" and plain.keys() != {mark, *_BESIDE.get(mark, ())}:
            raise ConfigError(f"the description {plain!r:.120} is damaged")
        try:
            return _READERS[mark](self, plain)
        except ConfigError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, re.error) as error:
            raise ConfigError(f"the description {plain!r:.120} is damaged: {error}") from error

    def object(self, plain: dict[str, Any]) -> Any:
        name = plain["$type"]
        make = object_of(name, self.kinds - {"type", "dataset"})
        if not isinstance(make, type) and not name.startswith(_CALLED):
            raise ConfigError(f"{name!r} is a function, which is named here but not called")
        settings = {k: self.read(v) for k, v in plain.items() if k != "$type"}
        asked = [word for word in _FETCHING if settings.get(word)]
        if asked and not self.may_fetch:
            raise ConfigError(f"{name!r} with {asked[0]}: a file's model has its weights with it")
        return _made(name, make, settings)

    def layers(self, plain: dict[str, Any]) -> nn.Sequential:
        layers = nn.Sequential()
        for name, layer in plain["$layers"]:
            layers.add_module(name, self.read(layer))
        return layers

    def enum(self, plain: dict[str, Any]) -> Enum:
        found = object_of(plain["$enum"], frozenset({"type"}))
        if not (isinstance(found, type) and issubclass(found, Enum)):
            raise ConfigError(f"{plain['$enum']!r} is no enumeration")
        member: Enum = found[plain["member"]]
        return member

    def partial(self, plain: dict[str, Any]) -> Any:
        return partial(
            self.read(plain["$partial"]), *self.read(plain["args"]), **self.read(plain["keywords"])
        )

    def items(self, plain: dict[str, Any]) -> dict[Any, Any]:
        return {self.read(key): self.read(value) for key, value in plain["$items"]}


_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

# What stands beside a mark.
_BESIDE = {"$enum": ("member",), "$partial": ("args", "keywords"), "$pattern": ("flags",)}

_READERS: dict[str, Callable[[_Reader, dict[str, Any]], Any]] = {
    "$array": lambda reader, plain: reader.arrays[plain["$array"]].numpy(),
    "$enum": _Reader.enum,
    "$float": lambda _, plain: _FLOATS[plain["$float"]],
    "$items": _Reader.items,
    "$layers": _Reader.layers,
    "$name": lambda reader, plain: object_of(plain["$name"], reader.kinds),
    "$partial": _Reader.partial,
    "$pattern": lambda _, plain: re.compile(plain["$pattern"], plain["flags"]),
    "$set": lambda reader, plain: set(reader.read(plain["$set"])),
    "$slice": lambda reader, plain: slice(*reader.read(plain["$slice"])),
    "$tensor": lambda reader, plain: reader.arrays[plain["$tensor"]],
    "$tuple": lambda reader, plain: tuple(reader.read(plain["$tuple"])),
    "$type": _Reader.object,
}


def _made(name: str, make: Any, settings: Settings) -> Any:
    """`make` called with `settings`, each of which it has to take."""
    if hasattr(make, "from_settings"):
        return make.from_settings(**settings)
    parameters = signature_of(make).parameters
    kinds = {p.kind for p in parameters.values()}
    takes_any = Parameter.VAR_KEYWORD in kinds or _is_rnn(make)
    unknown = [key for key in settings if key not in parameters and not takes_any]
    if unknown:
        raise ConfigError(
            f"{name} has no setting {unknown[0]!r:.60}.{nearest(unknown[0], parameters)} "
            "Was it written with another version?"
        )
    args = _positional(parameters, settings)
    for parameter in parameters.values():
        if parameter.kind is Parameter.VAR_KEYWORD:
            settings |= settings.pop(parameter.name, {})
    try:
        return make(*args, **settings)
    except ConfigError:
        raise
    except (TypeError, ValueError, LookupError, RuntimeError, AttributeError) as error:
        raise ConfigError(f"{name} cannot be made of the settings given: {error}") from error


def _is_rnn(make: Any) -> bool:
    """Whether it is one of torch's recurrent layers, which name no parameters."""
    return isinstance(make, type) and issubclass(make, nn.RNNBase)


def _positional(parameters: Mapping[str, Parameter], settings: Settings) -> list[Any]:
    """The arguments up to a starred one, where there is one, taken out of `settings`."""
    args: list[Any] = []
    names = list(parameters)
    for place, parameter in enumerate(parameters.values()):
        if parameter.kind is Parameter.VAR_POSITIONAL and parameter.name in settings:
            args = [settings.pop(name) for name in names[:place] if name in settings]
            args += settings.pop(parameter.name)
    return args
