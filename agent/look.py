"""One fresh look at an incident: the cluster, the facts, and the proposal that the playbook would make of them now.

Every stage that decides something takes its own look; none trusts what an earlier one saw. A proposal made twice from
an unchanged world has the same digest, which is how drift is noticed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from agent.actions.base import Wish, build_proposal
from agent.actions.catalogue import CATALOGUE
from agent.domain.cluster import ClusterView, ObjectRef, WorkloadClass
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.domain.outcome import PastAction
from agent.domain.proposal import Prediction, Proposal, Refusal
from agent.domain.thread import Edit
from agent.evidence.contradiction import stops_nobody
from agent.evidence.facts import Facts, gather
from agent.evidence.foresight import foretold
from agent.evidence.look_facts import Others
from agent.evidence.services import requests_waiting
from agent.evidence.stakes import at_stake
from agent.evidence.xid import REPEAT_WINDOW_S
from agent.ports import Forecaster, Metrics, PlaybookMatch, Ports, Remedy, RepairUnavailable

TAKES_BACK = frozenset({"uncordon_node"})  # undoes an earlier action of the agent's own
HISTORY_S = 7 * 24 * 3600  # as far back as attempt caps count


@dataclass(frozen=True, slots=True)
class Look:
    incident: Incident
    view: ClusterView
    facts: Facts
    history: Sequence[PastAction]
    now: datetime


def look_at(incident_id: str, ports: Ports) -> Look:
    """Raises ClusterFault when the API server does not answer; missing metrics are facts, not faults."""
    incident = ports.incidents.get(incident_id)
    if incident is None:
        raise LookupError(f"incident {incident_id} is not in the store")
    now = ports.clock.now()
    view = ports.views.take()
    history = ports.ledger.past_actions(now - timedelta(seconds=HISTORY_S))
    facts = gather(
        incident,
        view,
        ports.metrics,
        ports.forecaster,
        now,
        history,
        idle_minimum_s=ports.idle_minimum_s,
        others=Others(tuple(_under_repair(incident, history, ports)), _before(incident, now, ports)),
        thresholds=ports.thresholds,
    )
    return Look(incident, view, facts, history, now)


def _before(incident: Incident, now: datetime, ports: Ports) -> tuple[Incident, ...]:
    """Those before it of the same key: what ended at once the first time may mean something the second time."""
    since = now - timedelta(seconds=REPEAT_WINDOW_S)
    return tuple(each for each in ports.incidents.closed_since(incident.key, since) if each.id != incident.id)


def explained(match: PlaybookMatch, look: Look) -> Diagnosis:
    """A playbook's word, with what was seen."""
    return Diagnosis(
        incident=look.incident.id,
        cause=match.cause,
        statement=match.statement,
        source=f"playbook:{match.playbook}",
        playbook=match.playbook,
        confidence=match.confidence,
        evidence=look.facts.evidence,
        facts=look.facts.values,
    )


def _under_repair(incident: Incident, history: Sequence[PastAction], ports: Ports) -> list[str]:
    """Repairs of this node that other incidents asked for and that still run. A repair system that does not answer
    takes no request either, so nothing is lost by not knowing."""
    asked = [
        past
        for past in history
        if past.action == "request_node_repair"
        and (past.target.kind, past.target.name) == (incident.subject.kind, incident.subject.name)
        and past.incident != incident.id
        and past.proposal
        and past.helped is not True
    ]
    try:
        running = [past for past in asked if ports.repairs.state(f"{past.proposal}/0") == "pending"]
    except RepairUnavailable:
        return []
    return [f"{past.parameters.get('operation')} asked for by {past.incident}" for past in running]


def remedy_key(remedy: Remedy | Proposal) -> str:
    """What counts as the same remedy within one incident: a reset and a reboot of one node are two, as are the resets
    of two of its GPUs. An owner who was told stands for nobody on duty: that call is another."""
    key = f"{remedy.action} {remedy.target}"
    if remedy.action == "notify" and remedy.parameters.get("audience") == "owner":
        return f"{key} owner"
    if remedy.action != "request_node_repair":
        return key
    operation = remedy.parameters.get("operation")
    return (
        f"{key} {operation} {remedy.parameters.get('gpu_uuid')}" if operation == "reset_gpu" else f"{key} {operation}"
    )


def remedies_of(diagnosis: Diagnosis, look: Look, ports: Ports) -> list[Remedy]:
    """What the playbook asks for now, or what the model suggested: of these the first refusal is the last word."""
    if diagnosis.playbook is not None:
        wanted = ports.playbooks.remedies(diagnosis.playbook, look.facts.values)
        contradicted = (look.facts.values["node"] or {}).get("contradicted", False)
        return [r for r in wanted if not contradicted or stops_nobody(r.action, r.parameters)]
    return [Remedy(r.action, r.target, r.parameters, r.statement, "stop") for r in diagnosis.remedies]


def with_edit(remedies: Sequence[Remedy], edit: Edit | None) -> list[Remedy]:
    """The remedies, one of them as a person wants it."""
    return [_as_edited(r, edit) if edit is not None and remedy_key(r) == edit.remedy else r for r in remedies]


def _as_edited(remedy: Remedy, edit: Edit) -> Remedy:
    merged = {**remedy.parameters, **edit.changes}
    kept = {name: value for name, value in merged.items() if value is not None}
    return replace(remedy, parameters=kept, edited_by=edit.editors)


