"""What a word of a command line names in the registry."""

from __future__ import annotations

from typing import Any

from layerwise.core.errors import ConfigError, nearest
from layerwise.core.registry import find, names

__all__: list[str] = []


def named(kind: str, word: str) -> Any:
    """The object of a name, whose prefix may be left out where one package alone has it.

    Args:
        kind: of the registry.
        word: "core/MixUp", or "MixUp".

    Raises:
        ConfigError: if nothing has this name, or several packages do.
    """
    known = names(kind)
    fitting = [name for name in known if word in (name, name.partition("/")[2])]
    if len(fitting) == 1:
        return find(kind, fitting[0])
    if fitting:
        raise ConfigError(f"{word!r} is one of {', '.join(fitting)}; say which")
    close = nearest(word, [name.partition("/")[2] for name in known])
    raise ConfigError(f"there is no {kind} {word!r}.{close}")
