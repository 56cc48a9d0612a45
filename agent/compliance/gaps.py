"""Hours in which the agent did not say that it was there. Pure.

A heartbeat each hour makes "nothing happened" provable: where there is one, the agent was there and could write, and
what is not in the log of that hour did not happen by its hand. Where there is none, nothing can be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
TOLERANCE = timedelta(minutes=10)
"""A beat comes with the first look of its hour, which may be late."""


@dataclass(frozen=True, slots=True)
class Gap:
    """No heartbeat between these two moments; `after` is the record before it, None at the month's beginning."""

    since: datetime
    until: datetime
    after: int | None

    @property
    def hours(self) -> int:
        return int((self.until - self.since) / HOUR)


class Heartbeats:
    """Sees beats in log order."""

    def __init__(self, since: datetime) -> None:
        self._last = since
        self._after: int | None = None
        self._gaps: list[Gap] = []

    def beat(self, at: datetime, record: int) -> None:
        self._to(at)
        self._last, self._after = max(at, self._last), record

    def gaps(self, until: datetime) -> list[Gap]:
        """All up to this moment."""
        self._to(until)
        return self._gaps

    def _to(self, at: datetime) -> None:
        if at - self._last > 2 * HOUR + TOLERANCE:
            self._gaps.append(Gap(self._last, at, self._after))
