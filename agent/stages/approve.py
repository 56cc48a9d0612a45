"""Asking people: the request they see, and what its state means for the incident.

Nothing is ever approved by time: a request that nobody answers expires to a no.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.base import digest_of
from agent.domain.proposal import Proposal
from agent.domain.verdict import Verdict


class Answered(StrEnum):
    """What the workflow does next."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


def request_for(proposal: Proposal, verdict: Verdict, now: datetime) -> ApprovalRequest:
    """The request for this verdict. Its id follows from proposal and digest: asking twice is asking once."""
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


def answered(request: ApprovalRequest, now: datetime) -> Answered:
    """The state of the request as of `now`; a pending one past its time has expired."""
    match request.state:
        case RequestState.APPROVED | RequestState.CONSUMED:
            return Answered.APPROVED
        case RequestState.REJECTED:
            return Answered.REJECTED
        case RequestState.EXPIRED | RequestState.CANCELLED:
            return Answered.EXPIRED
        case RequestState.PENDING:
            return Answered.EXPIRED if now >= request.expires_at else Answered.WAITING
