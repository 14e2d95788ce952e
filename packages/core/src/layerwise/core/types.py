"""Names for the types that signatures of several modules share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch

__all__ = ["DeviceLike", "ItemFunction", "PathLike", "Splits", "Splitter"]

PathLike = str | os.PathLike[str]
"""What `open` takes as a file name."""

DeviceLike = str | int | torch.device
"""What `torch.device` takes: a name, the number of an accelerator, or a device."""

# The items of a user can be anything: a path, a row, a number.
ItemFunction = Callable[[Any], Any]
"""A getter or labeller: one item in, its input or its target out."""

Splits = tuple[Sequence[int], Sequence[int]]
"""Indices of the training items, indices of the validation items."""

# A splitter takes whatever has a length and is indexed by numbers, a DataFrame among them.
Splitter = Callable[[Any], Splits]
"""All items in, two lists of indices out."""
