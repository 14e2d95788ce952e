"""`told`: objects in plain words, by which it is seen whether two are the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from layerwise.core.described import to_description
from layerwise.core.errors import ConfigError
from layerwise.core.settings import settings_of

__all__: list[str] = []


def told(value: Any) -> Any:
    """`value` in plain words, equal for what is equal; of what cannot be told, never equal."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [told(member) for member in value]
    arrays: dict[str, Any] = {}
    try:
        plain = to_description(value, arrays, "this")
    except ConfigError:
        return _by_place(value)
    sums = {name: sha256(array.numpy().tobytes()).hexdigest() for name, array in arrays.items()}
    return [plain, sums] if sums else plain


def _by_place(value: Any) -> Any:
    """What has no registered name by where it is defined."""
    if isinstance(value, partial):
        return [told(value.func), told(value.args), {k: told(v) for k, v in value.keywords.items()}]
    own = value if hasattr(value, "__qualname__") else type(value)
    place = f"{getattr(own, '__module__', 'builtins')}.{own.__qualname__}"
    never = os.urandom(8).hex()
    if own is value:
        return [place, never] if "<" in place else place  # one of a function's, such as a lambda
    try:
        settings = settings_of(value)
    except ConfigError:
        return [place, never]
    return [place, {name: told(setting) for name, setting in settings.items()}]
