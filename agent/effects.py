"""One step of a proposal, at most once: intent record, effect, outcome record; undo when a later step fails.

The intent's unique key is digest/step/attempt: its insert is what consumes an approval and starts a step. Whoever
finds the intent there already (a crash) looks at the cluster before doing anything: each patch leaves its mark on the
object, a scale its number, a repair its key. A second worker beside the one that began leaves it alone. No durable
intent, no effect.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.acting import Deed, acting
from agent.doing import Effectors, do, is_done, same_object
from agent.domain.base import parse_rfc3339, rfc3339
from agent.domain.cluster import ClusterView
from agent.domain.proposal import Proposal, Step, Verb
from agent.evidence.lingering import lingering
from agent.ports import (
    AlreadyRecorded,
    Changed,
    ClusterFault,
    Conflict,
    Fault,
    JsonObject,
    Ledger,
    ServerError,
    TooManyRequests,
    Unauthorized,
)

GIVE_UP_AFTER_S = 900  # an intent this old without an effect is given up: the view it was judged on is stale by then
REPAIR_GIVE_UP_AFTER_S = 12 * 3600  # a repair system has outages of hours, and the node waits cordoned; then a person
RIVAL_S = 120  # a worker that lives has said what came of its step long before: a call times out after 30 s
UNDO_GIVE_UP_AFTER_S = 4 * 3600  # half done is worse than done: what stops an undo is a person who has taken over


class StepState(StrEnum):
    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepResult:
    state: StepState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepCall:
    """Which step of which proposal, forwards or back, and when. `since`: when its turn came."""

    proposal: Proposal
    index: int
    now: datetime
    since: datetime
    undo: bool = False
    dry_run: bool = True
    request: str | None = None  # the approval that the first intent consumes

    @property
    def step(self) -> Step:
        step = self.proposal.steps[self.index]
        return _undo_of(step) if self.undo else step

    @property
    def mark(self) -> str:
        return f"{self.proposal.id}/{self.index}{'/undo' if self.undo else ''}"

    @property
    def intent_key(self) -> str:
        return f"intent:{self.proposal.digest}/{self.index}/{'undo' if self.undo else 1}"

    @property
    def give_up_after_s(self) -> int:
        if self.undo:
            return UNDO_GIVE_UP_AFTER_S
        return REPAIR_GIVE_UP_AFTER_S if self.step.verb is Verb.REQUEST_REPAIR else GIVE_UP_AFTER_S

    @property
    def outcome_key(self) -> str:
        return f"outcome:{self.proposal.digest}/{self.index}/{'undo' if self.undo else 1}"


def waiting_for(step: Step, view: ClusterView, since: datetime, now: datetime) -> StepResult:
    """Whether the step may begin: DONE when it may, WAITING, or FAILED past its time-out."""
    wait = step.wait_for
    if wait is None:
        return StepResult(StepState.DONE)
    waited_s = (now - since).total_seconds()
    living = {pod.uid for pod in view.pods.values() if pod.phase in ("Pending", "Running")}
    left = [uid for uid in wait.pods if uid in living] if wait.condition == "pods_gone" else []
    if not left and waited_s >= wait.delay_s:
        return StepResult(StepState.DONE)
    if waited_s >= wait.timeout_s + wait.delay_s:
        staying = lingering([pod for pod in view.pods.values() if pod.uid in left], view)
        return StepResult(StepState.FAILED, f"{len(left)} pods were still there after {wait.timeout_s} s{staying}")
    return StepResult(StepState.WAITING, f"{len(left)} pods are still there" if left else "the delay runs")


def run_step(call: StepCall, through: Effectors, may_begin: Callable[[], bool] = lambda: True) -> StepResult:
    """Runs one step. Raises faults that leave it open whether the effect happened; called again, it finds out.

    `may_begin` is asked last, and once: it uses up what allows the step.
    """
    recorded = through.ledger.find(call.outcome_key)
    if recorded is not None:
        done = recorded["outcome"] in ("succeeded", "undone")
        return StepResult(StepState.DONE if done else StepState.FAILED, str(recorded.get("detail", "")))
    intent = through.ledger.find(call.intent_key)
    if intent is not None:
        started = parse_rfc3339(intent["at"])
        if (call.now - started).total_seconds() < RIVAL_S and not through.ledger.ours(call.intent_key):
            return StepResult(StepState.WAITING, "another worker has started this step")
        return _reconcile(call, through, started)
    held = _dry_run(call, through) if call.dry_run and not call.undo else None
    held = held or _begin(call, through, may_begin)
    return held or _act(call, through, started=call.now)


def _begin(call: StepCall, through: Effectors, may_begin: Callable[[], bool]) -> StepResult | None:
    """Puts the intent on the record; None once it is there, and it is ours to do."""
    if not may_begin():
        return StepResult(StepState.WAITING, "what allowed this step was withdrawn, or used by another worker")
    try:
        through.ledger.record("intent", _intent(call), unique_key=call.intent_key, attributes=_attributes(call))
    except AlreadyRecorded:
        return StepResult(StepState.WAITING, "another worker has started this step")
    through.boundaries.reached("intent")
    return None


def begun_by(call: StepCall, ledger: Ledger) -> bool:
    """Was the step begun by the approval that is in hand?"""
    intent = ledger.find(call.intent_key)
    return intent is not None and call.request is not None and intent.get("request") == call.request


def begun_at(call: StepCall, ledger: Ledger) -> datetime | None:
    """When the step was begun whose end is not known; None where it has ended, or has not begun."""
    if ledger.find(call.outcome_key) is not None:
        return None
    intent = ledger.find(call.intent_key)
    return parse_rfc3339(intent["at"]) if intent is not None else None


def has_happened(call: StepCall, through: Effectors) -> bool:
    """Is the effect of a step that was begun there, whoever waits for its outcome?"""
    return is_done(call.step, call.mark, through)


def abandon(call: StepCall, through: Effectors, why: str) -> StepResult:
    """Ends a step that was begun and has had no effect, on the record."""
    return _outcome(call, through, ok=False, detail=why)


def _reconcile(call: StepCall, through: Effectors, started: datetime) -> StepResult:
    if is_done(call.step, call.mark, through):
        return _outcome(call, through, ok=True, detail="found done after an interruption")
    if (call.now - started).total_seconds() > call.give_up_after_s:
        given_up = f"not done within {call.give_up_after_s} s of its intent; given up{_why_not(call, through)}"
        return _outcome(call, through, ok=False, detail=given_up)
    return _act(call, through, started=started)


def _why_not(call: StepCall, through: Effectors) -> str:
    """What the server says to it now, for whoever is called."""
    try:
        _effect(call, through, dry_run=True)
    except Fault as fault:
        return f": {fault}"
    return ""


def _act(call: StepCall, through: Effectors, *, started: datetime) -> StepResult:
    try:
        how = _effect(call, through, dry_run=False)
    except (TooManyRequests, Conflict, ServerError) as busy:
        if isinstance(busy, Conflict) and not same_object(call.step, through):
            return _outcome(call, through, ok=False, detail=f"the object is another one by now: {busy}")
        if isinstance(busy, Changed) or (isinstance(busy, Conflict) and call.step.version is not None):
            # trying again would not make the look newer
            return _outcome(call, through, ok=False, detail=f"changed since the look, nothing was written: {busy}")
        if (call.now - started).total_seconds() <= call.give_up_after_s:
            return StepResult(StepState.WAITING, f"held off: {busy}")
        return _outcome(call, through, ok=False, detail=f"held off for {call.give_up_after_s} s: {busy}")
    except ClusterFault as refused:
        if not _is_refusal(refused):
            raise
        return _outcome(call, through, ok=False, detail=f"{type(refused).__name__}: {refused}")
    through.boundaries.reached("effect")
    return _outcome(call, through, ok=True, detail=how)


def _dry_run(call: StepCall, through: Effectors) -> StepResult | None:
    try:
        _effect(call, through, dry_run=True)
    except (TooManyRequests, Conflict, ServerError) as busy:
        if isinstance(busy, Conflict) and not same_object(call.step, through):
            return StepResult(StepState.FAILED, f"the object is another one by now: {busy}")
        if isinstance(busy, Changed) and call.index > 0:  # what was begun is not judged anew
            return StepResult(StepState.FAILED, f"changed since the look, nothing was written: {busy}")
        wait = call.step.wait_for
        held_off_s = (call.now - call.since).total_seconds() - (wait.timeout_s + wait.delay_s if wait else 0)
        if held_off_s > call.give_up_after_s:
            return StepResult(StepState.FAILED, f"held off for {call.give_up_after_s} s: {busy}")
        return StepResult(StepState.WAITING, f"held off: {busy}")
    except ClusterFault as refused:
        if not _is_refusal(refused):
            raise
        return StepResult(StepState.FAILED, f"the dry run was refused: {refused}")
    return None


def _is_refusal(fault: ClusterFault) -> bool:
    """The server understood and said no. Without an answer nothing is said yet; a fault of its own may be over soon.

    Credentials that it does not accept are no answer to what was asked: tokens expire, and are read again.
    """
    return 400 <= fault.status < 500 and not isinstance(fault, Unauthorized)


def _effect(call: StepCall, through: Effectors, *, dry_run: bool) -> str:
    """Returns what is to be said of how it came about."""
    with acting(Deed(call.proposal.incident, call.proposal.action, call.mark)):
        return do(call.step, call.mark, through, dry_run=dry_run)


def _outcome(call: StepCall, through: Effectors, *, ok: bool, detail: str = "") -> StepResult:
    last = call.undo or call.index == len(call.proposal.steps) - 1
    good, bad = ("undone", "undo_failed") if call.undo else ("succeeded", "failed")
    outcome = good if ok else bad
    payload = {**_about(call), "outcome": outcome, "detail": detail, "final": last or not ok}
    attributes = {**_attributes(call), "outcome": outcome}
    with suppress(AlreadyRecorded):  # the same step, the same end: whoever wrote it first saw the same effect
        through.ledger.record("outcome", payload, unique_key=call.outcome_key, attributes=attributes)
    through.boundaries.reached("outcome")
    return StepResult(StepState.DONE if ok else StepState.FAILED, detail)


def _about(call: StepCall) -> JsonObject:
    proposal = call.proposal
    return {
        "proposal": proposal.id,
        "incident": proposal.incident,
        "digest": proposal.digest,
        "action": proposal.action,
        "target": proposal.target.json_object(),
        "parameters": dict(proposal.parameters),
        "tenant": proposal.tenant,
        "step": call.index,
        "undo": call.undo or proposal.undoes is not None,
        "undoes": proposal.undoes or (proposal.id if call.undo else None),
        "at": rfc3339(call.now),
    }


def _intent(call: StepCall) -> JsonObject:
    step = call.step
    return {
        **_about(call),
        "request": call.request,
        "verb": step.verb.value,
        "object": step.target.json_object(),
        "body": dict(step.body),
        "blast_radius": call.proposal.blast_radius.json_object(),
    }


def _attributes(call: StepCall) -> dict[str, str]:
    proposal = call.proposal
    return {
        "incident": proposal.incident,
        "proposal": proposal.id,
        "action": proposal.action,
        "target": str(proposal.target),
        **({"tenant": proposal.tenant} if proposal.tenant else {}),
    }


def _undo_of(step: Step) -> Step:
    if step.undo is None:
        raise ValueError(f"a step on {step.target} has no undo")
    wrote = None if step.seen is None else {name: step.body[name] for name in step.seen if name in step.body}
    changed = {"body": step.undo, "undo": None, "wait_for": None, "version": None, "seen": wrote}
    return step.model_copy(update=changed)
