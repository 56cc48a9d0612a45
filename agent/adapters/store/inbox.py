"""The inbox: signals as they came, durable before anybody acts on them, each once.

A signal that is done leaves its name behind, so that a redelivery after the fact is a no-op too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from agent.adapters.store.database import Database
from agent.adapters.store.schema import inbox, stored_time
from agent.domain.signal import Signal
from agent.ports import Clock

SEEN_RETENTION_DAYS = 30
"""How long a done signal's name is kept. Alertmanager repeats for hours, a spooling shipper for days."""

_PUT = "INSERT INTO agent_inbox (source, id, body) VALUES (?, ?, ?) ON CONFLICT (source, id) DO NOTHING"
_TAKE = "SELECT body FROM agent_inbox WHERE done_at IS NULL ORDER BY sequence LIMIT ?"
_DONE = (
    update(inbox)
    .where(inbox.c.source == bindparam("of_source"), inbox.c.id == bindparam("of_id"))
    .values(body=None, done_at=bindparam("at"))
)


class SqlInbox:
    """Implements ports.Inbox."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._empty_as_of: int | None = None  # the version at which nothing waited

    def put(self, signal: Signal) -> bool:
        """False for a redelivery."""
        return self._database.change(_PUT, signal.source, signal.id, signal.model_dump_json(by_alias=True)) == 1

    def take(self, limit: int) -> list[Signal]:
        version = self._database.version()
        if version == self._empty_as_of:
            return []
        signals = [Signal.model_validate_json(body) for (body,) in self._database.rows(_TAKE, limit)]
        self._empty_as_of = None if signals else version
        return signals

    def waiting(self) -> int:
        """How many have not been done."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(inbox).where(inbox.c.done_at.is_(None))) or 0

    def done(self, signals: Sequence[Signal]) -> None:
        if not signals:
            return
        now = self._clock.now()
        rows = [{"of_source": s.source, "of_id": s.id, "at": stored_time(now)} for s in signals]
        forgotten = stored_time(now - timedelta(days=SEEN_RETENTION_DAYS))
        with self._database.writing() as connection:
            connection.execute(_DONE, rows)
            connection.execute(delete(inbox).where(inbox.c.done_at < forgotten))


def note_done(connection: Connection, heard: Mapping[tuple[str, str], datetime]) -> None:
    """These are done, whether they were here or not."""
    if not heard:
        return
    rows = [{"source": s, "id": i, "body": None, "done_at": stored_time(at)} for (s, i), at in heard.items()]
    statement = insert(inbox)
    done = {"body": None, "done_at": statement.excluded.done_at}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["source", "id"], set_=done, where=inbox.c.done_at.is_(None)),
        rows,
    )
