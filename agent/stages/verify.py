"""Did the cluster get better? The action's own success test, on fresh views, until it holds or its time is over; then
what was predicted is compared with what came of it.

Telemetry lags behind: a gauge read right after a repair is a sample from before it. So a repair is only believed when
the node's fault no longer shows; while a sample can still be from before it, that is waited for.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.actions.base import Success, step_key
from agent.actions.catalogue import CATALOGUE
from agent.domain.base import parse_rfc3339, rfc3339
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import IncidentState
from agent.domain.outcome import Foreseen, Verification
from agent.domain.proposal import Proposal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.evidence.foreseen import AWAITED, foreseen, in_vain, promised
from agent.evidence.repairs import REPAIRS
from agent.look import look_at
from agent.ports import Ports
from agent.recording import once
from agent.trust import watch_breaker

LOOK_EVERY_S = 30
STARTS_WITHIN_S = 900  # a gang that was promised its start pulls the image of its training first
AFTERWARDS_S = 120  # what else was predicted is watched for so long; the next remedy does not wait longer for that
SETTLE_S = 330  # Prometheus looks back at most 300 s: past this, no read returns a sample from before the action
HEARD_S = 900  # a scrape comes within a minute; a counter that was stuck counts as moving after some of them
PAST = datetime.min.replace(tzinfo=UTC)  # always past: nothing to wait for


@dataclass(frozen=True, slots=True)
class _Finding:
    """How it stands now. Up to `until` another look may say otherwise."""

    success: Success
    until: datetime
    why: str
    seen: tuple[Foreseen, ...] = ()


def verify(thread: Thread, ports: Ports) -> Move:
    proposal, since = thread.proposal, thread.since
    if proposal is None or since is None:
        raise ValueError(f"incident {thread.incident} has nothing to verify")
    now, view = ports.clock.now(), ports.views.take()
    deadline = since + timedelta(seconds=_within_s(thread, proposal))
    success = CATALOGUE[proposal.action].succeeded(proposal, view, now, ports.repairs.state)
    if success.done:
        thread = thread.but(good_since=thread.good_since or now)
    found = _repaired(thread, proposal, success, ports) or _heard(thread, proposal, success, ports)
    found = found or _tested(thread, proposal, success, deadline)
    if found.success.done:
        found = _compared(thread, proposal, found, view, deadline, ports)
    if now < found.until:
        return Wait(min(now + timedelta(seconds=LOOK_EVERY_S), found.until), found.why, thread)
    return _concluded(thread, proposal, found, ports)


def _within_s(thread: Thread, proposal: Proposal) -> int:
    """As long as the action needs at most, and no longer than the verdict obliges."""
    own = CATALOGUE[proposal.action].verify_within_s
    return min(own, thread.verdict.obligations.verify_within_s) if thread.verdict else own


def _tested(thread: Thread, proposal: Proposal, success: Success, deadline: datetime) -> _Finding:
    """By the action's own test. What held once is believed, for others may change it later; of a repair it is not."""
    held = thread.good_since
    if success.done is not None or held is None or proposal.parameters.get("operation") in REPAIRS:
        return _Finding(success, deadline if success.done is None else PAST, success.statement)
    return _Finding(Success(True, f"it was so at {rfc3339(held)} and is no more: {success.statement}"), PAST, "")


def _repaired(thread: Thread, proposal: Proposal, success: Success, ports: Ports) -> _Finding | None:
    """A repair that is finished and whose fault still shows; None for everything else."""
    held = thread.good_since
    if not success.done or held is None or proposal.parameters.get("operation") not in REPAIRS:
        return None
    if not _fault_shows(thread, proposal, held, ports):
        return None
    still = f"{proposal.parameters['operation']} is finished and the fault still shows"
    why = "the telemetry may still be from before the repair"
    return _Finding(Success(False, still), held + timedelta(seconds=SETTLE_S), why)


def _heard(thread: Thread, proposal: Proposal, success: Success, ports: Ports) -> _Finding | None:
    """An exporter that runs again and whose fault still shows; None for everything else."""
    held = thread.good_since
    if not success.done or held is None or proposal.action not in ("evict_pod", "restart_workload"):
        return None
    exporter = look_at(thread.incident, ports).facts.values.get("exporter") or {}
    if exporter.get("fault", "none") == "none":
        return None
    still = f"the exporter runs again, and {exporter.get('detail')}"
    return _Finding(Success(False, still), held + timedelta(seconds=HEARD_S), "it has not been scraped for long enough")


