"""Doing it: the proposal's steps in their order, and back again when a later one fails.

How one step is done at most once is in `agent/effects.py`; here is only the order of things, and what a failure means.
Nothing is begun on an old verdict: what was held up before its first step is judged again on a fresh look, and so is
what other policies or levels than those in force have allowed. Nor is anything begun whose obligations cannot all be
fulfilled. A repair system that does not answer is asked again, ever more seldom and each time on a fresh look, while
the node waits.
"""

from datetime import datetime, timedelta
from typing import Any

from agent.doing import Effectors
from agent.domain.covering import stands
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal, Refusal, Step, Verb
from agent.domain.thread import Move, Next, Thread, Wait
from agent.domain.verdict import Obligations
from agent.effects import (
    StepCall,
    StepResult,
    StepState,
    abandon,
    begun_at,
    begun_by,
    has_happened,
    run_step,
    waiting_for,
)
from agent.evidence.canary import GATE_S, canary_of, not_well
from agent.evidence.owed import unfulfillable
from agent.ports import Ports, RepairUnavailable
from agent.recording import tell
from agent.trust import THE_BREAKER, stopped_by, watch_breaker

STEP_RETRY_S = 5
FIRST_STEP_RETRY_S = 30  # each try before anything has begun is judged and recorded anew
AWAY_RETRY_S = (30, 600)  # between two questions to a repair system that is away: the least and the most
AWAY_TOLD_S = 300  # an outage longer than a restart of it is worth a call
FRESH_S = 10  # a verdict older than this was made on a cluster that may be another by now


def execute(thread: Thread, ports: Ports) -> Move:
    """The next step of the proposal; entered again for each."""
    proposal, now = _of(thread), ports.clock.now()
    if thread.step >= len(proposal.steps):
        return Next("verify", thread.but(since=now))
    since = thread.since or now
    thread = thread.but(since=since)
    owed = thread.verdict.obligations if thread.verdict else Obligations()
    call = StepCall(proposal, thread.step, now, since=since, dry_run=owed.dry_run, request=thread.request)
    try:
        held_back = _held_back(thread, call, owed, ports)
        if held_back is not None:
            return held_back
        result = waiting_for(call.step, ports.views.take(), since, now)
        if result.state is StepState.DONE:
            result = run_step(call, Effectors.of(ports), lambda: _may_begin(thread, ports))
    except RepairUnavailable as away:
        return _ask_later(thread, call, away, ports)
    if result.state is not StepState.WAITING:
        watch_breaker(ports)
    if thread.step == 0 and thread.request is not None and result.state is not StepState.WAITING:
        ports.desk.close(thread.request, "consumed")
    return _after(thread, proposal, result, now)


def _may_begin(thread: Thread, ports: Ports) -> bool:
    """An approval is used up by the first step and by nothing else: whoever withdrew it before was in time. So was
    whoever froze the agent while the dry run was asked."""
    if not _goes_on_frozen(_of(thread)) and stopped_by(ports) is not None:
        return False
    return thread.step > 0 or thread.request is None or ports.desk.consume(thread.request)


def _after(thread: Thread, proposal: Proposal, result: StepResult, now: datetime) -> Move:
    match result.state:
        case StepState.WAITING:
            retry_s = STEP_RETRY_S if thread.step else FIRST_STEP_RETRY_S
            return Wait(now + timedelta(seconds=retry_s), result.detail, thread)
        case StepState.DONE:
            return Next("execute", thread.but(step=thread.step + 1, since=now))
        case StepState.FAILED:
            why = f"step {thread.step + 1} of {proposal.action} on {proposal.target} failed: {result.detail}"
            return _after_failure(thread, proposal, why, now)


def _held_back(thread: Thread, call: StepCall, owed: Obligations, ports: Ports) -> Move | None:
    under_way = _under_way(call, ports)
    stop = None if _goes_on_frozen(call.proposal) else stopped_by(ports)
    if stop is not None and not (under_way and has_happened(call, Effectors.of(ports))):
        return _stopped(thread, call, stop, ports, begun=under_way)
    if not under_way and thread.step == 0:
        return _before_the_first(thread, call.proposal, owed, ports)
    return _canary_gate(thread, call, ports)


