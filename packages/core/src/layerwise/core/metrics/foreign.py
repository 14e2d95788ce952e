"""What metrics of torchmetrics have seen, and others with its three methods.

Their own `state_dict` leaves out what is not persistent, which is all of it by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

__all__: list[str] = []


def foreign_state(metric: Any) -> dict[str, Any]:
    """What `metric`, and each metric in it, holds; numbered in the order of its modules."""
    return {str(i): _held(part) for i, part in enumerate(_parts(metric))}


def load_foreign_state(metric: Any, state: Mapping[str, Any]) -> None:
    """Put back what `foreign_state` gave."""
    for i, part in enumerate(_parts(metric)):
        for name, value in state[str(i)].items():
            setattr(part, name, value)


def _parts(metric: Any) -> list[Any]:
    """The metrics of torchmetrics in one of them or in a collection; else the object itself."""
    if not isinstance(metric, nn.Module):
        return [metric]
    members: Any = getattr(metric, "values", None)
    if callable(members):
        list(members())  # members of a collection share what they count, until asked
    return [m for m in metric.modules() if hasattr(m, "_update_count")] or [metric]


def _held(part: Any) -> dict[str, Any]:
    if hasattr(part, "_update_count"):
        return {**part.metric_state, "_update_count": part._update_count}
    return {name: value for name, value in vars(part).items() if not callable(value)}
