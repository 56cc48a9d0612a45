"""Asking people, and waiting for their answer. Nothing is ever approved by time: silence asks the next tier, and in
the end it is a no. What a person has edited is proposed, judged and asked anew."""

from datetime import datetime, timedelta

from agent.domain.approval import REQUESTER, ApprovalRequest, RequestState
from agent.domain.base import digest_of, rfc3339
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal, Refusal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.domain.verdict import Verdict
from agent.look import remedy_key
from agent.ports import JsonObject, Ports
from agent.recording import call, once, tell
from agent.rejecting import rejection, taken_back
from agent.resuming import edited


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
    if request.state is RequestState.PENDING and now >= request.expires_at:
        request = ports.desk.time_out(request.id)
    return _led_by(thread, request, ports)


def _led_by(thread: Thread, request: ApprovalRequest, ports: Ports) -> Move:
    """Where the request leads, as it stands. A yes or an edit is believed by the log's word alone."""
    if request.state in (RequestState.APPROVED, RequestState.EDITED):
        proven = ports.desk.proven(request.id)
        if isinstance(proven, Refusal):  # judged anew it is another decision, and so another request
            return Next("judge_again", thread.but(since=None, statement=proven.message))
    match request.state:
        case RequestState.PENDING:
            _tell_who_is_asked(request, ports)
            return Wait(request.expires_at, f"approval {request.id}", thread)
        case RequestState.APPROVED | RequestState.CONSUMED:
            _tell_the_skipped(request, ports)
            ports.boundaries.reached("approval")
            return Next("notice", thread)
        case RequestState.REJECTED:
            return _no(thread, IncidentState.REJECTED, rejection(request))
        case RequestState.EDITED:
            return Next("propose", _edited(thread, request))
        case _:
            return _no(thread, IncidentState.EXPIRED, f"nobody answered {request.id} in time")


def request_for(
    proposal: Proposal, verdict: Verdict, now: datetime, editor_accounts: tuple[str, ...] = ()
) -> ApprovalRequest:
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
        requested_by=proposal.edited_by[-1] if proposal.edited_by else REQUESTER,
        editors=proposal.edited_by,
        editor_accounts=editor_accounts if proposal.edited_by else (),
    )


def as_recorded(made: ApprovalRequest) -> JsonObject:
    """What the log keeps of a request when it is made: all by which the desk's row is proven later."""
    proposal, verdict = made.proposal, made.verdict
    return {
        "request": made.id,
        "proposal": proposal.id,
        "digest": proposal.digest,
        "action": proposal.action,
        "target": proposal.target.json_object(),
        "reasons": [reason.json_object() for reason in verdict.reasons],
        "requirement": made.requirement.json_object(),
        "requested_at": rfc3339(made.requested_at),
        "expires_at": rfc3339(made.expires_at),
        "requested_by": made.requested_by,
        "editors": list(made.editors),
        "editor_accounts": list(made.editor_accounts),
        "policies": verdict.policy_digest,
        "shown": digest_of(proposal.json_object()),
        "blast_radius": proposal.blast_radius.json_object(),
        "at_stake": [stake.json_object() for stake in proposal.at_stake],
    }


def _request(thread: Thread, proposal: Proposal, verdict: Verdict, now: datetime, ports: Ports) -> ApprovalRequest:
    """The standing request, or a new one: on the record first, then on the desk."""
    standing = ports.desk.get(thread.request) if thread.request else None
    if standing is not None:
        return standing
    made = request_for(proposal, verdict, now, thread.edit.accounts if thread.edit is not None else ())
    payload = once(
        ports.ledger,
        "approval_requested",
        f"approval_requested:{made.id}",
        lambda: as_recorded(made),
        lambda _: {
            "incident": proposal.incident,
            "proposal": proposal.id,
            "action": proposal.action,
            "target": str(proposal.target),
        },
    )
    times = {key: datetime.fromisoformat(payload[key]) for key in ("requested_at", "expires_at")}
    return ports.desk.open(made.model_copy(update=times))


def _edited(thread: Thread, request: ApprovalRequest) -> Thread:
    """The same remedy is proposed anew, with what the person changed: a new digest, a new verdict, new approvals."""
    proposal = request.proposal
    edit = edited(thread.edit if proposal.edited_by else None, request, remedy_key(proposal))
    tried = tuple(key for key in thread.tried if key not in (edit.remedy, remedy_key(proposal)))
    return thread.but(proposal=None, request=None, edit=edit, tried=tried)


def _tell_who_is_asked(request: ApprovalRequest, ports: Ports) -> None:
    """Each tier when its turn comes, and again when a yes was taken back. The doors show the request; here a person is
    told that there is one."""
    proposal, until = request.proposal, rfc3339(request.expires_at)
    back = [answer for answer in request.answers if answer.decision == "withdraw"]
    anew = f"{back[-1].by} took the yes back ({back[-1].reason}): " if back else ""
    message = (
        f"{request.id}: {anew}may the agent do {proposal.action} on {proposal.target}? {proposal.statement} "
        f"Answer until {until}: watchkeeper approvals show {request.id}"
    )
    for group in request.asked.groups:
        key = f"{request.id}/asked/{request.tier}/{group.name}{f'/{len(back)}' if back else ''}"
        tell(ports.notifier, ports.ledger, f"group:{group.name}", proposal.target, message, key=key)


def _tell_the_skipped(request: ApprovalRequest, ports: Ports) -> None:
    """Who was done without hears of it before anything is done, each by name, and that they were told is recorded."""
    answer = request.broken_glass
    if answer is None:
        return
    proposal = request.proposal
    message = (
        f"{request.id}: {answer.by} approved {proposal.action} on {proposal.target} by break-glass, without you: "
        f"{answer.reason}"
    )
    for name in answer.skipped:
        key = f"{request.id}/break-glass/{name}"
        call(ports.notifier, ports.ledger, proposal.target, message, key=key, audience=name)


def _no(thread: Thread, ending: IncidentState, why: str) -> Next:
    if thread.notice_at is not None:  # a yes was withdrawn after the owner had been told
        return taken_back(thread, ending, why)
    if thread.on_refusal == "continue":
        return Next("propose", thread.but(proposal=None))
    return Next("propose", thread.but(ending=ending, statement=why))
