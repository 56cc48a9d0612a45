"""Which answer counts, and why another does not. Pure; every refusal has a code, a sentence and a remedy.

A no is heard from whoever was asked so far, even from somebody who said yes before or whose time is over, and until
what it is about begins, also where all have agreed: it harms nobody. A yes counts once for each person, from the tier
that is asked now, for what is asked now, in time; and one account is one person. Who said yes may take it back until
it is being done.
"""

from collections.abc import Iterable

from agent.domain.approval import (
    REQUESTER,
    STRICT,
    Answer,
    ApprovalRequest,
    Person,
    RequestState,
    Rules,
    with_answer,
)
from agent.domain.base import rfc3339
from agent.domain.identity import seen
from agent.domain.proposal import Refusal

DECISIONS = ("approve", "reject", "edit", "break_glass", "withdraw")
SKEW_S = 60
"""How far the clocks of two hosts may lie apart without a yes being lost: as much as a login's times are granted
(`agent.domain.identity`), and more than a loaded machine is late. No deadline moves by it: whether an answer comes in
time is judged by one clock, that of the process which counts it, and the agent ends what is over by its own."""


def counted(
    request: ApprovalRequest, answer: Answer, person: Person, rules: Rules = STRICT
) -> ApprovalRequest | Refusal:
    """The request with one more answer, or why that answer does not count."""
    if answer.decision == "withdraw":
        refusal = _not_to_withdraw(request, answer, person)
    else:
        refusal = _not_theirs(request, answer, person, rules) or _not_now(request, answer)
    refusal = refusal or _not_said_well(request, answer)
    if refusal:
        return refusal
    named = {
        "groups": tuple(sorted(_names(request, answer) & set(person.groups))),
        "tier": request.tier,
        "alone": rules.single_operator == person.name,
    }
    return with_answer(request, answer.model_copy(update=named))


def _names(request: ApprovalRequest, answer: Answer) -> set[str]:
    """The groups whose word this is: of the tier that is asked now, for a no those before it too."""
    first = 0 if answer.decision == "reject" else request.tier
    tiers = (request.requirement.tier(number) for number in range(first, request.tier + 1))
    return {group.name for tier in tiers for group in tier.groups}


def _not_theirs(request: ApprovalRequest, answer: Answer, person: Person, rules: Rules) -> Refusal | None:
    alone = rules.single_operator == person.name
    asked = {REQUESTER} if answer.decision in ("reject", "edit") or alone else _requesters(request)
    if answer.by != person.name or person.name in asked:
        return Refusal(
            code="requester",
            message=f"{person.name} cannot answer request {request.id} of {request.requested_by} as {answer.by}.",
            remedy="Ask another person to answer.",
        )
    if answer.decision == "break_glass":
        return _no_glass_to_break(person, rules)
    required = _names(request, answer)
    if not alone and not required & set(person.groups):
        return Refusal(
            code="not_in_group",
            message=f"{person.name} is in none of the groups that may answer: {', '.join(sorted(required))}.",
            remedy="Ask somebody of these groups, or have the groups of this person changed in the settings.",
        )
    return None


def _not_to_withdraw(request: ApprovalRequest, answer: Answer, person: Person) -> Refusal | None:
    """A yes is taken back by who gave it, in whichever tier; what has begun is not stopped by it."""
    if request.state is RequestState.CONSUMED:
        return _begun(request)
    if not request.may_be_refused:
        return Refusal(
            code="not_pending",
            message=f"Request {request.id} is {request.state.value} already.",
            remedy="Nothing is done by it.",
        )
    if answer.by != person.name or person.name not in {given.by for given in request.standing}:
        return Refusal(
            code="nothing_to_withdraw",
            message=f"No yes of {person.name} stands in request {request.id}.",
            remedy="Reject it, if you are asked.",
        )
    return None


def _begun(request: ApprovalRequest) -> Refusal:
    return Refusal(
        code="begun",
        message=f"What request {request.id} was for has begun.",
        remedy="`watchkeeper policy levels freeze` stops the agent after the step in hand.",
    )


def _requesters(request: ApprovalRequest) -> set[str]:
    return {REQUESTER, request.requested_by, *request.editors}


