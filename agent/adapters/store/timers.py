"""Durable wake-ups, at most one per incident: no node of the workflow ever sleeps."""

from __future__ import annotations

from datetime import datetime

from agent.adapters.store.database import Database
from agent.adapters.store.schema import read_time, stored_time
from agent.ports import WakeUp

_SET = (
    "INSERT INTO agent_timers (incident, due_at) VALUES (?, ?) "
    "ON CONFLICT (incident) DO UPDATE SET due_at = excluded.due_at"
)
_OF = "SELECT 1 FROM agent_timers WHERE incident = ?"
_CLEAR = "DELETE FROM agent_timers WHERE incident = ?"
_DUE = "SELECT incident, due_at FROM agent_timers WHERE due_at <= ? ORDER BY due_at, incident"
_NEXT = "SELECT min(due_at) FROM agent_timers"


class SqlTimers:
    """Implements ports.Timers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: tuple[int, datetime | None] | None = None  # as of which version, and when the next is due

    def set(self, incident: str, due_at: datetime) -> None:
        self._database.change(_SET, incident, stored_time(due_at))

    def clear(self, incident: str) -> None:
        """Mostly there is none, and to find that out costs no disk."""
        if self._database.rows(_OF, incident):
            self._database.change(_CLEAR, incident)

    def due(self, now: datetime) -> list[WakeUp]:
        """Oldest first; of one moment, by incident, so that a replay wakes them in the same order."""
        next_due = self.next_due()
        if next_due is None or next_due > now:
            return []
        return [WakeUp(incident, read_time(at)) for incident, at in self._database.rows(_DUE, stored_time(now))]

    def next_due(self) -> datetime | None:
        version = self._database.version()
        if self._next is None or self._next[0] != version:
            due_at = self._database.rows(_NEXT)[0][0]
            self._next = version, None if due_at is None else read_time(due_at)
        return self._next[1]
