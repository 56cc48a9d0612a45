"""What the policies say about a proposal. Entered twice: when it is made, and on a fresh view just before execution.

An engine that gives no decision is a deny, and asked again about a fresh look. An approval lets an escalated proposal
pass only if it is for these very steps, under these policies, for these reasons, and fresh enough.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from pydantic import ValidationError

from agent.actions.catalogue import CATALOGUE
from agent.domain.approval import RequestState
from agent.domain.base import canonical, parse_rfc3339, rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.covering import approval_covers, stands
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal, Refusal
from agent.domain.thread import Edit, Move, Next, Thread, Wait
from agent.domain.verdict import Decision, Obligations, Reason, Verdict
from agent.effects import StepCall, begun_by
from agent.evidence.foreseen import broken_promise
from agent.evidence.policy_input import Phase, policy_input
from agent.evidence.recorded_input import Written, as_recorded
from agent.look import TAKES_BACK, Look, look_at, proposals, remedies_of, remedy_key, with_edit
from agent.ports import JsonObject, PolicyEngine, PolicyUnavailable, Ports
from agent.recording import call, once
from agent.rejecting import said_no
from agent.trust import note_breaker, standing_now

ENGINE_RETRY_S = 30
ENGINE_TRIES = 20  # ten minutes without a decision on this proposal; after that a person is called
ENGINE_AWAY_RETRY_S = 120  # from then on, where only waiting is left; each try is a record
ENGINE = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="PolicyEngine", name="policies")
_ENGINE_AWAY = frozenset({"policy.unreachable", "policy.not_loaded", "policy.timeout"})


def judge(thread: Thread, ports: Ports) -> Move:
    """The first verdict on a new proposal."""
    proposal, look = _of(thread), look_at(thread.incident, ports)
    if thread.judged:  # asked before, without a decision: what it was made from may be old by now
        fresh = _as_of_now(thread, proposal, look, ports)
        if fresh is None or _overtaken(thread, proposal, fresh, look) is not None:
            return Next("propose", again(thread, proposal, thread.statement).but(proposal=None))
        proposal = fresh
    verdict, at = _verdict(thread, proposal, look, ports, "propose")
    asked = thread.but(verdict=verdict, judged=thread.judged + 1, judged_at=at, proposal=proposal)
    if engine_failed(verdict):
        return _ask_again(asked, "judge", ports)
    if verdict.decision is Decision.DENY:
        return Next("propose", refused(asked, IncidentState.REFUSED, _why(verdict)))
    return Next("approve" if verdict.decision is Decision.ESCALATE else "notice", asked)


def judge_again(thread: Thread, ports: Ports) -> Move:
    """The last look before execution: is it still called for, still the same thing, still allowed? A no is heard first:
    what has changed since would be asked anew."""
    return said_no(thread, ports) or _judged_again(thread, ports)


def _judged_again(thread: Thread, ports: Ports) -> Move:
    proposal = _of(thread)
    look = look_at(thread.incident, ports)
    fresh = _as_of_now(thread, proposal, look, ports)
    if fresh is None:
        return _uncalled_for(thread, proposal, look)
    overtaken = _overtaken(thread, proposal, fresh, look)
    if overtaken is not None:
        return Next("cancel", overtaken)
    verdict, at = _verdict(thread, fresh, look, ports, "execute")
    asked = thread.but(verdict=verdict, judged=thread.judged + 1, judged_at=at, proposal=fresh)
    if engine_failed(verdict):
        return _ask_again(asked, "judge_again", ports)
    match verdict.decision:
        case Decision.DENY:
            return _withdrawn(asked, fresh, _why(verdict))
        case Decision.ALLOW if thread.request is None:
            return Next("execute", asked)
        case _:
            return _if_approved(asked, fresh, verdict, look, ports)


def _overtaken(thread: Thread, proposal: Proposal, fresh: Proposal, look: Look) -> Thread | None:
    """The thread without this proposal, where it is not the same thing any more or would not bring what it promised."""
    if fresh.digest != proposal.digest:
        return again(thread, proposal, "what it rests on has changed since it was proposed")
    broken = broken_promise(proposal, fresh, look.incident.subject) if CATALOGUE[proposal.action].for_others else ""
    if not broken:
        return None
    # For somebody else's sake it may be proposed anew, and approved anew; for nobody's it is not.
    somebody = fresh.prediction is not None and fresh.prediction.starts
    return again(thread, proposal, broken) if somebody else thread.but(statement=broken)


def _uncalled_for(thread: Thread, proposal: Proposal, look: Look) -> Move:
    """Nobody would propose it now. A Prometheus that is away is waited for: what cannot be seen may still be so."""
    blind = not look.facts.values["telemetry"]["available"] and look.incident.recovered_at is None
    if blind and thread.judged < ENGINE_TRIES:
        unseen = thread.but(judged=thread.judged + 1)
        return Wait(look.now + timedelta(seconds=ENGINE_RETRY_S), "the telemetry cannot be read", unseen)
    return Next("cancel", thread.but(statement=f"{proposal.action} on {proposal.target} is no longer called for"))


def _if_approved(thread: Thread, proposal: Proposal, verdict: Verdict, look: Look, ports: Ports) -> Move:
    """By the log's word, not the desk's. A yes that was withdrawn is waited for again; one that does not cover what it
    is now is ended, and another is asked for."""
    request = ports.desk.proven(thread.request) if thread.request else None
    first = StepCall(proposal, 0, look.now, since=look.now, request=thread.request)
    begun = begun_by(first, ports.ledger)
    if isinstance(request, Refusal):
        covered, why = False, f"{request.code}: {request.message}"
    elif request is not None and request.state in (RequestState.PENDING, RequestState.EXPIRED):
        return Next("approve", thread.but(since=None))
    elif request is not None and verdict.decision is Decision.ALLOW:
        covered, why = stands(request, begun=begun), f"its request is {request.state.value}"
    else:
        covered, why = approval_covers(request, proposal, verdict, look.now, begun=begun)
    if covered:
        return Next("execute", thread)
    if verdict.decision is Decision.ALLOW:  # allowed by now, but somebody was asked, and there is no yes that counts
        return Next("cancel", thread.but(statement=why))
    if thread.request is not None:
        ports.desk.close(thread.request, "cancelled", why)
    return Next("approve", thread.but(request=None, since=None, statement=why))


def refused(thread: Thread, ending: IncidentState, why: str) -> Thread:
    """A no to this proposal: the end of the incident, unless its playbook can do without."""
    if thread.on_refusal == "continue" or thread.ending is not None:
        return thread.but(proposal=None)
    return thread.but(ending=ending, statement=why)


def _withdrawn(thread: Thread, proposal: Proposal, why: str) -> Move:
    """A late no: what was asked and told is taken back, whatever the playbook does next."""
    return Next("cancel", refused(thread, IncidentState.REFUSED, why).but(proposal=proposal, statement=why))


def again(thread: Thread, proposal: Proposal, why: str) -> Thread:
    """Lets the same remedy be proposed anew, with a new digest, a new verdict and new approvals."""
    keys = {remedy_key(proposal), *([thread.edit.remedy] if thread.edit and proposal.edited_by else [])}
    return thread.but(tried=tuple(t for t in thread.tried if t not in keys), statement=why)


def _as_of_now(thread: Thread, proposal: Proposal, look: Look, ports: Ports) -> Proposal | None:
    """The proposal as it would be made from the fresh look; None when nobody would make it any more."""
    diagnosis = thread.diagnosis
    if diagnosis is None:
        return None
    if proposal.action == "notify":
        return proposal  # words change nothing that could drift
    if look.incident.recovered_at is not None and proposal.action not in TAKES_BACK and not proposal.undoes:
        return None
    remedies = remedies_of(diagnosis, look, ports)
    wanted = with_edit(remedies, thread.edit if proposal.edited_by else None)
    same = [r for r in wanted if remedy_key(r) == remedy_key(proposal) and r.edited_by == proposal.edited_by]
    for _, made in proposals(same, diagnosis, look, thread.round - 1, ports):
        if isinstance(made, Proposal):
            return made
    return None


def _verdict(thread: Thread, proposal: Proposal, look: Look, ports: Ports, phase: Phase) -> tuple[Verdict, datetime]:
    """The decision and its time, recorded with its whole input; recalled when it was made before a crash."""

    def decide() -> JsonObject:
        standing = standing_now(look.history, look.now, ports)
        shown = policy_input(
            proposal,
            look.view,
            look.facts.values,
            look.history,
            phase=phase,
            now=look.now,
            notice_given_at=thread.notice_at,
            windows=ports.policy.limits.get("windows", ()),
            standing=standing,
        )
        seen = Written(shown, look.history)
        decided = decision(ports.policy, seen)
        note_breaker(decided, standing, ports)
        return {"verdict": decided.json_object(), "input": as_recorded(seen, look.history)}

    payload = once(
        ports.ledger,
        "verdict",
        f"verdict:{proposal.id}/{proposal.digest}/{phase}/{thread.judged}",
        decide,
        lambda made: {
            "incident": proposal.incident,
            "proposal": proposal.id,
            "action": proposal.action,
            "target": str(proposal.target),
            "decision": made["verdict"]["decision"],
        },
    )
    verdict = asked_anew(Verdict.model_validate(payload["verdict"]), proposal, thread.edit)
    return verdict, parse_rfc3339(payload["input"]["now"])


def asked_anew(verdict: Verdict, proposal: Proposal, edit: Edit | None) -> Verdict:
    """What a person has edited is never done on the policies' word alone: somebody else has to approve it."""
    if not proposal.edited_by or edit is None or verdict.decision is not Decision.ALLOW:
        return verdict
    said = f"{', '.join(proposal.edited_by)} changed what the agent asked for"
    reason = Reason(code="approval.edited", message=said, remedy="Somebody else approves or rejects it")
    changed = {"decision": Decision.ESCALATE, "reasons": (*verdict.reasons, reason), "approval": edit.requirement}
    return verdict.model_copy(update=changed)


