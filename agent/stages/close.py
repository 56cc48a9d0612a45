"""The end of an incident, on the record."""

from agent.domain.base import rfc3339
from agent.domain.incident import Incident, IncidentState
from agent.domain.thread import Thread
from agent.ports import Ports
from agent.recording import once


def close(thread: Thread, ports: Ports) -> IncidentState:
    """Records how it ended and returns it. Called again after a crash it says the same."""
    incident = ports.incidents.get(thread.incident)
    if incident is None:
        raise LookupError(f"incident {thread.incident} is not in the store")
    playbook = thread.diagnosis.playbook if thread.diagnosis else None
    payload = once(
        ports.ledger,
        "incident_closed",
        f"incident_closed:{incident.id}",
        lambda: {
            "incident": incident.id,
            "state": ending(thread, incident).value,
            "statement": _statement(thread, incident),
            "helped": list(thread.helped),
            "signals": incident.signal_count,
            "at": rfc3339(ports.clock.now()),
        },
        lambda made: {"incident": incident.id, "target": str(incident.subject), "outcome": made["state"]},
    )
    state = IncidentState(payload["state"])
    ports.incidents.save(incident, state, playbook=playbook)
    ports.timers.clear(incident.id)
    return state


def ending(thread: Thread, incident: Incident) -> IncidentState:
    """How it ended: as some stage said, else by what was done."""
    if thread.ending is not None:
        return thread.ending
    if thread.told:
        return IncidentState.ESCALATED
    if thread.helped:
        return IncidentState.RESOLVED
    if incident.recovered_at is not None:
        return IncidentState.CANCELLED
    return IncidentState.NO_ACTION


def _statement(thread: Thread, incident: Incident) -> str:
    """Why it ended so. That one of its proposals was withdrawn is not why an incident was resolved."""
    state = ending(thread, incident)
    if state is IncidentState.RESOLVED:
        return f"{len(thread.helped)} actions helped"
    if thread.statement:
        return thread.statement
    match state:
        case IncidentState.CANCELLED:
            return "it recovered by itself"
        case IncidentState.ESCALATED:
            return "a person was called"
        case _:
            return thread.diagnosis.statement if thread.diagnosis else ""
