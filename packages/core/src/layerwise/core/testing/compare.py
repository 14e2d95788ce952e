"""Assertions about batches: equal or close through any nesting, and the text of an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.core.items import equals
from layerwise.core.tensors import TensorBase

__all__ = ["assert_close", "assert_equal", "raises_with"]


def assert_equal(actual: Any, expected: Any, *, check_type: bool = True) -> None:
    """Nothing, where two nested values are the same in structure, types and every element.

    Args:
        actual: tensors, arrays, other values, and tuples, lists and mappings of them.
        expected: what `actual` should be.
        check_type: also compare the types of containers and leaves.

    Raises:
        AssertionError: names the first place that differs.

    Example:
        >>> assert_equal((torch.ones(2), ["a"]), (torch.ones(2), ["b"]))
        Traceback (most recent call last):
        ...
        AssertionError: at [1][0]: 'a' is not 'b'
    """
    _compare(actual, expected, None, check_type, "")


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    check_type: bool = True,
) -> None:
    """Nothing, where two nested values agree up to rounding; NaN agrees with NaN.

    Args:
        actual: tensors, arrays, other values, and tuples, lists and mappings of them.
        expected: what `actual` should be.
        rtol: difference allowed in proportion to `expected`; 1e-5 suits float32.
        atol: difference allowed besides.
        check_type: also compare the types of containers and leaves.

    Raises:
        AssertionError: names the first place that differs.

    Example:
        >>> assert_close({"loss": 0.1 + 0.2}, {"loss": 0.3})
    """
    _compare(actual, expected, (rtol, atol), check_type, "")


def _compare(
    actual: Any, expected: Any, tolerance: tuple[float, float] | None, check_type: bool, place: str
) -> None:
    where = f"at {place}: " if place else ""
    if check_type and type(actual) is not type(expected):
        raise AssertionError(
            f"{where}{type(actual).__name__} came, {type(expected).__name__} was expected"
        )
    if isinstance(expected, Tensor | np.ndarray | np.generic | float):
        _compare_numbers(actual, expected, tolerance, where)
    elif isinstance(expected, Mapping):
        if not isinstance(actual, Mapping) or actual.keys() != expected.keys():
            keys = list(actual) if isinstance(actual, Mapping) else actual
            raise AssertionError(f"{where}keys are {keys!r}, expected {list(expected)!r}")
        for key in expected:
            _compare(actual[key], expected[key], tolerance, check_type, f"{place}[{key!r}]")
    elif isinstance(expected, Sequence) and not isinstance(expected, str | bytes):
        if not isinstance(actual, Sequence) or len(actual) != len(expected):
            raise AssertionError(f"{where}{actual!r} is not {expected!r}")
        for i, pair in enumerate(zip(actual, expected, strict=True)):
            _compare(*pair, tolerance, check_type, f"{place}[{i}]")
    elif not equals(actual, expected):
        raise AssertionError(f"{where}{actual!r} is not {expected!r}")


def _compare_numbers(
    actual: Any, expected: Any, tolerance: tuple[float, float] | None, where: str
) -> None:
    rtol, atol = tolerance or (0.0, 0.0)
    try:
        torch.testing.assert_close(
            _plain(actual), _plain(expected), rtol=rtol, atol=atol, equal_nan=True,
            check_dtype=isinstance(expected, Tensor | np.ndarray),
        )  # fmt: skip
    except (AssertionError, TypeError, ValueError) as error:
        raise AssertionError(f"{where}{error}") from error


def _plain(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return x.as_plain()
    # torch compares numbers of the builtin types alone, not those that show themselves.
    return float(x) if isinstance(x, float) else x


@contextmanager
def raises_with(kind: type[BaseException], *parts: str) -> Iterator[None]:
    """A context that demands an error of `kind` whose text holds every one of `parts`.

    For messages that tell what to do: pin the words that help, not the whole sentence.

    Raises:
        AssertionError: if nothing is raised or a part is missing; other errors pass through.

    Example:
        >>> with raises_with(ValueError, "invalid literal", "'three'"):
        ...     int("three")
    """
    try:
        yield
    except kind as error:
        missing = [part for part in parts if part not in str(error)]
        if missing:
            raise AssertionError(f"the message lacks {missing!r}: {error}") from error
    else:
        raise AssertionError(f"no {kind.__name__} was raised")
