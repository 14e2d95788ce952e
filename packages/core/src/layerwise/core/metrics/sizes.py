"""How large a batch is, and predictions and targets brought to one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.tensors import TensorBase

__all__ = [
    "count_elements",
    "count_items",
    "plain_tensor",
    "single_or_wider",
    "stack_numbers",
    "wide_dtype",
]


def plain_tensor(x: Tensor) -> Tensor:
    """`x` without a type of ours: counting must not pay for dispatch.

    Example:
        >>> from layerwise.core.tensors import TensorCategory
        >>> type(plain_tensor(TensorCategory(torch.ones(2)))).__name__
        'Tensor'
    """
    return x.as_plain() if isinstance(x, TensorBase) else x


def wide_dtype(device: torch.device) -> torch.dtype:
    """The widest floating type of a device: float64, but float32 where there is none (Apple)."""
    return torch.float32 if device.type == "mps" else torch.float64


def added(total: Any, part: Any) -> Any:
    """`total + part` where `part` is: a total from a file or of other processes is on the CPU.

    Args:
        total: a tensor or a number; None when there is nothing yet.
        part: likewise.

    Example:
        >>> added(None, torch.tensor(2)), added(torch.tensor(1), torch.tensor(2))
        (tensor(2), tensor(3))
    """
    if total is None:
        return part
    if isinstance(total, Tensor) and isinstance(part, Tensor):
        total = total.to(part.device)
    return total + part


def single_or_wider(x: Tensor) -> Tensor:
    """`x` as float32, or as it is if wider: half precision spoils probabilities and sums.

    Example:
        >>> [single_or_wider(x).dtype for x in (torch.ones(1).half(), torch.ones(1).double())]
        [torch.float32, torch.float64]
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def count_elements(parts: Any) -> int:
    """How many elements the first tensor in `parts` has; the batch size when there is none.

    Example:
        >>> count_elements((torch.zeros(2, 3), torch.zeros(2)))
        6
    """
    if parts and isinstance(parts[0], Tensor):
        return parts[0].numel()
    first = _first_tensor(parts)
    return count_items(parts) if first is None or _is_list_of_items(parts) else first.numel()


def count_items(parts: Any) -> int:
    """How many items a batch has, by its first tensor; 1 when that cannot be told.

    A list of dictionaries is one dictionary an item, as in detection.

    Example:
        >>> count_items((torch.zeros(4, 3),)), count_items(({"mask": torch.zeros(5)},))
        (4, 5)
        >>> count_items(([{"box": torch.zeros(7, 4)}, {"box": torch.zeros(1, 4)}],))
        2
    """
    if parts and isinstance(parts[0], Tensor):
        return parts[0].shape[0] if parts[0].dim() else 1
    if _is_list_of_items(parts):
        return len(parts[0])
    first = _first_tensor(parts)
    return 1 if first is None or not first.dim() else first.shape[0]


def _is_list_of_items(parts: Any) -> bool:
    first = parts[0] if isinstance(parts, (list, tuple)) and parts else None
    return isinstance(first, (list, tuple)) and bool(first) and isinstance(first[0], Mapping)


def _first_tensor(parts: Any) -> Tensor | None:
    if isinstance(parts, Tensor):
        return parts
    if isinstance(parts, Mapping):
        parts = tuple(parts.values())
    if not isinstance(parts, (list, tuple)):
        return None
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)


def stack_numbers(numbers: Sequence[float | Tensor]) -> Tensor:
    """(N,) the `numbers` in one tensor, on the device where the first of them lies.

    Args:
        numbers: numbers of Python, and tensors () that nobody has waited for yet.

    Example:
        >>> stack_numbers([1.0, torch.tensor(2.0)])
        tensor([1., 2.], dtype=torch.float64)
    """
    tensors = [x for x in numbers if isinstance(x, Tensor)]
    if not tensors:
        return torch.tensor(numbers, dtype=torch.float64)
    first = tensors[0]
    dtype = wide_dtype(first.device)
    return torch.stack([torch.as_tensor(x, dtype=dtype, device=first.device) for x in numbers])
