"""Errors that users meet, and the sentence that names the nearest match.

An error of ours is an instruction: what came, what was expected, what to do. Each kind also derives
from the builtin that Python programmers would catch (`ValueError`, `TypeError`, `LookupError`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

__all__ = [
    "BadItemError",
    "BundleError",
    "ConfigError",
    "DataError",
    "DispatchError",
    "LayerwiseError",
    "MissingDependencyError",
    "RegistryError",
    "SkipItemException",
    "names_nearest",
    "nearest",
    "refuse_unknown",
    "warn_user",
]


P = ParamSpec("P")
R = TypeVar("R")


class LayerwiseError(Exception):
    """Base of every error that layerwise raises on purpose."""


class DispatchError(LayerwiseError, TypeError):
    """No method, or no single best method, for the types of a call."""


class RegistryError(LayerwiseError, LookupError):
    """A name that no installed package has registered, or a record that cannot be used."""


class DataError(LayerwiseError, ValueError):
    """An item or a batch could not be made; says which item, which step and what went in.

    The exception that the step raised is the `__cause__`.
    """


class BadItemError(DataError):
    """A file of an item cannot be read: it is of another kind, broken or too large; it is named."""


class BundleError(LayerwiseError, ValueError):
    """A file of a model, a learner or a training state that cannot be used; says which and why.

    Whatever is wrong with a file that is read, this is the one kind of error that comes of it.
    """


class ConfigError(LayerwiseError, ValueError):
    """Something that cannot be described by names and settings, or a description that is none.

    Says where it stands, and how to give a name to what has none.
    """


class SkipItemException(Exception):  # noqa: N818 - the name that users of this family know
    """Raised while an item is made to leave that item out of its batch."""


class MissingDependencyError(LayerwiseError, ImportError):
    """A library that one feature needs is missing or does not import; says what to install."""

    @classmethod
    def of(cls, library: str, *, needed_for: str, install: str) -> MissingDependencyError:
        """The error for `library`, with the command that mends it.

        Example:
            >>> raise MissingDependencyError.of("timm", needed_for="models", install="timm")
            Traceback (most recent call last):
            ...
            layerwise.core.errors.MissingDependencyError: models need the library 'timm', ...
        """
        return cls(
            f"{needed_for} need the library {library!r}, which does not import here; "
            f"run: pip install '{install}'"
        )


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """A sentence with the names in `known` that are closest to `name`, empty when none is close.

    Where none is spelt alike, those that begin with it count as close.

    Example:
        >>> nearest("shufle", ["shuffle", "seed", "bs"])
        " Did you mean 'shuffle'?"
        >>> nearest("lr", ["lr_max", "wd"])
        " Did you mean 'lr_max'?"
        >>> nearest("zzz", ["shuffle"])
        ''
    """
    names = list(known)
    found = get_close_matches(name, names, n=count, cutoff=0.6)
    if not found and len(name) > 1:
        found = [each for each in names if each.startswith(name)][:count]
    if not found:
        return ""
    return " Did you mean " + " or ".join(repr(match) for match in found) + "?"


def names_nearest(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose error for an unknown keyword names the nearest one it has.

    Example:
        >>> @names_nearest
        ... def crop(size: int) -> int: return size
        >>> crop(siez=3)
        Traceback (most recent call last):
        ...
        TypeError: crop got an unknown keyword 'siez'. Did you mean 'size'? It takes: size
    """
    names = [name for name in signature(function).parameters if name != "self"]
    caller = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs.keys() <= known:
            refuse_unknown(caller, [name for name in kwargs if name not in known], names)
        return function(*args, **kwargs)

    known = frozenset(names)
    return checked


def refuse_unknown(caller: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise a `TypeError` for the first of `unknown`, naming the nearest of `known`.

    For callables that pass keywords on and therefore cannot leave the check to Python.

    Example:
        >>> refuse_unknown("DataLoader", {"shufle": True}, ["shuffle", "bs"])
        Traceback (most recent call last):
        ...
        TypeError: DataLoader got an unknown keyword 'shufle'. Did you mean 'shuffle'? ...
    """
    names = sorted(set(known))
    for name in unknown:
        raise TypeError(
            f"{caller} got an unknown keyword {name!r}.{nearest(name, names)} "
            f"It takes: {', '.join(names)}"
        )


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Nothing; warns at the line outside of layerwise that led here, however far up it is.

    Args:
        message: what there is to say.
        category: the kind of warning.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_ours(names: dict[str, object]) -> bool:
    return str(names.get("__name__", "")).partition(".")[0] == "layerwise"
