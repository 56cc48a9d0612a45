"""Rebuilds what is projected from the log, for when a projection was lost or is in doubt.

What it reads: kind `incident` (the payload is an Incident, the newest counts), `diagnosis` (names the playbook),
`incident_closed` (`incident`, `state`); `proposal`, `verdict` and `approval_requested` (together a request), `approval`
and `break_glass` (one change of it) and `intent` (which consumes an approval).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, delete, select

from agent.adapters.store import changes, desk, inbox, incidents
from agent.adapters.store.database import Database
from agent.adapters.store.incidents import IncidentRow
from agent.adapters.store.schema import (
    PROJECTIONS,
    incidents as incident_table,
    requests as request_table,
    stored_time,
)
from agent.domain.approval import ApprovalRequest, RequestState, ended
from agent.domain.incident import Incident, IncidentState
from agent.domain.proposal import Proposal, Refusal
from agent.domain.verdict import Reason, Verdict


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
    proposals: dict[str, Proposal] = field(default_factory=dict)
    digests: dict[str, str] = field(
        default_factory=dict
    )  # of proposals as they were recorded, whatever was erased since
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # the newest, by proposal digest
    heard: dict[tuple[str, str], datetime] = field(default_factory=dict)  # signals by source and id

    def see(self, record: Recorded) -> None:
        reader = _READERS.get(record.kind)
        if reader:
            reader(self, record.payload, datetime.fromisoformat(record.at))


def rebuild(database: Database, log: Iterable[Recorded]) -> Projected:
    """Replaces the projections by what the log says, in one transaction."""
    projected = _folded(log)
    with database.writing() as connection:
        for table in PROJECTIONS:
            connection.execute(delete(table))
        _write(connection, projected)
    return projected


def add(database: Database, log: Iterable[Recorded]) -> int:
    """Writes what the log says over what is projected of the same incidents and requests. A signal that it knows was
    dealt with, whoever hears of it again."""
    projected = _folded(log)
    with database.writing() as connection:
        inbox.note_done(connection, projected.heard)
        for incident in projected.incidents:
            connection.execute(delete(incident_table).where(incident_table.c.id == incident))
        for request in projected.requests:
            connection.execute(delete(request_table).where(request_table.c.id == request))
        _write(connection, projected)
    return len(projected.incidents)


def rewrite(database: Database, incident: str, log: Iterable[Recorded]) -> None:
    """Replaces what is projected of one incident: what was erased from its records goes here, too."""
    projected = _folded(log)
    with database.writing() as connection:
        connection.execute(delete(incident_table).where(incident_table.c.id == incident))
        connection.execute(delete(request_table).where(request_table.c.incident == incident))
        _write(connection, projected)


def drop_closed(database: Database, before: datetime) -> int:
    """Removes incidents that were closed before that, with their requests, when the log has let go of them."""
    old = select(incident_table.c.id).where(incident_table.c.closed_at < stored_time(before))
    with database.writing() as connection:
        connection.execute(delete(request_table).where(request_table.c.incident.in_(old)))
        return connection.execute(delete(incident_table).where(incident_table.c.id.in_(old))).rowcount


def _folded(log: Iterable[Recorded]) -> Projected:
    projected = Projected()
    for record in log:
        projected.see(record)
    return projected


def _write(connection: Connection, projected: Projected) -> None:
    for row in projected.incidents.values():
        incidents.write(connection, row)
    for request in projected.requests.values():
        desk.write(connection, request)


def _incident(projected: Projected, payload: Any, at: datetime) -> None:
    incident = Incident.model_validate({name: payload[name] for name in Incident.model_fields if name in payload})
    before = projected.incidents.get(incident.id, IncidentRow(incident, IncidentState.OPEN, None, None))
    projected.incidents[incident.id] = replace(before, incident=incident)
    projected.heard |= {(signal.source, signal.id): at for signal in incident.signals}


def _diagnosis(projected: Projected, payload: Any, _at: datetime) -> None:
    row = projected.incidents.get(payload["incident"])
    if row and payload.get("playbook"):
        projected.incidents[row.incident.id] = replace(row, playbook=payload["playbook"])


def _incident_closed(projected: Projected, payload: Any, at: datetime) -> None:
    row = projected.incidents.get(payload["incident"])
    if row:
        projected.incidents[row.incident.id] = replace(row, state=IncidentState(payload["state"]), closed_at=at)
        _let_go(projected, row.incident.id)


def _let_go(projected: Projected, incident: str) -> None:
    """What requests are made of is not asked for any more: a month's proposals would not fit into memory."""
    for proposal in [each for each in projected.proposals.values() if each.incident == incident]:
        del projected.proposals[proposal.id]
        projected.verdicts.pop(projected.digests.pop(proposal.id), None)


def _proposal(projected: Projected, payload: Any, _at: datetime) -> None:
    proposal = Proposal.model_validate({name: payload[name] for name in Proposal.model_fields if name in payload})
    projected.proposals[proposal.id] = proposal
    projected.digests[proposal.id] = payload.get("digest", proposal.digest)


def _verdict(projected: Projected, payload: Any, _at: datetime) -> None:
    verdict = Verdict.model_validate(payload["verdict"])
    projected.verdicts[verdict.proposal_digest] = verdict


def _approval_requested(projected: Projected, payload: Any, _at: datetime) -> None:
    proposal, verdict = projected.proposals.get(payload["proposal"]), projected.verdicts.get(payload["digest"])
    if proposal and verdict and projected.digests[proposal.id] == payload["digest"]:
        names = ("requirement", "requested_at", "expires_at", "requested_by", "editors", "editor_accounts")
        named = {name: payload[name] for name in names if name in payload}
        if "reasons" in payload:  # as they were told: what a person has edited is asked for where policies allow it
            reasons = tuple(Reason.model_validate(reason) for reason in payload["reasons"])
            verdict = verdict.model_copy(update={"reasons": reasons})
        request = {"id": payload["request"], "incident": proposal.incident, "proposal": proposal, "verdict": verdict}
        projected.requests.setdefault(payload["request"], ApprovalRequest.model_validate(request | named))


def _approval(projected: Projected, payload: Any, _at: datetime) -> None:
    request = projected.requests.get(payload["request"])
    if request:
        projected.requests[request.id] = changes.replayed(request, payload)


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
    "proposal": _proposal,
    "verdict": _verdict,
    "approval_requested": _approval_requested,
    "approval": _approval,
    "break_glass": _approval,
    "intent": _intent,
}

KINDS = tuple(_READERS)
"""Of the records that are projected."""
