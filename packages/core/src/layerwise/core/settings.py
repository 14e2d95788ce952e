"""What makes an equal object: the keywords of its constructor, or the call that built a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import Parameter
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

from torch import nn

from layerwise.core.errors import ConfigError

__all__ = [
    "RemembersCall",
    "Settings",
    "attribute_settings",
    "built",
    "record_built",
    "settings_of",
]

P = ParamSpec("P")
R = TypeVar("R")

Settings = dict[str, Any]
"""Keywords and what is given for them."""

_UNSET = object()
_RECIPE, _MADE_WITH = "_layerwise_built", "_made_with"


class RemembersCall:
    """A base of classes whose objects know what they were made with.

    Their attributes may be parts of that, or go by other names.

    Example:
        >>> class Scale(RemembersCall):
        ...     def __init__(self, by: int) -> None: self.factor = by / 2
        >>> settings_of(Scale(3))
        {'by': 3}
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - as of any class
        self = super().__new__(cls)
        vars(self)[_MADE_WITH] = (args, kwargs)
        return self


def settings_of(value: object) -> Settings:
    """The keywords with which the class of `value` makes an equal object.

    They are what `value.settings()` returns where it has that method. Modules, callbacks and
    metrics of ours remember what they were given. Of all others they are the attributes named
    like the parameters of the constructor, or like them with an underscore in front.

    Raises:
        ConfigError: if there is no attribute for a parameter; says which.

    Example:
        >>> settings_of(nn.Dropout(0.25))
        {'p': 0.25, 'inplace': False}
    """
    own = getattr(type(value), "settings", None)
    if callable(own):
        return dict(own(value))
    # What modules, callbacks and metrics were given, of which their attributes may be parts.
    given = getattr(value, "__dict__", {}).get(_MADE_WITH)
    if given is not None:
        return _named_arguments(type(value), *given)
    return attribute_settings(value)


def _named_arguments(make: Callable[..., Any], args: tuple[Any, ...], kwargs: Settings) -> Settings:
    """The arguments of a call by the names of the parameters, defaults among them."""
    signature = signature_of(make)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    settings = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is Parameter.VAR_KEYWORD:
            settings.update(settings.pop(parameter.name))
    return settings


def attribute_settings(value: object, *places: object) -> Settings:
    """The attributes of `value`, or of one of `places`, by the parameters of its constructor."""
    found: Settings = {}
    for parameter in _parameters(type(value)):
        kept = _kept(value, parameter, (value, *places))
        if kept is not _UNSET:
            found[parameter.name] = kept
    return found


def _kept(value: object, parameter: Parameter, places: Sequence[object]) -> Any:
    name = parameter.name
    for place in places:
        for attribute in (name, f"_{name}"):
            kept = getattr(place, attribute, _UNSET)
            if kept is not _UNSET:
                return _as_given(value, name, kept)
    is_any = parameter.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    if _is_torch(type(value)) and (is_any or parameter.default is not Parameter.empty):
        return _UNSET  # old names, kept by torch for those who still use them
    stars = "**" if parameter.kind is Parameter.VAR_KEYWORD else "*" if is_any else ""
    raise ConfigError(
        f"{type(value).__name__} keeps no attribute for its parameter {stars}{name}; in its "
        f"__init__, set self.{name} = {name}, or give it a method settings() that returns the "
        "keywords which make an equal one"
    )


def _as_given(value: object, name: str, kept: Any) -> Any:
    """What was given to the constructor for what a layer of torch made of it."""
    if _is_torch(type(value)) and name == "bias":
        return kept is not None and kept is not False
    return kept


def _init_of(kind: type) -> Any:
    """The function that a class is initialised by."""
    return vars(next(base for base in kind.__mro__ if "__init__" in vars(base)))["__init__"]


def _is_torch(kind: type) -> bool:
    """Whether a class is made as one of torch is."""
    return str(getattr(_init_of(kind), "__module__", "")).startswith("torch.")


# Where and in what kind of numbers a layer of torch lies is not a setting of it.
_NOT_SETTINGS = {"self", "device", "dtype"}

# Torch's recurrent layers name no parameters.
_OF_RNNS = (
    "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
)  # fmt: skip


def signature_of(make: Any) -> inspect.Signature:
    """What `make` is called with; of a class whose own class takes the call, what `__init__` is."""
    if not isinstance(make, type) or type(make).__call__ is type.__call__:
        return inspect.signature(make)
    signature = inspect.signature(_init_of(make))
    return signature.replace(parameters=[*signature.parameters.values()][1:])


def _parameters(kind: Any) -> list[Parameter]:
    if isinstance(kind, type) and issubclass(kind, nn.RNNBase):
        own = ["nonlinearity"] if issubclass(kind, nn.RNN) else []
        return [Parameter(name, Parameter.KEYWORD_ONLY) for name in [*_OF_RNNS, *own]]
    parameters = signature_of(kind).parameters.values()
    hidden = _NOT_SETTINGS if isinstance(kind, type) and _is_torch(kind) else {"self"}
    return [p for p in parameters if p.name not in hidden and not p.name.startswith("_")]


# -- models of functions ---------------------------------------------------------------------


def built(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose modules know the call that made them, so that they can be exported.

    Give it to functions that build a model, and register them.

    Example:
        >>> @built
        ... def two_layers(width: int) -> nn.Module:
        ...     return nn.Sequential(nn.Linear(1, width), nn.Linear(width, 1))
        >>> recipe_of(two_layers(3))[1]
        {'width': 3}
    """

    @wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        model = function(*args, **kwargs)
        record_built(model, made, _named_arguments(function, args, kwargs))
        return model

    return made


def record_built(
    model: Any,
    function: Callable[..., Any],
    settings: Mapping[str, Any],
    structure: Mapping[str, Any] | None = None,
) -> None:
    """Note that `function(**settings)` makes a model like `model`, for exports.

    Args:
        model: the module.
        function: registered by the time of an export.
        settings: keywords for it, as they were given.
        structure: keywords that differ where only the structure is wanted, since weights come from
            elsewhere: no trained weights to fetch, no numbers to draw.
    """
    # Beside the modules in it: a layer among the settings must not become a child twice.
    vars(model)[_RECIPE] = _Recipe(function, dict(settings), dict(structure or {}))


class _Recipe(NamedTuple):
    """The call that made a model."""

    function: Callable[..., Any]
    settings: Settings
    structure: Settings


def recipe_of(model: nn.Module) -> _Recipe | None:
    """The function and keywords that made `model`, where they were noted."""
    recipe: _Recipe | None = vars(model).get(_RECIPE)
    return recipe
