"""An approval names the digest it is for. Time never approves; a time-out asks the next tier, and then is a no.

Here are the request and how it moves from state to state, as pure functions. Which answer counts is in `counting.py`,
whose answer it is in `identity.py`; who asks, who stores and which door an answer came through are elsewhere.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from agent.domain.base import Noun
from agent.domain.proposal import Proposal, Refusal
from agent.domain.verdict import ApprovalRequirement, ApproverTier, Verdict

REQUESTER = "watchkeeper"
"""Who asks: the agent, unless a person has edited what it asked. Whoever asks never approves."""


class Person(Noun):
    """A linked identity. Who somebody is comes from configuration, never from the door they came through."""

    name: str = Field(min_length=1)
    groups: tuple[str, ...]
    links: dict[str, tuple[str, ...]] = {}  # accounts by door: terminal, slack, oidc


class Rules(Noun):
    """The house's own: two exceptions, both off unless somebody has written them into the settings."""

    single_operator: str | None = None  # fills every place alone, and may approve what they edited
    break_glass: tuple[str, ...] = ()  # groups, any one of whom may approve alone in an emergency


STRICT = Rules()
"""No exception."""


class RequestState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EDITED = "edited"  # something else is proposed in its place, and asked for anew
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CONSUMED = "consumed"


class Answer(Noun):
    by: str
    decision: str  # approve | reject | edit | break_glass | withdraw
    reason: str
    digest: str
    at: datetime
    door: str  # terminal | slack | oidc | scenario
    account: str = ""  # whose hand it was at that door
    groups: tuple[str, ...] = ()  # the required groups that the person was in when the answer counted
    tier: int = 0  # who was being asked when it was given
    alone: bool = False  # by the single operator that the settings name
    changes: dict[str, object] = {}  # of an edit: the parameters, to be merged (RFC 7386)
    skipped: tuple[str, ...] = ()  # by break-glass: who was still to be asked


class ApprovalRequest(Noun):
    id: str
    incident: str
    proposal: Proposal
    verdict: Verdict
    requirement: ApprovalRequirement
    requested_at: datetime
    expires_at: datetime  # of the tier that is asked now
    state: RequestState = RequestState.PENDING
    answers: tuple[Answer, ...] = ()
    decided_at: datetime | None = None
    requested_by: str = REQUESTER
    editors: tuple[str, ...] = ()  # all who had a hand in what is asked; none of them approves it
    editor_accounts: tuple[str, ...] = ()  # `door:account` from which they did
    tier: int = 0
    tier_at: datetime | None = None  # since when this tier is asked, if it is not the first

    @property
    def digest(self) -> str:
        return self.proposal.digest

    @property
    def asked(self) -> ApproverTier:
        """Who is asked now."""
        return self.requirement.tier(self.tier)

    @property
    def may_be_refused(self) -> bool:
        """Until what it is for has begun a yes may be taken back, and one no ends it."""
        return self.state in (RequestState.PENDING, RequestState.APPROVED)

    @property
    def standing(self) -> tuple[Answer, ...]:
        """The yeses that were not withdrawn, whichever tier gave them."""
        last = {answer.by: place for place, answer in enumerate(self.answers) if answer.decision == "withdraw"}
        return tuple(
            answer
            for place, answer in enumerate(self.answers)
            if answer.decision in ("approve", "break_glass") and place > last.get(answer.by, -1)
        )

    @property
    def broken_glass(self) -> Answer | None:
        return next((answer for answer in self.standing if answer.decision == "break_glass"), None)

    @property
    def edit(self) -> Answer | None:
        return next((answer for answer in self.answers if answer.decision == "edit"), None)


_ENDS = {
    "reject": RequestState.REJECTED,
    "edit": RequestState.EDITED,
    "break_glass": RequestState.APPROVED,
}


def with_answer(request: ApprovalRequest, answer: Answer) -> ApprovalRequest:
    """The request after an answer that has counted: one reject ends it, enough approvals grant it, and a yes that is
    withdrawn opens it again, for what is left of its time."""
    given = request.model_copy(update={"answers": (*request.answers, answer)})
    state = _ENDS.get(answer.decision)
    if state is None:
        state = RequestState.PENDING if missing(given) else RequestState.APPROVED
    decided_at = None if state is RequestState.PENDING else answer.at
    return given.model_copy(update={"state": state, "decided_at": decided_at})


def escalated(request: ApprovalRequest, at: datetime) -> ApprovalRequest:
    """The request once the time of who was asked is over: the next tier has its full time, after the last it expires.

    No earlier approval counts for the next tier, or time alone could complete a smaller number.
    """
    if request.state is not RequestState.PENDING:
        return request
    if not request.requirement.has_tier(request.tier + 1):
        return request.model_copy(update={"state": RequestState.EXPIRED, "decided_at": at})
    within = timedelta(seconds=request.requirement.tier(request.tier + 1).approve_within_s)
    return request.model_copy(update={"tier": request.tier + 1, "tier_at": at, "expires_at": at + within})


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


def missing(request: ApprovalRequest) -> tuple[str, ...]:
    """The groups of the approvals that are still wanted of the tier that is asked now, one entry each.

    A person counts once, so somebody in two required groups fills one place. Places are given out by augmenting paths:
    an approval is moved to another of its groups where that makes room for a new one.
    """
    given = [a for a in request.standing if a.tier == request.tier]
    if any(answer.alone or answer.decision == "break_glass" for answer in given):
        return ()
    places = [group.name for group in request.asked.groups for _ in range(group.count)]
    holder: dict[int, Answer] = {}

    def seat(answer: Answer, tried: set[int]) -> bool:
        for place, group in enumerate(places):
            if group in answer.groups and place not in tried:
                tried.add(place)
                if place not in holder or seat(holder[place], tried):
                    holder[place] = answer
                    return True
        return False

    for answer in given:
        seat(answer, set())
    return tuple(group for place, group in enumerate(places) if place not in holder)
