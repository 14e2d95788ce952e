"""How often: "100ba", "1ep", "10min", as a value that can be asked whether it is time."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__: list[str] = []

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_UNITS = ("ba", "ep", *_SECONDS)


@dataclass(frozen=True)
class Every:
    """Every so many batches, epochs, or so much time.

    Args:
        count: how many.
        unit: "ba" (training batches), "ep" (epochs), "s", "min" or "h".

    Example:
        >>> Every.of("100ba").after_batch(200, seconds=0.0)
        True
        >>> Every.of("10min").after_batch(7, seconds=601.0)
        True
    """

    count: float
    unit: str

    @classmethod
    def of(cls, text: str) -> Every:
        """Read from a text.

        Raises:
            ValueError: if it is no number with a unit; says what would be.

        Example:
            >>> Every.of("ten")
            Traceback (most recent call last):
            ...
            ValueError: 'ten' does not say how often; write a number and a unit, such as ...
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", str(text).lower())
        if found is None or found[2] not in _UNITS:
            raise ValueError(
                f"{text!r} does not say how often; write a number and a unit, such as '100ba' "
                "(training batches), '1ep' (epochs), '30s', '10min' or '2h'"
            )
        count, unit = float(found[1]), found[2]
        if count <= 0 or (unit in ("ba", "ep") and not count.is_integer()):
            raise ValueError(f"{text!r}: a whole number above 0 is needed before {unit!r}")
        return cls(count, unit)

    @property
    def timed(self) -> bool:
        """Whether it goes by the clock."""
        return self.unit in _SECONDS

    def after_batch(self, batches: int, seconds: float) -> bool:
        """Whether it is time, after a training batch.

        Args:
            batches: training batches done in this fit.
            seconds: since the last time.
        """
        if self.timed:
            return seconds >= self.count * _SECONDS[self.unit]
        return self.unit == "ba" and batches % self.count == 0

    def after_epoch(self, epochs: int, seconds: float) -> bool:
        """Whether it is time, after an epoch.

        Args:
            epochs: epochs done in this fit.
            seconds: since the last time.
        """
        if self.timed:
            return seconds >= self.count * _SECONDS[self.unit]
        return self.unit == "ep" and epochs % self.count == 0
