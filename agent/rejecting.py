"""A no to what all had agreed to: until it begins it ends as any no, and whoever was told that it would be done hears
that it will not. That such a no counts is `agent.domain.counting`'s; that nothing begins over it, the desk's."""

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.incident import IncidentState
from agent.domain.thread import Move, Next, Thread
from agent.ports import Ports


def said_no(thread: Thread, ports: Ports) -> Move | None:
    """Where the thread leads if somebody has said no since the yes; None where nobody has."""
    request = ports.desk.get(thread.request) if thread.request else None
    if request is None or request.state is not RequestState.REJECTED:
        return None
    return taken_back(thread, IncidentState.REJECTED, rejection(request))


def taken_back(thread: Thread, ending: IncidentState, why: str) -> Next:
    """Told to whom it was told, and the end of the incident, unless its playbook can do without."""
    thread = thread.but(statement=why)
    return Next("cancel", thread if thread.on_refusal == "continue" else thread.but(ending=ending))


def rejection(request: ApprovalRequest) -> str:
    said = next((a for a in request.answers if a.decision == "reject"), None)
    return f"{said.by} said no: {said.reason}" if said else "it was rejected"