def _ask_again(thread: Thread, stage: str, ports: Ports) -> Move:
    patient = thread.judged < ENGINE_TRIES
    if not patient and not _only_waiting_is_left(thread):
        why = _why(thread.verdict)
        if thread.on_refusal == "continue":  # what comes next is asked about for as long: nobody is told for an hour
            _call(thread, ports)
        if stage == "judge_again":
            return _withdrawn(thread, _of(thread), why)
        return Next("propose", refused(thread, IncidentState.REFUSED, why))
    if _away_s(thread) >= _call_after_s(thread, ports):
        _call(thread, ports)
    until = ports.clock.now() + timedelta(seconds=ENGINE_RETRY_S if patient else ENGINE_AWAY_RETRY_S)
    return Wait(until, "no decision from the policy engine", thread)


def _away_s(thread: Thread) -> int:
    """For how long this proposal has been asked about in vain."""
    patiently = min(thread.judged, ENGINE_TRIES)
    return patiently * ENGINE_RETRY_S + (thread.judged - patiently) * ENGINE_AWAY_RETRY_S


def _call_after_s(thread: Thread, ports: Ports) -> int:
    """An engine that answers with errors hears no call of a person either: that one is not waited for as long again."""
    codes = {reason.code for reason in thread.verdict.reasons} if thread.verdict else set()
    if codes <= _ENGINE_AWAY:
        return ports.call_when_away_s
    given_up_on = thread.ending is IncidentState.REFUSED and thread.statement.startswith("policy.")
    return 0 if given_up_on else min(ports.call_when_away_s, ENGINE_TRIES * ENGINE_RETRY_S)