def _compared(
    thread: Thread, proposal: Proposal, found: _Finding, view: ClusterView, deadline: datetime, ports: Ports
) -> _Finding:
    """What became of the prediction: while something may still come it is waited for, and then told as it is."""
    seen = _what_came(proposal, view, ports)
    missed = any(each.kind in AWAITED and each.came == "missed" for each in seen)
    until = _watched_until(thread, proposal, deadline, ports) if missed else PAST
    success, why = found.success, "what was predicted may still come"
    vain = in_vain(proposal, _subject(thread, proposal, ports), seen, view)
    if CATALOGUE[proposal.action].for_others and vain:
        success = Success(False, f"{success.statement}, and for nothing: {vain}")
    return _Finding(success, until, why, seen)


def _concluded(thread: Thread, proposal: Proposal, found: _Finding, ports: Ports) -> Move:
    statement = found.success.statement
    helped = _record(proposal, bool(found.success.done), statement, found.seen, ports)
    watch_breaker(ports)
    if helped and proposal.action == "notify":
        called = proposal.parameters.get("audience") != "owner"  # an owner is told; whoever is on duty is called
        return Next("propose", thread.but(told=thread.told or called, proposal=None))
    if helped:
        unhelped = "" if proposal.parameters.get("operation") in REPAIRS else thread.unhelped
        return Next("propose", thread.but(helped=(*thread.helped, proposal.id), unhelped=unhelped, proposal=None))
    why = f"{_name(proposal)} did not help: {statement}"
    if _next_rung(thread, proposal, ports):
        return Next("propose", thread.but(unhelped=why, proposal=None))
    failed = thread.but(ending=thread.ending or IncidentState.FAILED, statement=why)
    undoable = not proposal.protective and all(step.undo is not None for step in proposal.steps)
    return Next("undo" if undoable else "propose", failed)


def _what_came(proposal: Proposal, view: ClusterView, ports: Ports) -> tuple[Foreseen, ...]:
    if proposal.prediction is None:
        return ()
    try:
        now = ports.forecaster.what_if(view, [])
    except ValueError:  # an object in the view that the scheduler cannot read
        now = None
    return foreseen(proposal.prediction, view, now)


def _watched_until(thread: Thread, proposal: Proposal, deadline: datetime, ports: Ports) -> datetime:
    """Harm that is kept away is not waited for, and what is promised is waited for longer than the rest."""
    held = thread.good_since or PAST
    if proposal.protective:
        return held
    if CATALOGUE[proposal.action].for_others and promised(proposal, _subject(thread, proposal, ports)):
        return max(deadline, held + timedelta(seconds=STARTS_WITHIN_S))
    return min(deadline, held + timedelta(seconds=AFTERWARDS_S))


def _subject(thread: Thread, proposal: Proposal, ports: Ports) -> ObjectRef:
    incident = ports.incidents.get(thread.incident)
    return incident.subject if incident else proposal.target


def _fault_shows(thread: Thread, proposal: Proposal, repaired_at: datetime, ports: Ports) -> bool:
    """Does the node look sick now, or was it said to be since the repair ended? Another sick GPU than the one that was
    reset says nothing about it."""
    facts = look_at(thread.incident, ports).facts.values
    node, xid = facts.get("node") or {}, facts.get("xid") or {}
    reset, sick = proposal.parameters.get("gpu_uuid"), xid.get("sick_gpus") or []
    if sick and reset is not None and reset not in sick:
        return False
    told_at = node.get("fault_told_at")
    return bool(node.get("fault_shows")) or (told_at is not None and parse_rfc3339(told_at) > repaired_at)


def _next_rung(thread: Thread, proposal: Proposal, ports: Ports) -> bool:
    """May the playbook try what comes after? Only when this repair is over: two at one node are worse than none."""
    by_playbook = thread.diagnosis is not None and thread.diagnosis.playbook is not None
    if proposal.action != "request_node_repair" or thread.ending is not None or not by_playbook:
        return False
    return ports.repairs.state(step_key(proposal, 0)) in ("succeeded", "failed")


def _name(proposal: Proposal) -> str:
    operation = proposal.parameters.get("operation")
    return f"{operation} of {proposal.target.name}" if operation else proposal.action


def _record(proposal: Proposal, helped: bool, statement: str, seen: tuple[Foreseen, ...], ports: Ports) -> bool:
    payload = once(
        ports.ledger,
        "verification",
        f"verification:{proposal.id}",
        lambda: Verification(proposal=proposal.id, helped=helped, statement=statement, foreseen=seen).json_object(),
        lambda made: {
            "incident": proposal.incident,
            "proposal": proposal.id,
            "action": proposal.action,
            "target": str(proposal.target),
            "outcome": "helped" if made["helped"] else "did_not_help",
        },
    )
    return bool(payload["helped"])
