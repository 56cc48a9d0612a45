"""Durable wake-ups, at most one per incident: no node of the workflow ever sleeps."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from agent.adapters.store.database import Database
from agent.adapters.store.schema import read_time, stored_time, timers
from agent.ports import WakeUp


class SqlTimers:
    """Implements ports.Timers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: tuple[int, datetime | None] | None = None  # as of which version, and when the next is due

    def set(self, incident: str, due_at: datetime) -> None:
        row = {"incident": incident, "due_at": stored_time(due_at)}
        statement = insert(timers).values(row)
        with self._database.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["incident"], set_=row))

    def clear(self, incident: str) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(timers).where(timers.c.incident == incident))

    def due(self, now: datetime) -> list[WakeUp]:
        """Oldest first; of one moment, by incident, so that a replay wakes them in the same order."""
        next_due = self.next_due()
        if next_due is None or next_due > now:
            return []
        statement = (
            select(timers).where(timers.c.due_at <= stored_time(now)).order_by(timers.c.due_at, timers.c.incident)
        )
        with self._database.reading() as connection:
            return [WakeUp(row.incident, read_time(row.due_at)) for row in connection.execute(statement)]

    def next_due(self) -> datetime | None:
        version = self._database.version()
        if self._next is None or self._next[0] != version:
            with self._database.reading() as connection:
                due_at = connection.scalar(select(func.min(timers.c.due_at)))
            self._next = version, None if due_at is None else read_time(due_at)
        return self._next[1]