def _goes_on_frozen(proposal: Proposal) -> bool:
    return proposal.action in ("notify", "uncordon_node")


def _stopped(thread: Thread, call: StepCall, stop: str, ports: Ports, *, begun: bool) -> Move:
    """Before anything is begun the policies say no. Later the rest is left undone, and so is a step that was held off
    and would be tried again; nothing is taken back either: the agent is to do nothing, by a person's word or because
    it has done too much already."""
    if thread.step == 0 and not begun:
        return Next("judge_again", thread)
    proposal, done = call.proposal, f"{thread.step} of {len(call.proposal.steps)} steps are done"
    why = f"{proposal.action} on {proposal.target} was stopped by {stop}: {done}, and stand as they are"
    abandon(call, Effectors.of(ports), why)
    return Next("propose", thread.but(ending=IncidentState.FAILED, statement=why, proposal=None, since=call.now))


def _before_the_first(thread: Thread, proposal: Proposal, owed: Obligations, ports: Ports) -> Move | None:
    """What has to be so before anything is begun: a verdict of now, and every obligation one that can be fulfilled."""
    now = ports.clock.now()
    if _old_verdict(thread, ports) or not _still_approved(thread, proposal, ports):
        return Next("judge_again", thread)
    refusal = unfulfillable(proposal, owed)
    if refusal is not None:
        return Next("cancel", _refused(thread, f"{refusal.code}: {refusal.message} {refusal.remedy}"))
    told = thread.notice_at
    if owed.notice_s and (told is None or now < told + timedelta(seconds=owed.notice_s)):
        return Next("notice", thread)
    if owed.canary and thread.canary is None:
        found = canary_of(proposal, ports.views.take())
        return Next("execute", thread.but(canary=found)) if found is not None else None
    return None


def _refused(thread: Thread, why: str) -> Thread:
    """As a deny is: the end of the incident, unless its playbook can do without."""
    refused = thread.but(statement=why)
    if thread.on_refusal == "continue" or thread.ending is not None:
        return refused
    return refused.but(ending=IncidentState.REFUSED)


def _canary_gate(thread: Thread, call: StepCall, ports: Ports) -> Move | None:
    """The first object has to be well again before the next is touched; past its time the whole has failed."""
    canary = thread.canary
    if canary is None or thread.step != canary.gate:
        return None
    why = not_well(canary, ports.views.take())
    if not why:
        return None
    if (call.now - call.since).total_seconds() < GATE_S:
        return Wait(call.now + timedelta(seconds=STEP_RETRY_S), f"canary: {why}", thread)
    failed = f"{call.proposal.action} on {call.proposal.target} stopped after the first: {why} after {GATE_S} s"
    return _after_failure(thread, call.proposal, failed, call.now)


def _under_way(call: StepCall, ports: Ports) -> bool:
    """Was the step begun, so that its end has to be found out? A repair system that was away and knows nothing of our
    request was never asked. Raises RepairUnavailable."""
    if ports.ledger.find(call.intent_key) is None:
        return False
    asks = call.step.verb is Verb.REQUEST_REPAIR and begun_at(call, ports.ledger) is not None
    return not asks or ports.repairs.state(call.mark) != "unknown"