def _no_glass_to_break(person: Person, rules: Rules) -> Refusal | None:
    if not rules.break_glass:
        return Refusal(
            code="break_glass_off",
            message="Break-glass is off here.",
            remedy="Ask the people who are named; `break_glass` in the settings says who may do without them.",
        )
    if not set(rules.break_glass) & set(person.groups):
        may = ", ".join(rules.break_glass)
        return Refusal(
            code="break_glass_not_theirs",
            message=f"{person.name} is in none of the groups that may break the glass: {may}.",
            remedy="Ask somebody of these groups.",
        )
    return None


def _not_now(request: ApprovalRequest, answer: Answer) -> Refusal | None:
    says_no = answer.decision == "reject"
    after_all = says_no and request.state is RequestState.APPROVED  # the time to say yes is no bound for it
    if request.state is not RequestState.PENDING and not after_all:
        begun = says_no and request.state is RequestState.CONSUMED
        return (
            _begun(request)
            if begun
            else Refusal(
                code="not_pending",
                message=f"Request {request.id} is {request.state.value} already.",
                remedy="Nothing is left to answer here.",
            )
        )
    if answer.at >= request.expires_at and not after_all:
        return Refusal(
            code="expired",
            message=f"Request {request.id} expired at {rfc3339(request.expires_at)}.",
            remedy="Wait for a new request: nothing is ever approved late.",
        )
    asked_at = request.tier_at or request.requested_at
    if (asked_at - answer.at).total_seconds() > SKEW_S:
        return Refusal(
            code="clock_skew",
            message=f"By the clock here it is {rfc3339(answer.at)}, before it was asked ({rfc3339(asked_at)}).",
            remedy="Set the clocks right: on a wrong one nobody can say whether an answer comes in time.",
        )
    if answer.digest != request.digest:
        return Refusal(
            code="stale_digest",
            message=f"The answer is for digest {answer.digest[:12]}, the request for {request.digest[:12]}.",
            remedy="Look at the request again and answer what it says now.",
        )
    if answer.decision == "approve" and answer.by in _approved(request):
        return Refusal(
            code="answered_already",
            message=f"{answer.by} has answered request {request.id} already, and counts once.",
            remedy="Ask another person to answer.",
        )
    return _of_somebody_else(request, answer) if answer.decision in ("approve", "break_glass") else None


def _approved(request: ApprovalRequest) -> Iterable[str]:
    return (a.by for a in request.standing if a.tier == request.tier)


def _of_somebody_else(request: ApprovalRequest, answer: Answer) -> Refusal | None:
    """One account is one person: from where another has answered or edited this request, nobody says yes to it."""
    here = account_of(answer.door, answer.account)
    others = {account_of(a.door, a.account) for a in request.answers if a.by != answer.by}
    if answer.by not in request.editors:
        others |= set(request.editor_accounts)
    if not answer.account or here not in others:
        return None
    return Refusal(
        code="account_of_another",
        message=f"From {here} somebody else has answered request {request.id}; one account is one person.",
        remedy="Answer from an account of your own.",
    )


def account_of(door: str, account: str) -> str:
    """An account as it is compared: the same name at two doors is two accounts."""
    return f"{door}:{account}"


def _not_said_well(request: ApprovalRequest, answer: Answer) -> Refusal | None:
    if answer.decision not in DECISIONS:
        return Refusal(code="unknown_decision", message=f"{answer.decision!r} is neither approve nor reject.")
    if answer.decision != "approve" and not seen(answer.reason).strip():
        what = _NAMED.get(answer.decision, "Breaking the glass")
        return Refusal(
            code="reason_missing",
            message=f"{what} needs a reason.",
            remedy="Say why, so that the next proposal can be better.",
        )
    if answer.decision == "edit" and not _changes_something(request, answer):
        return Refusal(
            code="nothing_changed",
            message="The edit leaves everything as it is.",
            remedy="Approve the request as it stands, or change a parameter.",
        )
    return None


_NAMED = {"reject": "A rejection", "edit": "An edit", "withdraw": "Withdrawing a yes"}


def _changes_something(request: ApprovalRequest, answer: Answer) -> bool:
    return any(request.proposal.parameters.get(name) != value for name, value in answer.changes.items())
