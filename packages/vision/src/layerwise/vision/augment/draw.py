"""What is drawn for a batch: one number for each of its pictures, by the key of the batch alone.

Numbers are drawn on the CPU, whatever the batch lies on, so that a key means the same everywhere.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.random import generator
from layerwise.core.tensors import TensorBase

__all__ = ["DeterministicDraw", "Draw", "Drawing", "drawn", "evenly", "mask_tensor"]

# B: pictures of a batch.

Drawing = Callable[[int], Tensor]
"""From a number of pictures to (B,) numbers."""

Draw = float | Sequence[float] | Tensor | Callable[[Any], Any] | None
"""What stands in for drawing: a number for all pictures, one for each, or a function of the batch
that returns such."""


def evenly(low: float, high: float, *, of: Callable[[Tensor], Tensor] | None = None) -> Drawing:
    """A drawing of numbers from `low` to `high`, each as likely as the others.

    Args:
        low: least.
        high: greatest.
        of: applied to what is drawn, `torch.exp` for example.

    Example:
        >>> evenly(2.0, 3.0)(5).shape
        torch.Size([5])
    """

    def draw(count: int) -> Tensor:
        share = torch.rand(count, generator=generator(), dtype=torch.float64)
        numbers = low + (high - low) * share
        return numbers if of is None else of(numbers)

    return draw


def drawn(
    x: Tensor,
    default: Drawing,
    draw: Draw = None,
    p: float = 0.5,
    neutral: float = 0.0,
    batch: bool = False,
) -> Tensor:
    """(B,) a number for each picture of `x`, with probability `p`, and `neutral` for the others.

    Args:
        x: the batch.
        default: what draws, unless `draw` says otherwise.
        draw: in its place, see `Draw`.
        p: probability for each picture.
        neutral: the number that changes nothing.
        batch: draw once, for all pictures alike.

    Raises:
        ValueError: if `draw` gives numbers of another count than `x` has pictures.

    Example:
        >>> drawn(torch.zeros(2, 1, 4, 4), evenly(0, 1), draw=[0.25, 0.5], p=1.0).tolist()
        [0.25, 0.5]
    """
    count = 1 if batch else len(x)
    numbers = default(count) if draw is None else _given(x, draw, count)
    return mask_tensor(numbers, p, neutral, batch).expand(len(x))


def _given(x: Tensor, draw: Any, count: int) -> Tensor:
    found = draw(x) if callable(draw) else draw
    plain = found.as_plain() if isinstance(found, TensorBase) else found
    numbers = torch.as_tensor(plain).detach().to("cpu", torch.float64).flatten()
    if len(numbers) == 1:
        return numbers.expand(count)
    if len(numbers) < count or (count != 1 and len(numbers) != count):
        raise ValueError(
            f"draw gives {len(numbers)} numbers for a batch of {len(x)} pictures; give one number "
            "for all, one for each, or a function of the batch that returns such"
        )
    return numbers[:count]  # with batch=True the first is that of all


def mask_tensor(x: Tensor, p: float = 0.5, neutral: float = 0.0, batch: bool = False) -> Tensor:
    """`x` with `neutral` in place of each element with probability `1 - p`.

    Args:
        x: (B,) numbers.
        p: probability that a number stays.
        neutral: what others become.
        batch: decide once, for all.

    Example:
        >>> mask_tensor(torch.ones(3), p=0.0, neutral=5.0).tolist()
        [5.0, 5.0, 5.0]
    """
    if p == 1:
        return x
    shape = (1,) if batch else x.shape
    kept = torch.rand(shape, generator=generator()) < p
    return torch.where(kept.to(x.device), x, torch.full_like(x, neutral))


class DeterministicDraw:
    """The values in turn, one at each call: a `draw` that shows or tests all cases.

    Args:
        vals: the values; after the last comes the first.

    Example:
        >>> turn = DeterministicDraw([0, 1])
        >>> [turn(torch.zeros(2, 1)).tolist() for _ in range(3)]
        [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, vals: Sequence[float]) -> None:
        if not len(vals):
            raise ValueError("DeterministicDraw needs a value at least")
        self.vals, self._calls = list(vals), 0

    def __call__(self, x: Any) -> Tensor:
        """(B,) the next value, for each picture of `x`."""
        value = self.vals[self._calls % len(self.vals)]
        self._calls += 1
        return torch.full((len(x),), float(value), dtype=torch.float64)


def log_evenly(strength: float) -> Drawing:
    """A drawing of factors between `1 - strength` and its inverse, as often above 1 as below."""
    most = -math.log(1 - strength)
    return evenly(-most, most, of=torch.exp)
