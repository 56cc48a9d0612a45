"""An approval names the digest it is for. Time never approves; a time-out is a no.

The rules of counting are here, as pure functions; who asks, who stores and which door an answer came through are not.
"""

from datetime import datetime
from enum import StrEnum

from agent.domain.base import Noun, rfc3339
from agent.domain.proposal import Proposal, Refusal
from agent.domain.verdict import ApprovalRequirement, Verdict

REQUESTER = "watchkeeper"
"""Who asks: the agent. Whoever asks never approves."""


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
    groups: tuple[str, ...] = ()  # the required groups that the person was in when the answer counted


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
    requested_by: str = REQUESTER

    @property
    def digest(self) -> str:
        return self.proposal.digest


def counted(request: ApprovalRequest, answer: Answer, person: Person) -> ApprovalRequest | Refusal:
    """The request with one more answer, or why that answer does not count."""
    refusal = _not_theirs(request, answer, person) or _not_now(request, answer) or _not_said_well(answer)
    if refusal:
        return refusal
    required = {group.name for group in request.requirement.groups}
    return with_answer(request, answer.model_copy(update={"groups": tuple(sorted(required & set(person.groups)))}))


def with_answer(request: ApprovalRequest, answer: Answer) -> ApprovalRequest:
    """The request after an answer that has counted: one reject ends it, enough approvals grant it."""
    answers = (*request.answers, answer)
    state = RequestState.PENDING
    if answer.decision == "reject":
        state = RequestState.REJECTED
    elif not missing(request.requirement, answers):
        state = RequestState.APPROVED
    decided_at = None if state is RequestState.PENDING else answer.at
    return request.model_copy(update={"answers": answers, "state": state, "decided_at": decided_at})


_MAY_BECOME = {
    RequestState.PENDING: {RequestState.EXPIRED, RequestState.CANCELLED},
    RequestState.APPROVED: {RequestState.CONSUMED, RequestState.EXPIRED, RequestState.CANCELLED},
}


def ended(request: ApprovalRequest, state: RequestState, at: datetime) -> ApprovalRequest | Refusal:
    """The request closed without an answer. What has ended stays as it ended; only what is approved can be consumed."""
    if state in _MAY_BECOME.get(request.state, ()):
        return request.model_copy(update={"state": state, "decided_at": request.decided_at or at})
    if state is RequestState.CONSUMED and request.state is not state:
        return Refusal(code="not_approved", message=f"Request {request.id} is {request.state.value}, not approved.")
    return request


def missing(requirement: ApprovalRequirement, answers: tuple[Answer, ...]) -> tuple[str, ...]:
    """The groups of the approvals that are still wanted, one entry each.

    A person counts once, so somebody in two required groups fills one place. Places are given out by augmenting paths:
    an approval is moved to another of its groups where that makes room for a new one.
    """
    places = [group.name for group in requirement.groups for _ in range(group.count)]
    holder: dict[int, Answer] = {}

    def seat(answer: Answer, tried: set[int]) -> bool:
        for place, group in enumerate(places):
            if group in answer.groups and place not in tried:
                tried.add(place)
                if place not in holder or seat(holder[place], tried):
                    holder[place] = answer
                    return True
        return False

    for answer in answers:
        if answer.decision == "approve":
            seat(answer, set())
    return tuple(group for place, group in enumerate(places) if place not in holder)


def _not_theirs(request: ApprovalRequest, answer: Answer, person: Person) -> Refusal | None:
    if answer.by != person.name or person.name == request.requested_by:
        return Refusal(
            code="requester",
            message=f"{person.name} cannot answer request {request.id} of {request.requested_by} as {answer.by}.",
            remedy="Ask another person to answer.",
        )
    required = [group.name for group in request.requirement.groups]
    if not set(required) & set(person.groups):
        return Refusal(
            code="not_in_group",
            message=f"{person.name} is in none of the groups that may answer: {', '.join(required)}.",
            remedy="Ask somebody of these groups, or have the groups of this person changed in the settings.",
        )
    return None


def _not_now(request: ApprovalRequest, answer: Answer) -> Refusal | None:
    if request.state is not RequestState.PENDING:
        return Refusal(
            code="not_pending",
            message=f"Request {request.id} is {request.state.value} already.",
            remedy="Nothing is left to answer here.",
        )
    if answer.at >= request.expires_at:
        return Refusal(
            code="expired",
            message=f"Request {request.id} expired at {rfc3339(request.expires_at)}.",
            remedy="Wait for a new request: nothing is ever approved late.",
        )
    if answer.digest != request.digest:
        return Refusal(
            code="stale_digest",
            message=f"The answer is for digest {answer.digest[:12]}, the request for {request.digest[:12]}.",
            remedy="Look at the request again and answer what it says now.",
        )
    if any(earlier.by == answer.by for earlier in request.answers):
        return Refusal(
            code="answered_already",
            message=f"{answer.by} has answered request {request.id} already, and counts once.",
            remedy="Ask another person to answer.",
        )
    return None


def _not_said_well(answer: Answer) -> Refusal | None:
    if answer.decision not in ("approve", "reject"):
        return Refusal(code="unknown_decision", message=f"{answer.decision!r} is neither approve nor reject.")
    if answer.decision == "reject" and not answer.reason.strip():
        return Refusal(
            code="reason_missing",
            message="A rejection needs a reason.",
            remedy="Say why, so that the next proposal can be better.",
        )
    return None
