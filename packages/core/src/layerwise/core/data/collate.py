"""From a list of samples to one batch, types kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate, default_convert

from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.pipeline import describe

__all__ = ["collate_error", "fa_collate", "fa_convert"]


_WHEN_UNLIKE = "Give all items one shape (item_tfms=Resize(...), for example)"


def fa_collate(samples: Sequence[Any]) -> Any:
    """One batch from samples of one structure: tensors stacked, types and metadata kept.

    Args:
        samples: tensors, arrays, numbers, strings, or tuples, lists and mappings of them.

    Raises:
        DataError: when members do not fit together; names the first that differs.

    Example:
        >>> from layerwise.core.tensors import TensorImage
        >>> x, y = fa_collate([(TensorImage(torch.zeros(3, 2, 2)), 1)] * 4)
        >>> type(x).__name__, tuple(x.shape), y
        ('TensorImage', (4, 3, 2, 2), tensor([1, 1, 1, 1]))
    """
    first = samples[0]
    if isinstance(first, Tensor):
        return _stack(samples, first)
    if isinstance(first, Mapping):
        _same_keys(samples, first)
        return {key: fa_collate([s[key] for s in samples]) for key in first}
    if isinstance(first, tuple | list):
        _same_length(samples, len(first))
        members = [fa_collate(member) for member in zip(*samples, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*members)
        if type(first) in (tuple, list):
            return members if isinstance(first, list) else tuple(members)
        return type(first)(members)  # a kind of tuple that shows itself, for example
    if isinstance(first, np.ndarray):
        return _stack([torch.as_tensor(s) for s in samples], torch.as_tensor(first))
    try:
        return default_collate(list(samples))
    except TypeError as error:
        raise DataError(
            f"cannot make a batch of {describe(first)}: only tensors, arrays, numbers, text, and "
            "tuples, lists and mappings of them stack. Add a transform that makes a tensor of it "
            "(ToTensor in after_item, for example), or raise SkipItemException to leave it out"
        ) from error


def fa_convert(sample: Any) -> Any:
    """`sample` with arrays and numbers as tensors: for data that comes in batches already."""
    if isinstance(sample, TensorBase):
        return sample
    if isinstance(sample, tuple | list) and not hasattr(sample, "_fields"):
        members = [fa_convert(member) for member in sample]
        return members if isinstance(sample, list) else tuple(members)
    return default_convert(sample)  # type: ignore[no-untyped-call]


def collate_error(samples: Sequence[Any]) -> str:
    """What keeps `samples` from being stacked, in words: the first tensor of another shape.

    Example:
        >>> collate_error([torch.zeros(3, 4), torch.zeros(3, 5)])
        'item 1 of the batch has shape (3, 5), item 0 has (3, 4)'
    """
    shapes = [tuple(getattr(s, "shape", ())) for s in samples]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            return f"item {i} of the batch has shape {shape}, item 0 has {shapes[0]}"
    kinds = [f"{type(s).__name__} {getattr(s, 'dtype', '')}".strip() for s in samples]
    for i, kind in enumerate(kinds):
        if kind != kinds[0]:
            return f"item {i} of the batch is a {kind}, item 0 a {kinds[0]}"
    return "all items look alike"


def _stack(samples: Sequence[Any], first: Tensor) -> Tensor:
    plain: Any = samples
    if isinstance(first, TensorBase):
        plain = [s.as_plain() if isinstance(s, TensorBase) else s for s in samples]
    try:
        # torch's own: in a worker it stacks into shared memory, which saves a copy.
        batch = default_collate(plain)
    except RuntimeError as error:
        raise DataError(
            f"cannot stack {type(first).__name__}s into a batch: {collate_error(plain)}. "
            f"{getattr(first, '_when_unlike', _WHEN_UNLIKE)} or pad them in before_batch"
        ) from error
    if isinstance(first, TensorBase):
        return dress(batch, first)
    return batch.as_plain() if isinstance(batch, TensorBase) else batch


def _same_keys(samples: Sequence[Any], first: Mapping[Any, Any]) -> None:
    for i, sample in enumerate(samples):
        if sample.keys() != first.keys():
            raise DataError(
                f"cannot make a batch: item {i} has the keys {list(sample)}, item 0 {list(first)}"
            )


def _same_length(samples: Sequence[Any], length: int) -> None:
    if set(map(len, samples)) == {length}:
        return
    for i, sample in enumerate(samples):
        if len(sample) != length:
            raise DataError(
                f"cannot make a batch: item {i} has {len(sample)} members, item 0 has {length}"
            )
