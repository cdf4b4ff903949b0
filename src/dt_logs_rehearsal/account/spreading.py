"""Emulate eventual consistency: values that spread over time."""

from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Consistency:
    """The longest times that changes take to spread, in seconds; the shortest time is 0.

    A read of a bucket's policy or notifications shows their state up to `stale_reads` ago. ELB sees
    a new bucket policy, and S3 a new topic policy, up to `spreading` after it was put. If roles are
    emulated, a new role has no permissions for `new_rights`.
    """

    stale_reads: float = 0.0
    spreading: float = 0.0
    new_rights: float = 0.0


class Spreading(Generic[T]):
    """A value that spreads over time; its own service already uses `latest`."""

    def __init__(self, value: T) -> None:
        self.latest = value
        self._puts = [(-inf, -inf, value)]

    def put(self, value: T, now: float, effective: float) -> None:
        """Change the value."""
        self._puts.append((now, effective, value))
        self.latest = value

    def as_of(self, moment: float) -> T:
        """Return the value that was the latest one at that moment."""
        return next(value for put, _, value in reversed(self._puts) if put <= moment)

    def effective(self, now: float) -> T:
        """Return the value that another service sees now."""
        return next(value for _, known, value in reversed(self._puts) if known <= now)
