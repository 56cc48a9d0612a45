"""Does an approval cover what would be done now? It is for what people saw: these steps, these policies, these reasons
with their numbers, this reach and this work at stake. What is less of all that is covered; what is more in any of it is
asked anew.

Pure. A number that wobbles is no reason to ask: shares and rates have a tolerance, counts of what is touched have none.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.counting import SKEW_S
from agent.domain.proposal import Prediction, Proposal
from agent.domain.stake import Stake, StakeKind
from agent.domain.verdict import ApprovalRequirement, ApproverTier, Reason, Verdict

TOLERANCE = 0.1
"""Of what is measured and not counted: a node that is not ready for a moment, a forecast by one pod."""

HOUR_S = 3600
LOOKED_S = 60  # between the look that counted the stakes and the request that tells them

FOLLOWS = frozenset({"limit", "window", "minimum", "allowed"})
"""Parameters of reasons that are limits, and say nothing of what is done: data under the policies' digest, or derived
of `eligible`, which is compared itself."""

LESS_IS_WORSE = frozenset({"eligible", "left", "confidence"})
"""Parameters of which less is worse; of every other number it is more."""


def stands(request: ApprovalRequest | None, *, begun: bool = False) -> bool:
    """Is there a yes that is not used up? Where it was `begun` by this one, it is used by what is still to be done."""
    good = {RequestState.APPROVED, RequestState.CONSUMED} if begun else {RequestState.APPROVED}
    return request is not None and request.state in good


def approval_covers(
    request: ApprovalRequest | None, proposal: Proposal, verdict: Verdict, now: datetime, *, begun: bool = False
) -> tuple[bool, str]:
    """May an escalated proposal go ahead? The sentence says why not.

    The approval is for these steps (digest), under these policies, for no less than this, and not too long ago.
    """
    if request is None or request.decided_at is None or not stands(request, begun=begun):
        return False, "there is no approval"
    if request.digest != proposal.digest:
        return False, "what was approved has changed since"
    if request.verdict.policy_digest != verdict.policy_digest:
        return False, "the policies have changed since the approval"
    age_s = (now - request.decided_at).total_seconds()
    if not -SKEW_S <= age_s <= request.requirement.execute_within_s + verdict.obligations.notice_s:
        return False, "the approval is too old" if age_s > 0 else "the clocks disagree about when it was approved"
    new = _nobody_was_asked(request, verdict)
    if new:
        return False, new
    passed_s = max(0.0, (now - request.requested_at).total_seconds())
    worse = next(what_is_worse(request.proposal, request.verdict, proposal, verdict, passed_s), "")
    return (False, f"it is more than was approved: {worse}") if worse else (True, "approved")


def _nobody_was_asked(request: ApprovalRequest, verdict: Verdict) -> str:
    """By whom or about what nobody was asked; nothing where the request had it all."""
    wanted = _more_approvers(request.requirement, verdict.approval)
    if wanted:
        return f"it takes more approvers than were asked: {', '.join(wanted)}"
    new = sorted({reason.code for reason in verdict.reasons} - {reason.code for reason in request.verdict.reasons})
    return f"there are reasons that nobody approved: {', '.join(new)}" if new else ""


def _more_approvers(asked: ApprovalRequirement, now: ApprovalRequirement | None) -> list[str]:
    """Groups that the policies want by now, or want more of, in any tier: facts may ask for them without a reason of
    their own."""
    if now is None:
        return []
    more: set[str] = set()
    for number in range(1 + len(now.tiers)):
        then = _counts(asked.tier(number)) if asked.has_tier(number) else Counter[str]()
        more |= set(_counts(now.tier(number)) - then)
    return sorted(more)


def _counts(tier: ApproverTier) -> Counter[str]:
    return Counter(group.name for group in tier.groups for _ in range(group.count))


def what_is_worse(asked: Proposal, said: Verdict, now: Proposal, says: Verdict, passed_s: float) -> Iterator[str]:
    """Each way in which it is more now than what was asked `passed_s` ago; nothing where the approval covers it."""
    yield from _reasons(said.reasons, says.reasons)
    yield from _reach(asked, now)
    yield from _stakes(asked.at_stake, now.at_stake, passed_s)
    if now.prediction is not None:
        yield from _prediction(asked.prediction or Prediction(), now.prediction)


def _reasons(asked: Iterable[Reason], now: Iterable[Reason]) -> Iterator[str]:
    seen = list(asked)
    for reason in now:
        alike = [each for each in seen if each.code == reason.code]
        if not any(_param_covers(each.params, reason.params) for each in alike):
            yield f"{reason.code}: {reason.message}"


def _param_covers(asked: Mapping[str, object], now: Mapping[str, object]) -> bool:
    return all(name in asked and _covers(name, asked[name], value) for name, value in now.items())


def _covers(name: str, asked: object, now: object) -> bool:
    """A word has to be the same; of a list there may be fewer; a number may not be worse."""
    if name in FOLLOWS:
        return True
    if _is_number(asked) and _is_number(now):
        return _number_covers(name, float(str(asked)), float(str(now)))
    if isinstance(asked, list | tuple) and isinstance(now, list | tuple):
        return all(item in asked for item in now)
    return type(asked) is type(now) and asked == now


def _number_covers(name: str, asked: float, now: float) -> bool:
    if name in LESS_IS_WORSE:
        return now >= asked * (1 - TOLERANCE)
    whole = asked.is_integer() and now.is_integer()
    return now <= (asked if whole else asked * (1 + TOLERANCE))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reach(asked: Proposal, now: Proposal) -> Iterator[str]:
    before, after = asked.blast_radius, now.blast_radius
    for kind in ("nodes", "gangs", "workloads"):
        more = sorted(set(getattr(after, kind)) - set(getattr(before, kind)))
        if more:
            yield f"it reaches {', '.join(more)} too"
    for kind in ("pods", "gpus"):
        then, that = getattr(before, kind), getattr(after, kind)
        if that > then:
            yield f"it reaches {that} {kind.replace('gpus', 'GPUs')}, not {then}"
    if now.destructive and not asked.destructive:
        yield "it stops work that runs, and did not when it was asked"


def _stakes(asked: Iterable[Stake], now: Iterable[Stake], passed_s: float) -> Iterator[str]:
    told = {stake.whose: stake for stake in asked}
    for stake in now:
        before = told.get(stake.whose)
        if before is None:
            yield f"work of {stake.whose} is at stake too"
        elif stake.pods > before.pods or stake.gpus > before.gpus:
            then = f"{before.pods} with {before.gpus}"
            yield f"{stake.pods} pods of {stake.whose} with {stake.gpus} GPUs stop, not {then}"
        elif _more_hours(before, stake, passed_s):
            yield f"more of the work of {stake.whose} is lost than it was told to be"


def _more_hours(before: Stake, now: Stake, passed_s: float) -> bool:
    """What ran on in the meantime was foreseeable, and the request says how fast it grows. What stood still or was idle
    and works again was not."""
    if now.kind is StakeKind.WORK and before.kind is not StakeKind.WORK:
        return True
    if before.gpu_hours is None:
        return False
    foreseen = before.gpu_hours + before.gpus * (passed_s + LOOKED_S) / HOUR_S
    return now.gpu_hours is None or now.gpu_hours > foreseen + 0.1  # both are rounded to tenths


def _prediction(asked: Prediction, now: Prediction) -> Iterator[str]:
    more = sorted(set(now.stops) - set(asked.stops))
    if more and "stops" not in asked.left_out:
        yield f"{', '.join(more)} would lose their nodes by it"
    if _count(now) > _count(asked):
        yield f"{_count(now)} gangs would lose their nodes by it, not {_count(asked)}"
    told = {service.ref: service.ready_at_worst for service in asked.services}
    for service in now.services:
        least = told.get(service.ref)
        if least is not None and service.ready_at_worst < least * (1 - TOLERANCE):
            yield f"{service.ref} would be down to {service.ready_at_worst} pods, not {least}"


def _count(told: Prediction) -> int:
    return len(told.stops) + told.left_out.get("stops", 0)
