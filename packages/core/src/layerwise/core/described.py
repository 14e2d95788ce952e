"""`to_description`: objects as names and settings, all that files of ours hold of them.

A class or function is held by its registered name, an instance by the name of its class and the
keywords that make an equal one. `rebuilt.from_description` makes the objects again.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.core.errors import ConfigError
from layerwise.core.items import L
from layerwise.core.named import how_to_name, reference_to
from layerwise.core.settings import Settings, recipe_of, settings_of

__all__ = ["to_description"]


def to_description(
    value: Any, arrays: dict[str, Tensor], where: str, *, structure: bool = True
) -> Any:
    """`value` as JSON can hold it; its tensors go to `arrays` and leave their names behind.

    Args:
        value: None, truth values, numbers, texts, lists, tuples, dicts, tensors, arrays, members
            of enumerations, named functions and classes, and objects of named classes.
        arrays: gets the tensors.
        where: what `value` is, in words, for messages.
        structure: of models, describe the structure alone, for weights that come from elsewhere;
            otherwise as they were made, trained weights to fetch and all.

    Raises:
        ConfigError: for anything without a name: says what it is, where it stands and what to do.

    Example:
        >>> to_description({"p": 0.5, "layer": nn.ReLU()}, {}, "this")
        {'p': 0.5, 'layer': {'$type': 'torch:nn.ReLU', 'inplace': False}}
    """
    return _Writer(arrays, structure).plain(value, where)


class _Writer:
    """Describes values one inside the other; `where` is the way to each, in words."""

    def __init__(self, arrays: dict[str, Tensor], structure: bool) -> None:
        self.arrays, self.structure = arrays, structure

    def plain(self, value: Any, where: str) -> Any:
        """`value` described."""
        if value is None or isinstance(value, bool | np.bool_):
            return None if value is None else bool(value)
        if isinstance(value, Enum):
            return {"$enum": _name(type(value), where), "member": value.name}
        if isinstance(value, str):
            return _text(str(value), where)
        if isinstance(value, int | np.integer):
            return int(value)
        if isinstance(value, float | np.floating):
            number = float(value)
            return number if math.isfinite(number) else {"$float": repr(number)}
        if isinstance(value, Tensor | np.ndarray):
            return self.array(value, where)
        return self.collection(value, where)

    def array(self, value: Any, where: str) -> dict[str, str]:
        is_array = isinstance(value, np.ndarray)
        try:
            tensor = torch.from_numpy(np.array(value)) if is_array else value.detach().cpu()
        except TypeError as error:
            raise ConfigError(f"{where} is an array of {value.dtype}, not of numbers") from error
        name = f"array{len(self.arrays)}"
        self.arrays[name] = tensor.as_subclass(Tensor).clone()
        return {"$array" if is_array else "$tensor": name}

    def collection(self, value: Any, where: str) -> Any:
        if isinstance(value, dict):
            return self.mapping(value, where)
        if type(value) is tuple:
            return {"$tuple": self.members(value, where)}
        if isinstance(value, set | frozenset):
            return {"$set": self.members(sorted(value, key=repr), where)}
        if isinstance(value, slice):
            return {"$slice": self.members([value.start, value.stop, value.step], where)}
        if isinstance(value, re.Pattern):
            return {"$pattern": value.pattern, "flags": value.flags}
        if isinstance(value, partial):
            return {
                "$partial": self.plain(value.func, where),
                "args": self.members(value.args, f"{where}, arguments"),
                "keywords": self.mapping(value.keywords, where),
            }
        is_list = isinstance(value, Sequence) and not isinstance(value, bytes)
        if is_list and (type(value) in (list, L) or reference_to(type(value)) is None):
            return self.members(value, where)
        return self.named(value, where)

    def members(self, values: Sequence[Any], where: str) -> list[Any]:
        return [self.plain(member, f"{where}[{i}]") for i, member in enumerate(values)]

    def mapping(self, value: Mapping[Any, Any], where: str) -> dict[str, Any]:
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {k: self.plain(v, f"{where}, {k!r}") for k, v in value.items()}
        items = [[self.plain(k, where), self.plain(v, f"{where}, {k!r}")] for k, v in value.items()]
        return {"$items": items}

    def named(self, value: Any, where: str) -> dict[str, Any]:
        """A class or function by its name, an object by that of its class and its settings."""
        if isinstance(value, PurePath):
            raise ConfigError(
                f"{where} is the path {str(value)!r}; paths of one computer are not written to "
                "files. Give it as a relative path in a text, or leave it out"
            )
        own = reference_to(value)
        if own is not None:
            return {"$name": own}
        if isinstance(value, nn.Module):
            found = self.module(value, where)
            if found is not None:
                return found
        if isinstance(value, type) or inspect.isroutine(value):
            raise ConfigError(_without_name(value, where))
        name = _name(type(value), where, is_instance=True)
        try:
            settings = settings_of(value)
        except ConfigError as error:
            raise ConfigError(f"{where} cannot be described: {error}") from error
        return self.call(name, settings, where)

    def module(self, value: nn.Module, where: str) -> dict[str, Any] | None:
        """A model by the call that made it, or by its layers where it is a row of them."""
        recipe = recipe_of(value)
        if recipe is not None:
            own = recipe.structure if self.structure else {}
            return self.call(_name(recipe.function, where), {**recipe.settings, **own}, where)
        # A subclass without a name that only chooses the layers is the same as a row of them, but
        # for the numbers they start from.
        has_name = type(value) is not nn.Sequential and reference_to(type(value)) is not None
        is_row = isinstance(value, nn.Sequential) and not has_name
        is_same = type(value) is nn.Sequential or self.structure
        if is_row and is_same and type(value).forward is nn.Sequential.forward:
            layers = value._modules.items()
            return {"$layers": [[n, self.plain(m, f"{where}, layer {n}")] for n, m in layers]}
        return None

    def call(self, name: str, settings: Settings, where: str) -> dict[str, Any]:
        plain = {k: self.plain(v, f"{where}, {k}") for k, v in settings.items()}
        return {"$type": name, **plain}


def _text(text: str, where: str) -> str:
    # Labels may start with a slash, too; a path of this computer starts with a folder of it.
    path = PurePath(text) if len(text) < 4096 and "\0" not in text else PurePath()
    if path.is_absolute() and len(path.parts) > 2 and Path(*path.parts[:2]).exists():
        raise ConfigError(
            f"{where} is {text!r}, a path of this computer; such are not written to files. Give it "
            "relative to where the program runs"
        )
    return text


def _name(kind: Any, where: str, *, is_instance: bool = False) -> str:
    found = reference_to(kind)
    if found is None:
        raise ConfigError(_without_name(kind, where, is_instance=is_instance))
    return found


def _without_name(value: Any, where: str, *, is_instance: bool = False) -> str:
    what = "class" if isinstance(value, type) else "function"
    own = getattr(value, "__qualname__", type(value).__name__)
    code = getattr(value, "__code__", None)
    if code is not None:
        own += f" ({PurePath(code.co_filename).name}, line {code.co_firstlineno})"
    return (
        f"{where} is {'of ' if is_instance else ''}the {what} {own}, which has no name that a file "
        f"could hold, since files hold names and settings and never code; {how_to_name(value)}"
    )
