"""An approval names the digest it is for. Time never approves; a time-out is a no."""

from datetime import datetime
from enum import StrEnum

from agent.domain.base import Noun
from agent.domain.proposal import Proposal
from agent.domain.verdict import ApprovalRequirement, Verdict


class Person(Noun):
    """A linked identity. Who somebody is comes from configuration, never from the door they came through."""

    name: str
    groups: tuple[str, ...]


class RequestState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CONSUMED = "consumed"


class Answer(Noun):
    by: str
    decision: str  # approve | reject
    reason: str
    digest: str
    at: datetime
    door: str  # terminal | slack | web | scenario


class ApprovalRequest(Noun):
    id: str
    incident: str
    proposal: Proposal
    verdict: Verdict
    requirement: ApprovalRequirement
    requested_at: datetime
    expires_at: datetime
    state: RequestState = RequestState.PENDING
    answers: tuple[Answer, ...] = ()
    decided_at: datetime | None = None

    @property
    def digest(self) -> str:
        return self.proposal.digest
