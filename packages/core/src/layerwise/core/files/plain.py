"""Values as JSON, which runs nothing: strict both ways, and tensors taken out and put back.

What is read may come from a stranger, so everything has a limit; what is written keeps to the same
limits, so that it can be read again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.core.errors import BundleError

__all__: list[str] = []

DEPTH = 32  # lists and objects inside each other
JSON_BYTES = 64 << 20
# A value takes up to 230 bytes when it is read: with these, no file takes more than 200 MB.
VALUES, CONTAINERS, KEYS = 1 << 20, 1 << 17, 1 << 18
STRING = 1 << 24  # characters
INTEGER = 1 << 64
LONG = 64  # lists of numbers from this length on are kept as tensors: faster, and without limit


def to_json(value: Any) -> bytes:
    """`value` as UTF-8 JSON: None, truth values, numbers, strings, lists, and dicts by strings.

    Raises:
        BundleError: if there is something else in it, or more than `from_json` would read; says
            where.

    Example:
        >>> to_json({"size": [3, 4], "name": "café"}).decode()
        '{"size":[3,4],"name":"café"}'
    """
    try:
        _check(value)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        data = text.encode()
    except (ValueError, RecursionError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"this cannot be written as JSON: {error}") from error
    _check_counts(data)
    return data


def from_json(data: bytes | bytearray | memoryview) -> Any:
    """What `to_json` wrote.

    Raises:
        BundleError: if it is not JSON of that kind: keys given twice, NaN, infinity, integers of
            more than 64 bits, text that is not UTF-8, more than 32 levels, or too much of it.
    """
    plain = bytes(data)
    _check_counts(plain)
    try:
        value = json.loads(plain.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"the JSON in it cannot be read: {error}") from error
    _check(value)
    return value


def _check_counts(data: bytes) -> None:
    """Bounds on what reading `data` can take, from the bytes alone."""
    if len(data) > JSON_BYTES:
        raise BundleError(f"JSON of {len(data)} bytes; up to {JSON_BYTES} are read")
    for what, marks, limit in (
        ("values", b",", VALUES),
        ("lists and objects", b"[{", CONTAINERS),
        ("keys", b":", KEYS),
    ):
        count = sum(data.count(mark) for mark in marks)
        if count > limit:
            raise BundleError(f"JSON with {count} {what}; up to {limit} are read")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BundleError("the JSON in it gives a key twice")
    return found


def _no_constant(name: str) -> Any:
    raise BundleError(f"the JSON in it has the number {name}")


def _check(value: Any, depth: int = 0) -> None:
    """Raise unless JSON can hold `value` exactly."""
    kind = type(value)
    if kind is str:
        _check_string(value)
    elif kind is float:
        if not math.isfinite(value):
            raise BundleError(f"JSON with the number {value}")
    elif kind is int:
        if not -INTEGER < value < INTEGER:
            raise BundleError("JSON with an integer of more than 64 bits")
    elif kind is list or kind is dict:
        if depth == DEPTH:
            raise BundleError(f"JSON with more than {DEPTH} levels")
        for member in value if kind is list else value.values():
            _check(member, depth + 1)
        for key in value if kind is dict else ():
            if type(key) is not str:
                raise BundleError(f"JSON cannot hold the key {key!r:.80}; keys are strings")
            _check_string(key)
    elif value is not None and kind is not bool:
        raise BundleError(f"JSON cannot hold {value!r:.80}, a {kind.__name__}")


def _check_string(text: str) -> None:
    if len(text) > STRING:
        raise BundleError(f"JSON with a string of {len(text)} characters; up to {STRING} are read")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BundleError(f"JSON with text that is not Unicode: {text!r:.80}") from error


# -- tensors out and in ----------------------------------------------------------------------


def split(value: Any, name: str = "") -> tuple[Any, dict[str, Tensor]]:
    """`value` for `to_json`, and the tensors that were in it by their names.

    Tuples, keys that are no strings, arrays of NumPy, NaN, infinities and large integers come back
    from `join` as they were; so do long lists of numbers, which are kept as tensors.

    Args:
        value: None, truth values, numbers, strings, tensors, arrays of numbers, and lists, tuples
            and dicts of them.
        name: what all names begin with.

    Raises:
        BundleError: if there is something else in it; says where.

    Example:
        >>> plain, arrays = split({"step": 3, 7: (torch.ones(2), 0.5)})
        >>> plain
        {'$items': [['step', 3], [7, {'$tuple': [{'$tensor': '.7.0'}, 0.5]}]]}
        >>> join(plain, arrays)
        {'step': 3, 7: (tensor([1., 1.]), 0.5)}
    """
    arrays: dict[str, Tensor] = {}
    return _split(value, arrays, name), arrays


def _split(value: Any, arrays: dict[str, Tensor], name: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Tensor):
        return {"$tensor": _kept(value.detach(), arrays, name)}
    if isinstance(value, np.ndarray):
        return {"$array": _kept(_as_tensor(value, name), arrays, name)}
    if isinstance(value, np.generic):
        return _split(value.item(), arrays, name)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, int):
        return int(value) if -INTEGER < value < INTEGER else {"$int": hex(value)}
    if isinstance(value, Mapping):
        items = [
            [_split(key, arrays, name), _split(member, arrays, f"{name}.{key}")]
            for key, member in value.items()
        ]
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        return dict(items) if plain else {"$items": items}
    if isinstance(value, list) and len(value) >= LONG and (numbers := _numbers(value)) is not None:
        return {"$numbers": _kept(numbers, arrays, name)}
    if isinstance(value, list | tuple):
        members = [_split(member, arrays, f"{name}.{i}") for i, member in enumerate(value)]
        return {"$tuple": members} if isinstance(value, tuple) else members
    raise BundleError(
        f"{name.removeprefix('.') or 'this'} is a {type(value).__name__}, which a file without "
        f"code cannot hold: {value!r:.80}. Keep numbers, strings, tensors, and lists, tuples or "
        "dicts of them"
    )


def _numbers(values: list[Any]) -> Tensor | None:
    """`values` as a tensor if they are all floats, or all integers of 64 bits."""
    if all(type(value) is float for value in values):
        return torch.tensor(values, dtype=torch.float64)
    if all(type(value) is int and -(1 << 63) <= value < 1 << 63 for value in values):
        return torch.tensor(values, dtype=torch.int64)
    return None


def _as_tensor(array: np.ndarray[Any, Any], name: str) -> Tensor:
    try:
        return torch.from_numpy(np.array(array, order="C"))  # a copy: views may run backwards
    except TypeError as error:
        raise BundleError(
            f"{name.removeprefix('.') or 'this'} is an array of {array.dtype}, which a file "
            "without code cannot hold; keep arrays of numbers"
        ) from error


def _kept(tensor: Tensor, arrays: dict[str, Tensor], name: str) -> str:
    while name in arrays:
        name += "'"
    arrays[name] = tensor
    return name


def join(plain: Any, arrays: Mapping[str, Tensor]) -> Any:
    """What `split` took apart.

    Raises:
        BundleError: if the two do not belong together.
    """
    if isinstance(plain, list):
        return [join(member, arrays) for member in plain]
    if not isinstance(plain, dict):
        return plain
    mark = next(iter(plain), "")
    if not mark.startswith("$"):
        return {key: join(member, arrays) for key, member in plain.items()}
    try:
        if len(plain) == 1:
            return _JOINERS[mark](plain[mark], arrays)
    except BundleError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise BundleError(f"its JSON has {plain!r:.80}, which is damaged: {error}") from error
    raise BundleError(f"its JSON has {plain!r:.80}, which is damaged")


def _tuple(members: list[Any], arrays: Mapping[str, Tensor]) -> tuple[Any, ...]:
    if not isinstance(members, list):
        raise TypeError("a list was expected")
    return tuple(join(member, arrays) for member in members)


def _items(items: list[Any], arrays: Mapping[str, Tensor]) -> dict[Any, Any]:
    found = {join(key, arrays): join(member, arrays) for key, member in items}
    if len(found) != len(items):
        raise ValueError("a key is given twice")
    return found


def _list_of_numbers(name: str, arrays: Mapping[str, Tensor]) -> list[Any]:
    tensor = arrays[name]
    if tensor.ndim != 1 or tensor.dtype not in (torch.float64, torch.int64):
        raise TypeError("numbers were expected")
    return tensor.tolist()


def _not_finite(text: str, _: Mapping[str, Tensor]) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text]


def _large(text: str, _: Mapping[str, Tensor]) -> int:
    return int(text, base=16)  # such bases take no longer for more digits


_JOINERS: dict[str, Callable[[Any, Mapping[str, Tensor]], Any]] = {
    "$tensor": lambda name, arrays: arrays[name],
    "$array": lambda name, arrays: arrays[name].numpy(),
    "$numbers": _list_of_numbers,
    "$float": _not_finite,
    "$int": _large,
    "$tuple": _tuple,
    "$items": _items,
}
