"""What becomes of an incident that the agent itself fails at: it ends on the record, and a person hears what stands."""

import logging
from collections.abc import Sequence

from agent.domain.incident import Incident, IncidentState
from agent.domain.outcome import OutcomeState, PastAction
from agent.ports import AlreadyRecorded, LedgerUnavailable, Ports
from agent.recording import tell

log = logging.getLogger("watchkeeper.watch")


def give_up(incident_id: str, error: Exception, ports: Ports) -> None:
    """Raises a Fault where even that cannot be recorded: it is tried again then."""
    incident = ports.incidents.get(incident_id)
    if incident is None:
        return
    why = f"{type(error).__name__}: {error}{_left(incident, ports)}"
    payload = {"incident": incident_id, "state": IncidentState.FAILED.value, "statement": why}
    try:
        ports.ledger.record("incident_closed", payload, unique_key=f"incident_closed:{incident_id}")
    except AlreadyRecorded:
        log.debug("%s was closed already", incident_id)
    tell(ports.notifier, ports.ledger, "oncall", incident.subject, f"{incident_id}: {why}", key=f"{incident_id}/failed")
    ports.incidents.save(incident, IncidentState.FAILED)
    ports.timers.clear(incident_id)


def _left(incident: Incident, ports: Ports) -> str:
    try:
        left = standing(ports.ledger.past_actions(incident.opened_at), incident.id)
    except LedgerUnavailable as fault:
        return f"; what was begun cannot be told: {fault}"
    return f"; what was begun stands as it is: {', '.join(left)}" if left else ""


def standing(history: Sequence[PastAction], incident: str) -> list[str]:
    """What was done for it and not taken back: maybe the first half of what was meant."""
    return [
        f"{past.action} on {past.target} ({past.outcome})"
        for past in history
        if past.incident == incident and not past.undo and past.outcome != OutcomeState.UNDONE.value
    ]
