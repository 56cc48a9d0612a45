"""Asking people, and waiting for their answer. Nothing is ever approved by time: silence expires to a no."""

from datetime import datetime, timedelta

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.base import digest_of, rfc3339
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.domain.verdict import Verdict
from agent.ports import Ports
from agent.recording import once


def approve(thread: Thread, ports: Ports) -> Move:
    proposal, verdict = thread.proposal, thread.verdict
    if proposal is None or verdict is None:
        raise ValueError(f"incident {thread.incident} has nothing to approve")
    now = ports.clock.now()
    request = _request(thread, proposal, verdict, now, ports)
    thread = thread.but(request=request.id)
    incident = ports.incidents.get(thread.incident)
    if incident is not None and incident.recovered_at is not None and request.state is RequestState.PENDING:
        return Next("cancel", thread.but(statement="it recovered before anybody answered"))
    match request.state:
        case RequestState.APPROVED | RequestState.CONSUMED:
            ports.boundaries.reached("approval")
            return Next("notice", thread)
        case RequestState.REJECTED:
            return _no(thread, IncidentState.REJECTED, _rejection(request))
        case RequestState.PENDING if now < request.expires_at:
            return Wait(request.expires_at, f"approval {request.id}", thread)
        case _:
            ports.desk.close(request.id, RequestState.EXPIRED.value)
            return _no(thread, IncidentState.EXPIRED, f"nobody answered {request.id} in time")


def request_for(proposal: Proposal, verdict: Verdict, now: datetime) -> ApprovalRequest:
    """The request for this verdict. Its id follows from proposal and verdict: asking twice is asking once."""
    if verdict.approval is None:
        raise ValueError(f"verdict {verdict.decision_id} escalates without saying who approves")
    return ApprovalRequest(
        id="apr-" + digest_of([proposal.id, proposal.digest, verdict.decision_id])[:8],
        incident=proposal.incident,
        proposal=proposal,
        verdict=verdict,
        requirement=verdict.approval,
        requested_at=now,
        expires_at=now + timedelta(seconds=verdict.approval.approve_within_s),
    )


def _request(thread: Thread, proposal: Proposal, verdict: Verdict, now: datetime, ports: Ports) -> ApprovalRequest:
    """The standing request, or a new one: on the record first, then on the desk."""
    standing = ports.desk.get(thread.request) if thread.request else None
    if standing is not None:
        return standing
    made = request_for(proposal, verdict, now)
    payload = once(
        ports.ledger,
        "approval_requested",
        f"approval_requested:{made.id}",
        lambda: {
            "request": made.id,
            "proposal": proposal.id,
            "digest": proposal.digest,
            "action": proposal.action,
            "target": proposal.target.json_object(),
            "reasons": [reason.json_object() for reason in verdict.reasons],
            "requirement": made.requirement.json_object(),
            "requested_at": rfc3339(made.requested_at),
            "expires_at": rfc3339(made.expires_at),
        },
        lambda _: {
            "incident": proposal.incident,
            "proposal": proposal.id,
            "action": proposal.action,
            "target": str(proposal.target),
        },
    )
    times = {key: datetime.fromisoformat(payload[key]) for key in ("requested_at", "expires_at")}
    return ports.desk.open(made.model_copy(update=times))


def _no(thread: Thread, ending: IncidentState, why: str) -> Next:
    if thread.on_refusal == "continue":
        return Next("propose", thread.but(proposal=None))
    return Next("propose", thread.but(ending=ending, statement=why))


def _rejection(request: ApprovalRequest) -> str:
    said = next((a for a in request.answers if a.decision == "reject"), None)
    return f"{said.by} said no: {said.reason}" if said else "it was rejected"
