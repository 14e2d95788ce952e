"""What is known of a registered thing without importing it, and how to ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from layerwise.core.errors import refuse_unknown

__all__ = ["Fact", "Facts", "check_facts", "facts_hold"]

Fact = str | int | float | bool | tuple[int, ...] | tuple[float, ...]
"""A word, a number, whether something holds, or several numbers."""

Facts = Mapping[str, Fact]
"""Names of facts, and what is known."""


def facts_hold(facts: Facts, wanted: Mapping[str, Any]) -> bool:
    """Whether all that is `wanted` is known to hold; what is not known does not.

    Args:
        facts: what is known of one thing.
        wanted: `x` for the fact of that name (of several numbers: one of them), `max_x` and
            `min_x` for its bounds.

    Example:
        >>> facts = {"params": 11, "pretrained": True, "strides": (2, 4)}
        >>> facts_hold(facts, {"max_params": 12, "pretrained": True, "strides": 4})
        True
        >>> facts_hold(facts, {"licence": "MIT"})
        False
    """
    return all(_holds(facts, name, value) for name, value in wanted.items())


def _holds(facts: Facts, name: str, value: Any) -> bool:
    if name in facts:
        known: Any = facts[name]
        if isinstance(known, str) and isinstance(value, str):
            return known.casefold() == value.casefold()
        return bool(known == value) or (isinstance(known, tuple) and value in known)
    bound, _, own = name.partition("_")
    if bound not in ("max", "min") or own not in facts:
        return False
    number: Any = facts[own]
    return bool(number <= value if bound == "max" else number >= value)


def check_facts(caller: str, known: Iterable[Facts], wanted: Mapping[str, Any]) -> None:
    """Nothing, or a `TypeError` where something is wanted that is known of nothing.

    Args:
        caller: named in the error.
        known: the facts of all things that there are.
        wanted: see `facts_hold`.

    Example:
        >>> check_facts("names", [{"params": 11}], {"parms": 3})
        Traceback (most recent call last):
        ...
        TypeError: names got an unknown keyword 'parms'. Did you mean 'params' ...
    """
    if not wanted:
        return
    words: set[str] = set()
    for facts in known:
        for name, fact in facts.items():
            words.add(name)
            if isinstance(fact, int | float) and not isinstance(fact, bool):
                words |= {f"max_{name}", f"min_{name}"}
    refuse_unknown(caller, [name for name in wanted if name not in words], words)
