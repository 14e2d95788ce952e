"""What a server takes at most, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits", "Refused"]


@dataclass(frozen=True)
class Limits:
    """What a server takes at most.

    Args:
        max_mb: megabytes (2 to the 20 bytes) of one request, all its files together.
        max_items: items of one request to `/predict/batch`.
        max_waiting: requests that are read, wait or are predicted at the same moment; more are
            told to come back. With `max_mb` it bounds the memory that uploads can take.
        timeout: seconds that a request may take to arrive, and then to be answered.

    Raises:
        ValueError: for a limit that is not above zero.

    Example:
        >>> Limits(max_mb=2).max_bytes
        2097152
    """

    max_mb: float = 10
    max_items: int = 64
    max_waiting: int = 64
    timeout: float = 60

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name}={value}; give a number above zero")

    @property
    def max_bytes(self) -> int:
        """Bytes of one request."""
        return int(self.max_mb * (1 << 20))


class Refused(Exception):  # noqa: N818 - what happened, as an answer to a request
    """A request that is not answered, with the reason and what to do.

    Args:
        status: of HTTP: 4xx for what the client can mend, 503 for what time can.
        told: a sentence for the client.
    """

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told
