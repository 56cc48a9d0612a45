"""The incidents as they stand: a projection of the log, for the loop and for people who list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, select

from agent.adapters.store.database import Database
from agent.adapters.store.schema import incidents, read_time, stored_time
from agent.domain.incident import Incident, IncidentState
from agent.ports import Clock

PARSED_AT_MOST = 4_096
"""Incidents of which what was read is kept, some kilobytes each: those of a storm are looked at many times over. They
are known by their whole text, so another text is another incident."""

_SAVE = (
    "INSERT INTO agent_incidents (id, key, state, playbook, opened_at, closed_at, body) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body, "
    "playbook = coalesce(excluded.playbook, playbook), "
    "closed_at = CASE WHEN excluded.closed_at IS NULL THEN NULL ELSE coalesce(closed_at, excluded.closed_at) END"
)
_OPEN = "SELECT body FROM agent_incidents WHERE state = 'open' ORDER BY opened_at, id"
_IS_OPEN = "SELECT 1 FROM agent_incidents WHERE id = ? AND state = 'open'"
_BODY = "SELECT body FROM agent_incidents WHERE id = ?"
_CLOSED_SINCE = "SELECT body FROM agent_incidents WHERE key = ? AND closed_at >= ? ORDER BY closed_at, id"
_LAST_CLOSED = (
    "SELECT body, state, closed_at FROM agent_incidents WHERE key = ? AND closed_at IS NOT NULL "
    "ORDER BY closed_at DESC, id LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident with how it stands."""

    incident: Incident
    state: IncidentState
    playbook: str | None
    closed_at: datetime | None


class SqlIncidents:
    """Implements ports.Incidents; `row` and `listed` are for the doors."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def save(self, incident: Incident, state: IncidentState, *, playbook: str | None = None) -> None:
        """A playbook once known stays known; the first close of a closed incident is when it closed."""
        closed_at = None if state is IncidentState.OPEN else self._clock.now()
        self._database.change(_SAVE, *_values(IncidentRow(incident, state, playbook, closed_at)))

    def open(self) -> list[Incident]:
        return [_parsed(body) for (body,) in self._database.rows(_OPEN)]

    def is_open(self, incident: str) -> bool:
        return bool(self._database.rows(_IS_OPEN, incident))

    def get(self, incident: str) -> Incident | None:
        found = self._database.rows(_BODY, incident)
        return _parsed(found[0][0]) if found else None

    def row(self, incident: str) -> IncidentRow | None:
        with self._database.reading() as connection:
            found = connection.execute(select(incidents).where(incidents.c.id == incident)).one_or_none()
        return None if found is None else _read(found)

    def closed_since(self, key: str, since: datetime) -> list[Incident]:
        """Oldest first."""
        return [_parsed(body) for (body,) in self._database.rows(_CLOSED_SINCE, key, stored_time(since))]

    def last_closed(self, key: str) -> tuple[Incident, IncidentState, datetime] | None:
        found = self._database.rows(_LAST_CLOSED, key)
        if not found:
            return None
        body, state, closed_at = found[0]
        return _parsed(body), IncidentState(state), read_time(closed_at)

    def listed(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        only_open: bool = False,
    ) -> list[IncidentRow]:
        """The newest `limit` that were opened in that time, oldest first."""
        state = IncidentState.OPEN if only_open else None
        return list(reversed(self._rows(state=state, since=since, until=until, limit=limit, newest_first=True)))

    def _rows(
        self,
        *,
        state: IncidentState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[IncidentRow]:
        statement = select(incidents).limit(limit)
        if state is not None:
            statement = statement.where(incidents.c.state == state.value)
        if since is not None:
            statement = statement.where(incidents.c.opened_at >= stored_time(since))
        if until is not None:
            statement = statement.where(incidents.c.opened_at < stored_time(until))
        by = (incidents.c.opened_at, incidents.c.id)
        statement = statement.order_by(*(column.desc() for column in by) if newest_first else by)
        with self._database.reading() as connection:
            return [_read(row) for row in connection.execute(statement)]


def write(connection: Connection, row: IncidentRow) -> None:
    connection.exec_driver_sql(_SAVE, _values(row))


def _values(row: IncidentRow) -> tuple[str | None, ...]:
    incident = row.incident
    return (
        incident.id,
        incident.key,
        row.state.value,
        row.playbook,
        stored_time(incident.opened_at),
        None if row.closed_at is None else stored_time(row.closed_at),
        incident.model_dump_json(by_alias=True),
    )


def _read(row: Row[Any]) -> IncidentRow:
    closed_at = None if row.closed_at is None else read_time(row.closed_at)
    return IncidentRow(_parsed(row.body), IncidentState(row.state), row.playbook, closed_at)


@lru_cache(maxsize=PARSED_AT_MOST)
def _parsed(body: str) -> Incident:
    return Incident.model_validate_json(body)
