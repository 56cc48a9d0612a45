"""The agent's standing at this moment, with what has to follow from its own outcomes recorded first.

A demotion or a tripped breaker is on the record before the next decision is made, whoever failed and whenever the
process died in between. Raising a level again is for people (`watchkeeper policy levels`).
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.duration import parse_duration
from agent.domain.outcome import PastAction
from agent.domain.standing import Change, ClassLevel, Standing
from agent.domain.verdict import Verdict
from agent.evidence.breaker import NOTICED_WITHIN, trip
from agent.evidence.trust import Demotion, demotions, lapsed
from agent.ports import AlreadyRecorded, JsonObject, LedgerUnavailable, Ports
from agent.recording import call

TRIPPED = "breaker.tripped"  # the reason code by which the policies say so
THE_BREAKER = "the breaker"
BREAKER = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="Breaker", name="breaker")


def standing_now(history: Sequence[PastAction], now: datetime, ports: Ports) -> Standing:
    """Raises LedgerUnavailable or ClusterFault: who cannot read or write what became of the levels decides nothing."""
    watch_breaker(ports)
    standing = ports.ledger.standing()
    void = lapsed(ports.policy.limits, standing)
    for grant in void:
        _record(_lapsed(grant), f"level_changed:lapsed:{grant.action}/{grant.tenant}/{rfc3339(grant.at)}", ports)
    standing = ports.ledger.standing() if void else standing
    due = demotions(history, ports.policy.limits, standing, now)
    for each in due:
        since = standing.judged_since(each.action, each.tenant)
        about = digest_of([each.action, each.tenant, list(each.proposals), rfc3339(since) if since else None])
        _record(_demoted(each), f"level_changed:demoted:{about}", ports)
    frozen_by = ports.switch.lately() if standing.frozen_at is None else None  # no step begins without another look
    standing = ports.ledger.standing() if due else standing
    return standing.model_copy(update={"frozen_at": now, "frozen_by": frozen_by}) if frozen_by else standing


def stopped_by(ports: Ports) -> str | None:
    """What keeps the agent from beginning anything now: a freeze (log, file or annotation), or the breaker. Asked
    before each step and each step back.

    Raises LedgerUnavailable or ClusterFault: who cannot tell does not begin."""
    standing = ports.ledger.standing()
    frozen = "log" if standing.frozen_at is not None else ports.switch.frozen()
    if frozen is not None:
        return f"a freeze ({frozen})"
    return THE_BREAKER if standing.breaker_tripped_at is not None else None


def standing_details(ports: Ports) -> dict[str, str]:
    """For who looks at the agent from outside: what a person has to end before it does anything."""
    try:
        standing = ports.ledger.standing()
    except LedgerUnavailable:
        return {}  # that the log does not answer is said by whoever could not write to it
    told = {"frozen": standing.frozen_at, "breaker_tripped": standing.breaker_tripped_at}
    return {what: f"since {rfc3339(at)}" for what, at in told.items() if at is not None}


def watch_breaker(ports: Ports) -> None:
    """Trips the breaker the moment that what was done asks for it, whether or not anybody asks for a decision then.
    Called after each outcome and with each look.

    Raises LedgerUnavailable or ClusterFault, as every step does."""
    standing, now = ports.ledger.standing(), ports.clock.now()
    if standing.breaker_tripped_at is not None:
        return
    limits = ports.policy.limits
    window = (limits.get("blast_radius") or {}).get("breaker", {}).get("window", "0s")
    history = ports.ledger.past_actions(now - NOTICED_WITHIN - parse_duration(window))
    found = trip(history, limits, standing, len(ports.views.take().nodes), now)
    if found is not None:
        about = digest_of([list(found.touched), rfc3339(found.newest_at)])[:12]
        _trip({"reason": found.reason, "nodes": list(found.touched)}, about, ports)


def note_breaker(verdict: Verdict, standing: Standing, ports: Ports) -> None:
    """Once the policies say that the breaker has tripped it stays so, until a person resets it."""
    if standing.breaker_tripped_at is not None:
        return
    reason = next((reason for reason in verdict.reasons if reason.code == TRIPPED), None)
    if reason is not None:
        _trip({"decision_id": verdict.decision_id, "reason": reason.message}, verdict.decision_id, ports)


def _trip(why: JsonObject, about: str, ports: Ports) -> None:
    """On the record first; then a person is called, for nobody else can end it."""
    _record({"change": Change.BREAKER_TRIPPED.value, **why}, f"level_changed:breaker:{about}", ports)
    message = f"{why['reason']}. Nothing is done until a person runs `watchkeeper policy levels reset-breaker`"
    call(ports.notifier, ports.ledger, BREAKER, message, key=f"breaker/{about}")


def _lapsed(grant: ClassLevel) -> JsonObject:
    return {
        "change": Change.LAPSED.value,
        "action": grant.action,
        "tenant": grant.tenant,
        "reason": f"it was granted when the files said {grant.upon.value if grant.upon else 'nothing'}",
    }


def _demoted(demotion: Demotion) -> JsonObject:
    return {
        "change": Change.DEMOTED.value,
        "action": demotion.action,
        "tenant": demotion.tenant,
        "from": demotion.upon.value,
        "to": demotion.to.value,
        "proposals": list(demotion.proposals),
        "reason": demotion.reason,
    }


def _record(payload: JsonObject, unique_key: str, ports: Ports) -> None:
    with suppress(AlreadyRecorded):
        ports.ledger.record("level_changed", payload, unique_key=unique_key)
