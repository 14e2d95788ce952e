"""Saved optimizer states: what in them does not fit the parameters, and copies for those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__: list[str] = []


def misfits(
    saved: Sequence[Mapping[str, Any]], params: Sequence[Tensor], known: Iterable[str] | None = None
) -> list[str]:
    """What in saved states does not fit the parameters, a line each.

    Args:
        saved: the saved state of each parameter.
        params: the parameters, in the same order.
        known: names of states that may be there; None for any.

    Example:
        >>> misfits([{"grad_avg": torch.zeros(3)}], [torch.zeros(2)])
        ['state[0].grad_avg: saved as (3,), the parameter is (2,)']
    """
    names = None if known is None else set(known)
    lines = []
    if len(saved) != len(params):
        lines.append(f"state: saved for {len(saved)} parameters, here are {len(params)}")
    for index, (entries, param) in enumerate(zip(saved, params, strict=False)):
        for name, value in entries.items():
            at = f"state[{index}].{name}"
            if names is not None and name not in names:
                lines.append(f"{at}: not kept here; kept are {', '.join(sorted(names)) or 'none'}")
            elif isinstance(value, Tensor) and value.ndim and value.shape != param.shape:
                lines.append(
                    f"{at}: saved as {tuple(value.shape)}, the parameter is {tuple(param.shape)}"
                )
    return lines


def copy_for(param: Tensor, value: Any) -> Any:
    """A copy of a saved value with the device, dtype and memory layout of its parameter.

    Example:
        >>> copy_for(torch.zeros(2, dtype=torch.float64), torch.ones(2)).dtype
        torch.float64
    """
    if not isinstance(value, Tensor):
        return value
    if value.shape == param.shape:
        return torch.empty_like(param, requires_grad=False).copy_(value)
    return value.to(param.device, copy=True)