def _call(thread: Thread, ports: Ports) -> None:
    """Once a day, however many incidents wait for it."""
    now = ports.clock.now()
    opened = ports.incidents.get(thread.incident)
    about = f"; {thread.incident}: {opened.symptom.value} on {opened.subject}" if opened is not None else ""
    message = (
        f"the policy engine has given no decision for {max(1, _away_s(thread) // 60)} minutes or more "
        f"({_why(thread.verdict)}): incidents wait, and nothing is done until it answers{about}"
    )
    call(ports.notifier, ports.ledger, ENGINE, message, key=f"policy-engine-away-{rfc3339(now)[:10]}/notice")


def _only_waiting_is_left(thread: Thread) -> bool:
    """An engine that is away says nothing about this proposal, nor could a person be called past it."""
    codes = {reason.code for reason in thread.verdict.reasons} if thread.verdict else set()
    return codes <= _ENGINE_AWAY or _of(thread).action == "notify"


def _why(verdict: Verdict | None) -> str:
    return "; ".join(f"{r.code}: {r.message}" for r in verdict.reasons) if verdict else ""


def _of(thread: Thread) -> Proposal:
    if thread.proposal is None:
        raise ValueError(f"incident {thread.incident} has no proposal to judge")
    return thread.proposal


def decision(engine: PolicyEngine, seen: JsonObject) -> Verdict:
    """The engine's decision on `policy_input`; whatever is not a clean decision is a deny with its own code."""
    proposal_digest = seen["proposal"]["digest"]
    form = seen.form if isinstance(seen, Written) else canonical(seen)
    about = b"[%s,%s]" % (form, canonical(engine.digest))
    decision_id = "dec-" + sha256(about).hexdigest()[:12]
    try:
        raw = engine.decide(seen)
        return Verdict.model_validate(
            {**raw, "decision_id": decision_id, "policy_digest": engine.digest, "proposal_digest": proposal_digest}
        )
    except PolicyUnavailable as fault:
        reason = Reason(code=fault.code, message=str(fault), remedy="mend the policy engine; nothing is done meanwhile")
    except ValidationError as error:
        reason = Reason(code="policy.ill_typed", message=f"the decision has the wrong form: {error.errors()[0]['msg']}")
    return Verdict(
        decision_id=decision_id,
        decision=Decision.DENY,
        reasons=(reason,),
        policy_digest=engine.digest,
        proposal_digest=proposal_digest,
        obligations=Obligations(),
    )


def engine_failed(verdict: Verdict) -> bool:
    """Denied because there was no decision, not because of one."""
    return any(reason.code.startswith("policy.") for reason in verdict.reasons)
