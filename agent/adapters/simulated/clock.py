"""Simulated time: it moves only when the world is told to, or when a slow answer takes its while."""

from datetime import UTC, datetime, timedelta


class SimulatedClock:
    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start {start.isoformat()} has no time zone")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def reach(self, moment: datetime) -> None:
        """Time never goes back: a moment that has passed leaves the clock as it is."""
        self._now = max(self._now, moment)

    def pass_by(self, duration: timedelta) -> None:
        self._now += duration

    def rewind(self, moment: datetime) -> None:
        """Only before anything happened: a scenario's history begins before its start."""
        self._now = min(self._now, moment)