def proposals(
    remedies: Sequence[Remedy], diagnosis: Diagnosis, look: Look, round_number: int, ports: Ports
) -> Iterator[tuple[Remedy, Proposal | Refusal]]:
    """Each remedy as a proposal, or why it cannot be one."""
    for remedy in remedies:
        yield remedy, _proposal(remedy, diagnosis, look, round_number, ports)


def _proposal(remedy: Remedy, diagnosis: Diagnosis, look: Look, round_number: int, ports: Ports) -> Proposal | Refusal:
    action = CATALOGUE.get(remedy.action)
    if action is None:
        return Refusal(code="action.unknown", message=f"there is no action {remedy.action!r}", remedy="see actions/")
    wish = Wish(
        target=remedy.target,
        parameters=remedy.parameters,
        statement=remedy.statement,
        tenant=tenant_of(remedy.target, ports.tenants),
        undoes=remedy.undoes,
    )
    seen_now = diagnosis.model_copy(update={"evidence": look.facts.evidence})
    made = build_proposal(action, look.incident, round_number, wish, look.view, seen_now)
    if isinstance(made, Refusal):
        return made
    unheeded = _unheeded(made, ports)
    if unheeded is not None:
        return unheeded
    told = _predicted(remedy, made, look.view, ports.forecaster)
    prediction = _with_requests(told, look, ports.metrics) if told else None
    foretold_too = made.model_copy(update={"prediction": prediction, "edited_by": remedy.edited_by})
    stakes = at_stake(foretold_too, look.view, look.now, lambda ref: tenant_of(ref, ports.tenants))
    return foretold_too.model_copy(update={"at_stake": stakes})


def _unheeded(made: Proposal, ports: Ports) -> Refusal | None:
    """A lever that nobody would act on is not pulled. What takes something back may be written all the same."""
    why = next((why for step in made.steps if (why := ports.unheeded(step.target))), "") if made.undoes is None else ""
    remedy = "mend it, then the incident is looked at anew; `watchkeeper doctor` says more"
    said = f"{made.action} would do nothing: {why}"
    return Refusal(code="precondition.unheeded", message=said, remedy=remedy) if why else None


def _predicted(remedy: Remedy, made: Proposal, view: ClusterView, forecaster: Forecaster) -> Prediction | None:
    if made.action == "notify":
        return None
    changes, forecast, why_not = action_changes(remedy), None, ""
    try:
        forecast = forecaster.what_if(view, changes)
    except ValueError as error:  # what the scheduler does not know; what is not there, the action itself refused
        why_not = str(error).removeprefix("what-if: ")
    if forecast is not None and not changes:  # that some wait, or start anyway, has nothing to do with it
        forecast = Prediction(gpus=forecast.gpus)
    return foretold(made, forecast, why_not, view)


def _with_requests(told: Prediction, look: Look, metrics: Metrics) -> Prediction:
    """How many requests wait for the services that it touches, where somebody knows."""
    if not told.services:
        return told
    serving = {str(ref): ref for ref, w in look.view.workloads.items() if w.workload_class is WorkloadClass.SERVING}
    services = tuple(
        each.model_copy(update={"requests_waiting": requests_waiting(look.view, serving[each.ref], metrics, look.now)})
        if each.ref in serving
        else each
        for each in told.services
    )
    return told.model_copy(update={"services": services})


def action_changes(remedy: Remedy) -> list[Mapping[str, object]]:
    """What the remedy changes, in the forecaster's words; nothing where that is not the scheduler's business."""
    told = (_CHANGES if remedy.undoes is None else _CHANGES_BACK).get(remedy.action)
    return [told(remedy.target, remedy.parameters)] if told is not None else []


_CHANGES: Mapping[str, Callable[[ObjectRef, Mapping[str, Any]], Mapping[str, object]]] = {
    "requeue_gang": lambda target, given: {"requeue": target, "exclude_nodes": list(given.get("exclude_nodes", ()))},
    "cordon_node": lambda target, given: {"cordon": target.name},
    "uncordon_node": lambda target, given: {"uncordon": target.name},
    "reserve_capacity": lambda target, given: {"reserve": target, "nodes": list(given.get("nodes", ()))},
    "defragment": lambda target, given: {"defragment": target, "moves": list(given.get("moves", ()))},
    "drain_node": lambda target, given: {"drain": target.name},
    "evict_pod": lambda target, given: {"evict": target},
    "reclaim_idle_gpu": lambda target, given: {"remove": target},
    "deactivate_workload": lambda target, given: {"activate": target, "active": False},
    "activate_workload": lambda target, given: {"activate": target, "active": True},
    "hold_queue": lambda target, given: {"stop": target, "policy": "HoldAndDrain" if given.get("drain") else "Hold"},
    "resume_queue": lambda target, given: {"stop": target, "policy": "None"},
    "set_queue_quota": lambda target, given: {"quota": target, **given},
    "scale_workload": lambda target, given: {"scale": target, "replicas": given.get("replicas")},
}
_CHANGES_BACK: Mapping[str, Callable[[ObjectRef, Mapping[str, Any]], Mapping[str, object]]] = {
    "cordon_node": _CHANGES["uncordon_node"],
    "drain_node": _CHANGES["uncordon_node"],
    "deactivate_workload": _CHANGES["activate_workload"],
    "activate_workload": _CHANGES["deactivate_workload"],
    "hold_queue": _CHANGES["resume_queue"],
}


def tenant_of(target: ObjectRef, tenants: Mapping[str, Sequence[str]]) -> str:
    """The tenant whose namespaces include the target's; a namespace that nobody declared is a tenant of its own."""
    if target.namespace is None:
        return ""
    return next((name for name, spaces in tenants.items() if target.namespace in spaces), target.namespace)
