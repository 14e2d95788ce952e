"""Functions over batches: any nesting of tuples, lists, mappings and dataclasses.

Each container comes back as what it was: named tuples, the batch types of Hugging Face, ordered
and default dictionaries, dataclasses. What is no container is a leaf, and most leaves are tensors.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from layerwise.core.devices import default_device, maybe_gather
from layerwise.core.items import L
from layerwise.core.types import DeviceLike

__all__ = [
    "apply",
    "batch_to_samples",
    "find_bs",
    "find_device",
    "get_first",
    "item_find",
    "nested_reorder",
    "to_concat",
    "to_cpu",
    "to_detach",
    "to_device",
    "to_float",
    "to_half",
    "to_np",
    "to_plain",
]

# `Any` below is a batch or a part of one: no type can say "any nesting of anything".
T = TypeVar("T")


def apply(func: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """`x` with `func(leaf, *args, **kwargs)` in the place of each leaf.

    Args:
        func: called with each leaf, None and strings included.
        x: a batch.
        *args: passed on to `func`.
        **kwargs: passed on to `func`.

    Example:
        >>> apply(torch.add, {"a": torch.ones(2), "b": (torch.zeros(1),)}, 1)
        {'a': tensor([2., 2.]), 'b': (tensor([1.]),)}
    """
    return _map(partial(_flipped, func, args, kwargs) if args or kwargs else func, x)


def _flipped(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], x: Any
) -> Any:
    return func(x, *args, **kwargs)


def _map(leaf: Callable[[Any], Any], x: Any) -> Any:
    """`x` with each leaf replaced; the commonest kinds first, since this runs each step."""
    kind = type(x)
    if kind is Tensor:
        return leaf(x)
    if kind is tuple or kind is list:
        return kind([_map(leaf, item) for item in x])
    if isinstance(x, Tensor):
        return leaf(x)
    if kind is dict:
        return {key: _map(leaf, item) for key, item in x.items()}
    return _rebuilt(x, partial(_map, leaf)) if _is_container(x) else leaf(x)


def _is_container(x: Any) -> bool:
    return isinstance(x, list | tuple | Mapping) or (
        dataclasses.is_dataclass(x) and not isinstance(x, type)
    )


def _rebuilt(x: Any, change: Callable[[Any], Any]) -> Any:
    """A container of the kind of `x` that holds what `change` makes of each member."""
    if isinstance(x, Mapping):
        return _rebuilt_mapping(x, {key: change(item) for key, item in x.items()})
    if isinstance(x, PackedSequence):
        # torch demands that the batch sizes stay on the CPU, as they are.
        return PackedSequence(
            change(x.data), x.batch_sizes, change(x.sorted_indices), change(x.unsorted_indices)
        )
    if isinstance(x, list | tuple):
        items = [change(item) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    result = copy.copy(x)
    for field in dataclasses.fields(x):
        # Past __setattr__, for frozen dataclasses are batches too.
        object.__setattr__(result, field.name, change(getattr(x, field.name)))
    return result


def _rebuilt_mapping(x: Any, items: dict[Any, Any]) -> Any:
    """A mapping of the kind of `x`, with its other attributes, that holds `items`."""
    if isinstance(x, dict | UserDict):
        # Not the constructor: it may want more, or drop attributes (Hugging Face encodings).
        result = copy.copy(x)
    elif hasattr(x, "copy") and isinstance(duplicate := x.copy(), type(x)):
        result = duplicate
    else:
        return type(x)(items)
    for key, item in items.items():
        result[key] = item
    return result


def _members(x: Any) -> Iterable[Any] | None:
    """What the container `x` holds, None for a leaf."""
    if isinstance(x, list | tuple):
        return x
    if isinstance(x, Mapping):
        return x.values()
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return [getattr(x, field.name) for field in dataclasses.fields(x)]
    return None


def _leaves(x: Any) -> Iterator[Any]:
    members = _members(x)
    if members is None:
        yield x
    else:
        for member in members:
            yield from _leaves(member)


# -- every tensor of a batch ---------------------------------------------------------------


def to_plain(b: T) -> T:
    """`b` with each tensor of a subclass viewed as plain `torch.Tensor`, its memory shared.

    Gradients flow through the view. Parameters stay what they are, and so do subclasses that are
    no dressed tensors but another storage (sharded, nested, quantised).

    Example:
        >>> from layerwise.core.tensors import TensorImage
        >>> image, label = to_plain((TensorImage(torch.zeros(1, 2, 2)), torch.tensor(3)))
        >>> type(image), type(label)
        (<class 'torch.Tensor'>, <class 'torch.Tensor'>)
    """
    return _to_plain(b)  # type: ignore[no-any-return]  # the same containers


def _to_plain(b: Any) -> Any:
    kind = type(b)
    if kind is Tensor:
        return b
    if kind is tuple or kind is list:
        return kind([_to_plain(item) for item in b])
    return _plain(b) if isinstance(b, Tensor) else _map(_plain, b)


def _plain(x: Any) -> Any:
    kind = type(x)
    if kind is Tensor or not isinstance(x, Tensor):
        return x
    # What `isinstance(x, nn.Parameter)` says, without the Python code that it runs.
    if issubclass(kind, torch.nn.Parameter) or getattr(x, "_is_param", False):
        return x
    if kind.__torch_dispatch__ is not Tensor.__torch_dispatch__:
        return x
    return Tensor.as_subclass(x, Tensor)


def to_device(b: T, device: DeviceLike | None = None, non_blocking: bool = False) -> T:
    """`b` with each tensor on `device`.

    Leaves that are no tensors but have a method `to` (a graph, say) are moved by it; all others
    stay.

    Args:
        b: a batch.
        device: None takes `default_device()`.
        non_blocking: return before the copy has ended, which pinned memory allows.
    """
    target = default_device() if device is None else torch.device(device)

    def moved(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.to(target, non_blocking=non_blocking)
        return x.to(target) if hasattr(x, "to") else x

    return _map(moved, b)  # type: ignore[no-any-return]  # the same containers


def to_cpu(b: T) -> T:
    """`b` with each tensor in the memory of the CPU."""
    return to_device(b, "cpu")


def to_detach(b: T, cpu: bool = True, gather: bool = True) -> T:
    """`b` with each tensor cut from its graph.

    Args:
        b: a batch.
        cpu: move to the CPU too.
        gather: in a distributed run, join the parts of all processes (`maybe_gather`), a call
            that all of them have to make.
    """

    def detached(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        x = x.detach()
        if gather:
            x = maybe_gather(x)
        return x.cpu() if cpu else x

    return _map(detached, b)  # type: ignore[no-any-return]  # the same containers


def to_half(b: T) -> T:
    """`b` with floating point tensors as float16.

    Example:
        >>> [x.dtype for x in to_half([torch.ones(1), torch.tensor([1])])]
        [torch.float16, torch.int64]
    """
    return _map(partial(_as_float, torch.float16), b)  # type: ignore[no-any-return]  # as above


def to_float(b: T) -> T:
    """`b` with floating point tensors as float32."""
    return _map(partial(_as_float, torch.float32), b)  # type: ignore[no-any-return]  # as above


def _as_float(dtype: torch.dtype, x: Any) -> Any:
    return x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x


def to_np(b: Any) -> Any:
    """`b` with each tensor as a numpy array, on the CPU and without its graph.

    Kinds of float that numpy lacks (bfloat16, float8) become float32.

    Example:
        >>> to_np((torch.ones(2, dtype=torch.bfloat16), "label"))
        (array([1., 1.], dtype=float32), 'label')
    """
    return _map(_as_array, b)


def _as_array(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    if x.is_floating_point() and x.dtype not in (torch.float16, torch.float32, torch.float64):
        x = x.float()
    return Tensor.as_subclass(x, Tensor).numpy(force=True)


# -- questions to a batch ------------------------------------------------------------------


def find_bs(b: Any) -> int:
    """The batch size: the length of the first tensor of `b` that has any axes.

    Without such a tensor it is the length of the first list of values, such as labels.

    Raises:
        ValueError: if there is neither.

    Example:
        >>> find_bs({"text": ["a", "b"], "ids": torch.zeros(2, 7)})
        2
    """
    # Without this a typed tensor takes 20 times as long to tell its shape.
    with torch._C.DisableTorchFunctionSubclass():
        size = _length_of_tensor(b)
    if size is None:
        size = _length_of_values(b)
    if size is None:
        raise ValueError(
            f"no batch size in {type(b).__name__}: it holds no tensor with a first axis and no "
            "list of values; pass a batch, or add the batch axis with x[None]"
        )
    return size


def _length_of_tensor(x: Any) -> int | None:
    if isinstance(x, Tensor):
        return x.shape[0] if x.shape else None
    if isinstance(x, PackedSequence):
        return int(x.batch_sizes[0])
    members = _members(x)
    if members is not None:
        for member in members:
            if (size := _length_of_tensor(member)) is not None:
                return size
        return None
    shape = getattr(x, "shape", None)
    return shape[0] if shape else None


def _length_of_values(x: Any) -> int | None:
    if _is_values(x):
        return len(x)
    members = _members(x)
    if members is None:
        return None
    return next((n for n in map(_length_of_values, members) if n is not None), None)


def find_device(b: Any) -> torch.device:
    """The device of the first tensor in `b`.

    Raises:
        ValueError: if there is no tensor.

    Example:
        >>> find_device(("label", {"x": torch.zeros(1)}))
        device(type='cpu')
    """
    for leaf in _leaves(b):
        if isinstance(leaf, Tensor):
            return leaf.device
    raise ValueError(f"no device in {type(b).__name__}: it holds no tensor")


def item_find(x: Any, idx: int | str = 0) -> Any:
    """The first leaf under member `idx` of `x`, `x` itself if it is a leaf.

    Args:
        x: a batch.
        idx: a position, or a key of a mapping.

    Example:
        >>> item_find(([1, 2], 3)), item_find({"a": 1, "b": (2, 3)}, "b")
        (1, 2)
    """
    if isinstance(x, Mapping):
        return item_find(x[idx] if isinstance(idx, str) else x[list(x)[idx]])
    members = _members(x)
    if members is None:
        return x
    if isinstance(idx, str):
        raise TypeError(f"item_find got the key {idx!r} for a {type(x).__name__}; give a position")
    return item_find(list(members)[idx])


def get_first(c: Any) -> Any:
    """The first element of `c`: of a list or array, the first row of a frame, a mapping's value.

    Example:
        >>> get_first([3, 4]), get_first({"a": 5})
        (3, 5)
    """
    if isinstance(c, Mapping):
        return next(iter(c.values()))
    return getattr(c, "iloc", c)[0]


# -- many batches, many samples ------------------------------------------------------------


def _is_values(x: Any) -> bool:
    """Whether `x` is one value per sample (labels, texts), and no structure of batches."""
    if isinstance(x, L):
        return True
    return (
        isinstance(x, list)
        and bool(x)
        and not any(isinstance(item, Tensor | np.ndarray) or _is_container(item) for item in x)
    )


def to_concat(xs: Sequence[Any], dim: int = 0) -> Any:
    """The batches `xs` as one, tensors joined on `dim`.

    Where that cannot be, since shapes differ (texts of several lengths), an `L` of the samples
    takes their place; numbers and tensors without axes are stacked.

    Args:
        xs: batches of one structure.
        dim: the axis to join on.

    Example:
        >>> to_concat([(torch.ones(1, 2), ["a"]), (torch.zeros(2, 2), ["b", "c"])])[1]
        ['a', 'b', 'c']
    """
    if not xs:
        return xs
    first = xs[0]
    if isinstance(first, Tensor):
        return _joined(xs, dim)
    if isinstance(first, np.ndarray):
        return np.stack(xs) if first.ndim == 0 else np.concatenate(xs, dim)
    if isinstance(first, bool | int | float):
        return torch.tensor(list(xs))
    if first is None:
        return None
    if _is_values(first):
        return type(first)([value for x in xs for value in x])
    if not _is_container(first):
        return L(list(xs))
    if isinstance(first, Mapping):
        return _rebuilt_mapping(first, {k: to_concat([x[k] for x in xs], dim) for k in first})
    columns = zip(*(_members(x) or () for x in xs), strict=True)
    joined = iter([to_concat(column, dim) for column in columns])
    return _rebuilt(first, lambda _: next(joined))


def _joined(xs: Sequence[Tensor], dim: int) -> Any:
    first = xs[0]
    if first.ndim == 0:
        return torch.stack(list(xs))
    rest = [x.shape[:dim] + x.shape[dim + 1 :] if dim != -1 else x.shape[:-1] for x in xs]
    if all(shape == rest[0] for shape in rest):
        return torch.cat(list(xs), dim)
    return L([sample for x in xs for sample in x.unbind(dim)])


def nested_reorder(t: T, idxs: Tensor | Sequence[int]) -> T:
    """`t` with the samples `idxs` of each tensor, array and list of values, in that order.

    Raises:
        TypeError: for a leaf that has no samples, such as a number.

    Example:
        >>> nested_reorder((torch.tensor([5, 6, 7]), ["a", "b", "c"]), [2, 0])
        (tensor([7, 5]), ['c', 'a'])
    """
    return _reordered(t, torch.as_tensor(idxs))  # type: ignore[no-any-return]  # same containers


def _reordered(t: Any, idxs: Tensor) -> Any:
    if t is None:
        return None
    if isinstance(t, Tensor):
        return t[idxs.to(t.device)]
    if isinstance(t, np.ndarray):
        return t[idxs.cpu().numpy()]
    if _is_values(t):
        return type(t)([t[i] for i in idxs.tolist()])
    if _is_container(t):
        return _rebuilt(t, partial(_reordered, idxs=idxs))
    raise TypeError(
        f"nested_reorder cannot pick samples of a {type(t).__name__}; it takes tensors, arrays, "
        "lists of values, None, and nestings of them"
    )


def batch_to_samples(b: Any, max_n: int = 10) -> list[Any]:
    """The first samples of `b`, each with the structure of the batch.

    Lists become tuples, for a sample is one; None, text and numbers are given to each sample.

    Args:
        b: a batch.
        max_n: how many at most, by default as many as fit a screen.

    Example:
        >>> batch_to_samples((torch.tensor([[1, 2], [3, 4]]), ["a", "b"]), max_n=1)
        [(tensor([1, 2]), 'a')]
    """
    return [_sample(b, i) for i in range(min(max_n, find_bs(b)))]


def _sample(x: Any, i: int) -> Any:
    if isinstance(x, Tensor | np.ndarray):
        return x[i] if x.ndim else x
    if _is_values(x):
        return x[i]
    if type(x) is list:
        return tuple(_sample(item, i) for item in x)
    return _rebuilt(x, partial(_sample, i=i)) if _is_container(x) else x
