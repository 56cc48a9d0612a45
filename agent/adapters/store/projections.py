"""Rebuilds what is projected from the log, for when a projection was lost or is in doubt.

What it reads: kind `incident` (the payload is an Incident, the newest counts), `diagnosis` (names the playbook),
`incident_closed` (`incident`, `state`), `approval_requested` (an ApprovalRequest), `approval` (one change of it) and
`intent` (which consumes an approval).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import delete

from agent.adapters.store import desk, incidents
from agent.adapters.store.database import Database
from agent.adapters.store.incidents import IncidentRow
from agent.adapters.store.schema import PROJECTIONS
from agent.domain.approval import ApprovalRequest, RequestState, ended
from agent.domain.incident import Incident, IncidentState
from agent.domain.proposal import Refusal


class Recorded(Protocol):
    """A record of the log, as far as a projection cares."""

    @property
    def kind(self) -> str: ...

    @property
    def at(self) -> str: ...

    @property
    def payload(self) -> Any: ...


@dataclass(slots=True)
class Projected:
    """What the log says, folded."""

    incidents: dict[str, IncidentRow] = field(default_factory=dict)
    requests: dict[str, ApprovalRequest] = field(default_factory=dict)

    def see(self, record: Recorded) -> None:
        reader = _READERS.get(record.kind)
        if reader:
            reader(self, record.payload, datetime.fromisoformat(record.at))


def rebuild(database: Database, log: Iterable[Recorded]) -> Projected:
    """Replaces the projections by what the log says, in one transaction."""
    projected = Projected()
    for record in log:
        projected.see(record)
    with database.writing() as connection:
        for table in PROJECTIONS:
            connection.execute(delete(table))
        for row in projected.incidents.values():
            incidents.write(connection, row)
        for request in projected.requests.values():
            desk.write(connection, request)
    return projected


def _incident(projected: Projected, payload: Any, _at: datetime) -> None:
    known = {name: payload[name] for name in Incident.model_fields if name in payload}
    incident = Incident.model_validate(known)
    before = projected.incidents.get(incident.id, IncidentRow(incident, IncidentState.OPEN, None, None))
    projected.incidents[incident.id] = replace(before, incident=incident)


def _diagnosis(projected: Projected, payload: Any, _at: datetime) -> None:
    row = projected.incidents.get(payload["incident"])
    if row and payload.get("playbook"):
        projected.incidents[row.incident.id] = replace(row, playbook=payload["playbook"])


def _incident_closed(projected: Projected, payload: Any, at: datetime) -> None:
    row = projected.incidents.get(payload["incident"])
    if row:
        projected.incidents[row.incident.id] = replace(row, state=IncidentState(payload["state"]), closed_at=at)


def _approval_requested(projected: Projected, payload: Any, _at: datetime) -> None:
    request = ApprovalRequest.model_validate(payload)
    projected.requests.setdefault(request.id, request)


def _approval(projected: Projected, payload: Any, _at: datetime) -> None:
    request = projected.requests.get(payload["request"])
    if request:
        projected.requests[request.id] = desk.replayed(request, payload)


def _intent(projected: Projected, payload: Any, at: datetime) -> None:
    for request in list(projected.requests.values()):
        if request.proposal.id == payload.get("proposal") and request.state is RequestState.APPROVED:
            consumed = ended(request, RequestState.CONSUMED, at)
            if not isinstance(consumed, Refusal):
                projected.requests[request.id] = consumed


_READERS = {
    "incident": _incident,
    "diagnosis": _diagnosis,
    "incident_closed": _incident_closed,
    "approval_requested": _approval_requested,
    "approval": _approval,
    "intent": _intent,
}
