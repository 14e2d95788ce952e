"""Errors that users meet, and the sentence that names the nearest match.

An error of ours is an instruction: what came, what was expected, what to do. Each kind also derives
from the builtin that Python programmers would catch (`ValueError`, `TypeError`, `LookupError`).
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "DataError",
    "DispatchError",
    "LayerwiseError",
    "MissingDependencyError",
    "RegistryError",
    "SkipItemException",
    "nearest",
    "refuse_unknown",
]


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


class SkipItemException(Exception):  # noqa: N818 - the name that users of this family know
    """Raised while an item is made to leave that item out of its batch."""


class MissingDependencyError(LayerwiseError, ImportError):
    """A library that one feature needs is missing or does not import; says what to install."""

    @classmethod
    def of(cls, library: str, *, needed_for: str, install: str) -> "MissingDependencyError":
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

    Example:
        >>> nearest("shufle", ["shuffle", "seed", "bs"])
        " Did you mean 'shuffle'?"
        >>> nearest("zzz", ["shuffle"])
        ''
    """
    found = get_close_matches(name, list(known), n=count, cutoff=0.6)
    if not found:
        return ""
    return " Did you mean " + " or ".join(repr(match) for match in found) + "?"


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