def _ask_later(thread: Thread, call: StepCall, away: RepairUnavailable, ports: Ports) -> Move:
    """The intent stands, and the node with it. A person is told early, and called when the bound is reached."""
    waited_s = (call.now - (begun_at(call, ports.ledger) or call.now)).total_seconds()
    if waited_s > call.give_up_after_s:
        ended = abandon(call, Effectors.of(ports), f"the repair system was away for {call.give_up_after_s} s")
        why = f"{call.proposal.action} on {call.proposal.target} failed: {ended.detail}"
        return _after_failure(thread, call.proposal, why, call.now)
    if waited_s >= AWAY_TOLD_S and not thread.away_told:
        operation = call.proposal.parameters.get("operation")
        message = f"{thread.incident}: {operation} of {call.proposal.target} waits: {away}; it is asked again"
        key = f"{thread.incident}/repair-away"
        tell(ports.notifier, ports.ledger, "oncall", call.proposal.target, message, key=key)
        thread = thread.but(away_told=True)
    least_s, most_s = AWAY_RETRY_S
    until = call.now + timedelta(seconds=min(max(waited_s / 2, least_s), most_s))
    return Wait(until, f"the repair system is away: {away}", thread)


def _still_approved(thread: Thread, proposal: Proposal, ports: Ports) -> bool:
    """Where somebody was asked: is the yes there, by the log's word?"""
    if thread.request is None:
        return True
    request, now = ports.desk.proven(thread.request), ports.clock.now()
    first = StepCall(proposal, 0, now, since=now, request=thread.request)
    return not isinstance(request, Refusal) and stands(request, begun=begun_by(first, ports.ledger))


def _old_verdict(thread: Thread, ports: Ports) -> bool:
    """Was the proposal judged so long ago that it must not begin now? Or by what is not in force any more: other
    policies, or other levels that were granted or lost."""
    if thread.verdict is None or thread.judged_at is None or thread.verdict.policy_digest != ports.policy.digest:
        return True
    now = ports.clock.now()
    old = (now - thread.judged_at).total_seconds() > FRESH_S
    return old or ports.ledger.standing().changed_between(thread.judged_at, now)


def undo(thread: Thread, ports: Ports) -> Move:
    """Takes back the steps that were done, last first. What cannot be taken back is said to the person called."""
    proposal, now = _of(thread), ports.clock.now()
    if thread.step == 0:
        ending = IncidentState.ROLLED_BACK if thread.ending is IncidentState.FAILED else thread.ending
        return Next("propose", thread.but(ending=ending, proposal=None))
    index = thread.step - 1
    stop = None if _goes_on_frozen(proposal) else stopped_by(ports)
    if stop is not None and not (stop == THE_BREAKER and _gives_back(proposal.steps[index])):
        why = f"{thread.statement}; it is not taken back, for the agent is stopped by {stop}"
        return Next("propose", thread.but(ending=IncidentState.FAILED, statement=why, proposal=None))
    if proposal.steps[index].undo is None:
        return Next("undo", thread.but(step=index))
    result = run_step(StepCall(proposal, index, now, since=now, undo=True), Effectors.of(ports))
    match result.state:
        case StepState.WAITING:
            return Wait(now + timedelta(seconds=STEP_RETRY_S), result.detail, thread)
        case StepState.DONE:
            return Next("undo", thread.but(step=index))
        case StepState.FAILED:
            why = f"{thread.statement}; taking it back failed: {result.detail}"
            return Next("propose", thread.but(ending=IncidentState.FAILED, statement=why, proposal=None))


def _gives_back(step: Step) -> bool:
    """Would its undo only let pods onto a node again, or is there nothing to take back? The breaker stops neither."""
    if step.undo is None:
        return True
    spec: Any = step.undo.get("spec") or {}
    return step.target.kind == "Node" and "unschedulable" in spec and not spec["unschedulable"]


def _after_failure(thread: Thread, proposal: Proposal, why: str, now: datetime) -> Move:
    """A notice that could not be given ends nothing; anything else that failed is taken back and a person called."""
    if proposal.action == "notify" or thread.ending is not None:
        return Next("propose", thread.but(proposal=None, since=now))
    failed = thread.but(ending=IncidentState.FAILED, statement=why, since=now)
    done = proposal.steps[: thread.step]
    return Next("undo" if any(step.undo is not None for step in done) else "propose", failed)


def _of(thread: Thread) -> Proposal:
    if thread.proposal is None:
        raise ValueError(f"incident {thread.incident} has no proposal to execute")
    return thread.proposal
