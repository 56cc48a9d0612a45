"""The incidents as they stand: a projection of the log, for the loop and for people who list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.sqlite import insert

from agent.adapters.store.database import Database
from agent.adapters.store.schema import incidents, read_time, stored_time
from agent.domain.incident import Incident, IncidentState
from agent.ports import Clock


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
        with self._database.writing() as connection:
            write(connection, IncidentRow(incident, state, playbook, closed_at))

    def open(self) -> list[Incident]:
        rows = self._rows(state=IncidentState.OPEN)
        return [row.incident for row in rows]

    def get(self, incident: str) -> Incident | None:
        found = self.row(incident)
        return found.incident if found else None

    def row(self, incident: str) -> IncidentRow | None:
        with self._database.reading() as connection:
            found = connection.execute(select(incidents).where(incidents.c.id == incident)).one_or_none()
        return None if found is None else _read(found)

    def closed_since(self, key: str, since: datetime) -> list[Incident]:
        """Oldest first."""
        statement = (
            select(incidents)
            .where(incidents.c.key == key, incidents.c.closed_at >= stored_time(since))
            .order_by(incidents.c.closed_at, incidents.c.id)
        )
        with self._database.reading() as connection:
            return [_incident(found) for found in connection.execute(statement)]

    def last_closed(self, key: str) -> tuple[Incident, IncidentState, datetime] | None:
        statement = (
            select(incidents)
            .where(incidents.c.key == key, incidents.c.closed_at.is_not(None))
            .order_by(incidents.c.closed_at.desc(), incidents.c.id)
            .limit(1)
        )
        with self._database.reading() as connection:
            found = connection.execute(statement).one_or_none()
        return None if found is None else (_incident(found), IncidentState(found.state), read_time(found.closed_at))

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
    values = {
        "id": row.incident.id,
        "key": row.incident.key,
        "state": row.state.value,
        "playbook": row.playbook,
        "opened_at": stored_time(row.incident.opened_at),
        "closed_at": None if row.closed_at is None else stored_time(row.closed_at),
        "body": row.incident.model_dump_json(by_alias=True),
    }
    statement = insert(incidents).values(values)
    new = statement.excluded
    changes = {
        "state": new.state,
        "body": new.body,
        "playbook": func.coalesce(new.playbook, incidents.c.playbook),
        "closed_at": None if row.closed_at is None else func.coalesce(incidents.c.closed_at, new.closed_at),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes))


def _read(row: Row[Any]) -> IncidentRow:
    closed_at = None if row.closed_at is None else read_time(row.closed_at)
    return IncidentRow(_incident(row), IncidentState(row.state), row.playbook, closed_at)


def _incident(row: Row[Any]) -> Incident:
    return Incident.model_validate_json(row.body)
