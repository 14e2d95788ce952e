"""Functions from the progress of training, 0 to 1, to the value of a hyper-parameter."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    pass

__all__ = [
    "Annealer",
    "CombinedSchedule",
    "HyperValue",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "Schedule",
    "annealer",
    "combine_scheds",
    "combined_cos",
    "sched_cos",
    "sched_exp",
    "sched_lin",
    "sched_no",
]

HyperValue: TypeAlias = float | np.ndarray[Any, np.dtype[np.floating[Any]]]
"""One number, or an array with one number for each parameter group."""

Schedule: TypeAlias = Callable[[float], HyperValue]
"""The value at a position between 0 and 1."""

Curve: TypeAlias = Callable[[HyperValue, HyperValue, float], HyperValue]


@dataclass(frozen=True)
class Annealer:
    """A curve with its two ends, called with the position.

    Args:
        curve: function of start, end and position.
        start: value at position 0; an array has one entry for each parameter group.
        end: value at position 1.

    Example:
        >>> Annealer(sched_lin, 1.0, 3.0)(0.5)
        2.0
    """

    curve: Curve
    start: HyperValue
    end: HyperValue

    def __call__(self, pos: float) -> HyperValue:
        """The value at `pos`."""
        return self.curve(self.start, self.end, pos)


def annealer(curve: Curve) -> Callable[[HyperValue, HyperValue], Annealer]:
    """`curve` as a function of its two ends that gives a schedule; works as a decorator.

    Example:
        >>> @annealer
        ... def jump(start, end, pos):
        ...     return start if pos < 0.5 else end
        >>> jump(1.0, 2.0)(0.75)
        2.0
    """

    def schedule(start: HyperValue, end: HyperValue) -> Annealer:
        return Annealer(curve, start, end)

    schedule.__doc__ = curve.__doc__
    return schedule


def sched_lin(start: HyperValue, end: HyperValue, pos: float) -> HyperValue:
    """The value at `pos` on the straight line from `start` to `end`.

    Example:
        >>> sched_lin(0.0, 4.0, 0.25)
        1.0
    """
    return start + pos * (end - start)


def sched_cos(start: HyperValue, end: HyperValue, pos: float) -> HyperValue:
    """The value at `pos` on half a cosine wave from `start` to `end` (Loshchilov and Hutter, 2017).

    Example:
        >>> round(sched_cos(0.0, 1.0, 0.5), 6)
        0.5
    """
    return start + (1 - math.cos(math.pi * pos)) / 2 * (end - start)


def sched_no(start: HyperValue, end: HyperValue, pos: float) -> HyperValue:  # noqa: ARG001 - all curves take three
    """`start`, at each position.

    Example:
        >>> sched_no(1.0, 2.0, 0.9)
        1.0
    """
    return start


def sched_exp(start: HyperValue, end: HyperValue, pos: float) -> HyperValue:
    """The value at `pos` when each step multiplies by the same factor; both ends of one sign.

    Example:
        >>> round(sched_exp(1e-3, 1e-1, 0.5), 6)
        0.01
    """
    value: HyperValue = start * (end / start) ** pos
    return value


def SchedLin(start: HyperValue, end: HyperValue) -> Annealer:  # noqa: N802 - the name users know
    """Schedule on a straight line from `start` to `end`.

    Example:
        >>> [SchedLin(0.0, 2.0)(pos) for pos in (0.0, 0.5, 1.0)]
        [0.0, 1.0, 2.0]
    """
    return Annealer(sched_lin, start, end)


def SchedCos(start: HyperValue, end: HyperValue) -> Annealer:  # noqa: N802 - the name users know
    """Schedule on half a cosine wave from `start` to `end`.

    Example:
        >>> SchedCos(1.0, 0.0)(1.0)
        0.0
    """
    return Annealer(sched_cos, start, end)


def SchedNo(start: HyperValue, end: HyperValue) -> Annealer:  # noqa: N802 - the name users know
    """Schedule that stays at `start`.

    Example:
        >>> SchedNo(1.0, 2.0)(1.0)
        1.0
    """
    return Annealer(sched_no, start, end)


def SchedExp(start: HyperValue, end: HyperValue) -> Annealer:  # noqa: N802 - the name users know
    """Schedule from `start` to `end` in equal factors, as a learning rate finder uses it.

    Example:
        >>> round(SchedExp(1.0, 100.0)(0.5), 6)
        10.0
    """
    return Annealer(sched_exp, start, end)


@dataclass(frozen=True)
class _Power:
    power: float

    def __call__(self, start: HyperValue, end: HyperValue, pos: float) -> HyperValue:
        weight: float = pos**self.power
        return start + (end - start) * weight


def SchedPoly(start: HyperValue, end: HyperValue, power: float) -> Annealer:  # noqa: N802 - the name users know
    """Schedule that follows `pos ** power` from `start` to `end`.

    Example:
        >>> SchedPoly(0.0, 1.0, power=2)(0.5)
        0.25
    """
    return Annealer(_Power(power), start, end)


@dataclass(frozen=True)
class CombinedSchedule:
    """Schedules one after another; made by `combine_scheds`.

    Args:
        bounds: where each schedule begins, and 1 at the end.
        scheds: the schedules, one fewer than bounds.

    Example:
        >>> CombinedSchedule((0.0, 0.5, 1.0), (SchedNo(1, 1), SchedNo(2, 2)))(0.6)
        2
    """

    bounds: tuple[float, ...]
    scheds: tuple[Schedule, ...]

    def __call__(self, pos: float) -> HyperValue:
        """The value at `pos`, from the schedule that holds there."""
        last = len(self.scheds) - 1
        # A schedule of no length begins and ends at one bound and is passed over.
        index = max(bisect_right(self.bounds, pos, 0, last + 1) - 1, 0)
        start, end = self.bounds[index], self.bounds[index + 1]
        if pos >= 1 or end <= start:
            return self.scheds[index](1.0)
        return self.scheds[index]((pos - start) / (end - start))


def combine_scheds(pcts: Sequence[float], scheds: Sequence[Schedule]) -> CombinedSchedule:
    """Schedule that runs `scheds` one after another, each for its share of the training.

    Args:
        pcts: shares, not negative, with sum 1.
        scheds: as many schedules.

    Raises:
        ValueError: if the shares do not sum to 1, one is negative, or the counts differ.

    Example:
        >>> sched = combine_scheds([0.25, 0.75], [SchedLin(0.0, 1.0), SchedLin(1.0, 0.0)])
        >>> [sched(pos) for pos in (0.0, 0.125, 0.25, 1.0)]
        [0.0, 0.5, 1.0, 0.0]
    """
    if len(pcts) != len(scheds) or not scheds:
        raise ValueError(f"{len(pcts)} shares for {len(scheds)} schedules; give one share to each")
    if min(pcts) < 0 or abs(sum(pcts) - 1) > 1e-6:
        raise ValueError(
            f"the shares {list(pcts)} sum to {sum(pcts):g}; they must be at least 0 and sum to 1"
        )
    inner = list(accumulate(pcts))[:-1]
    return CombinedSchedule((0.0, *(min(bound, 1.0) for bound in inner), 1.0), tuple(scheds))


def combined_cos(
    pct: float, start: HyperValue, middle: HyperValue, end: HyperValue
) -> CombinedSchedule:
    """Cosine from `start` to `middle` over the first `pct` of training, then on to `end`.

    The shape of the 1cycle policy (Smith, 2018), with cosines for lines.

    Args:
        pct: share of training, 0 to 1, spent on the way to `middle`.
        start: first value, or an array with one for each parameter group.
        middle: value at `pct`.
        end: last value.

    Example:
        >>> sched = combined_cos(0.25, 0.5, 1.0, 0.0)
        >>> [sched(pos) for pos in (0.0, 0.25, 1.0)]
        [0.5, 1.0, 0.0]
    """
    return combine_scheds([pct, 1 - pct], [SchedCos(start, middle), SchedCos(middle, end)])
