"""What a proposal's record says will come of it: the scheduler's forecast, the services it touches, what nobody knows.

A proposal whose effect no scheduler can tell says what can be told all the same: how many pods of a service may be
down at once, which GPUs are out of use. What is not known is said in words and never guessed as a number.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from agent.domain.cluster import ClusterView, Workload
from agent.domain.forecast import Gpus, ServiceForecast
from agent.domain.proposal import Prediction, Proposal, Verb
from agent.evidence.lookup import find_gang, in_order
from agent.evidence.services import down_at_once, floor_of, ready_pods

LISTED = 8  # names in one list of a record: what a person reads; the rest is counted
ROLLED = frozenset({"restart_workload", "rollback_workload"})


def foretold(proposal: Proposal, forecast: Prediction | None, why_not: str, view: ClusterView) -> Prediction | None:
    """None for what changes nothing. `why_not`: why the scheduler has no forecast, where it has none."""
    if all(step.verb is Verb.NOTIFY for step in proposal.steps):
        return None
    told = forecast or Prediction()
    named = proposal.blast_radius.workloads
    touched = [w for w in in_order(view.workloads) if str(w.ref) in named and find_gang(view, w.ref) is None]
    moved = {service.ref: service for service in told.services}
    for workload in touched:
        moved[str(workload.ref)] = _service(proposal, workload, moved.get(str(workload.ref)), forecast, view)
    unknown = (*told.not_foretold, *([why_not] if why_not else []), *_unknown(proposal))
    whole = told.model_copy(
        update={"services": tuple(moved[ref] for ref in sorted(moved)), "not_foretold": tuple(dict.fromkeys(unknown))}
    )
    return bounded(_with_idle(whole, proposal), {str(proposal.target), *proposal.blast_radius.gangs})


def bounded(told: Prediction, named: Collection[str]) -> Prediction:
    """What is listed of it: those that it is about come first, the rest is counted."""
    about = {*named, *told.stops, *told.delays}
    pending = sorted(told.gangs_pending, key=lambda name: (name not in about, name))[:LISTED]
    waits = {name: wait_s for name, wait_s in told.waits_at_most_s.items() if name in pending}
    kept: dict[str, Any] = {"gangs_pending": {n: told.gangs_pending[n] for n in pending}, "waits_at_most_s": waits}
    left_out = {"gangs_pending": len(told.gangs_pending) - len(pending)}
    for name in ("gangs_started", "starts", "stops", "delays", "queues", "services"):
        listed: tuple[object, ...] = getattr(told, name)
        kept[name] = listed[:LISTED]
        left_out[name] = len(listed) - len(listed[:LISTED])
    listed_gangs = {*kept["starts"], *kept["stops"], *kept["delays"]}
    kept["gpus_of"] = {name: gpus for name, gpus in told.gpus_of.items() if name in listed_gangs}
    kept["left_out"] = {name: count for name, count in left_out.items() if count}
    return told.model_copy(update=kept)


def _with_idle(told: Prediction, proposal: Proposal) -> Prediction:
    """Whoever proposes to reclaim GPUs has found them idle."""
    if proposal.action != "reclaim_idle_gpu" or proposal.undoes is not None or told.gpus is None:
        return told
    idle = proposal.blast_radius.gpus
    held = {"before": _more_idle(told.gpus.before, idle), "without": _more_idle(told.gpus.without, idle)}
    return told.model_copy(update={"gpus": told.gpus.model_copy(update=held)})


def _more_idle(gpus: Gpus, idle: int) -> Gpus:
    return gpus.model_copy(update={"idle_held": gpus.idle_held + idle})


def _service(
    proposal: Proposal,
    workload: Workload,
    moved: ServiceForecast | None,
    forecast: Prediction | None,
    view: ClusterView,
) -> ServiceForecast:
    ready = len(ready_pods(view, workload.ref))
    wanted = _wanted(proposal, workload)
    after = moved.ready_after if moved else _ready_after(proposal, ready, forecast)
    least = floor_of(view, workload.ref)
    worst = min([ready - _down(proposal, workload, view), *([after] if after is not None else [])])
    return ServiceForecast(
        ref=str(workload.ref),
        wanted=wanted,
        ready_before=ready,
        ready_at_worst=max(0, worst),
        ready_after=after,
        minimum=least,
    )


def _ready_after(proposal: Proposal, ready: int, forecast: Prediction | None) -> int | None:
    """As many as now where the scheduler finds every pod its node again; whether new ones get ready nobody knows."""
    known = forecast is not None and proposal.action not in ROLLED and proposal.undoes is None
    return ready if known else None


def _wanted(proposal: Proposal, workload: Workload) -> int | None:
    """As the steps write it; else as it is."""
    scaled = [s.body.get("replicas") for s in proposal.steps if s.verb is Verb.SCALE and s.target == workload.ref]
    return next((each for each in scaled if isinstance(each, int)), workload.replicas)


def _down(proposal: Proposal, workload: Workload, view: ClusterView) -> int:
    """How many of its ready pods may be gone at one time while it is done."""
    ready = ready_pods(view, workload.ref)
    if proposal.action in ROLLED:
        return down_at_once(view, workload.ref, workload.replicas or len(ready))
    evicted = {step.target for step in proposal.steps if step.verb is Verb.EVICT}
    nodes = proposal.blast_radius.nodes if proposal.destructive else ()
    gone = sum(pod.ref in evicted or pod.node in nodes for pod in ready)
    least = floor_of(view, workload.ref)
    held_back = evicted and least is not None  # the Eviction API waits for the budget
    return min(gone, len(ready) - least) if held_back and least is not None else gone


def _unknown(proposal: Proposal) -> Iterable[str]:
    if proposal.undoes is not None:
        return ("whether there is room again for what comes back",) if proposal.action == "reclaim_idle_gpu" else ()
    said = _UNKNOWN.get(proposal.action)
    return (said(proposal),) if said else ()


_UNKNOWN: Mapping[str, Callable[[Proposal], str]] = {
    "request_node_repair": lambda p: f"how long {p.parameters.get('operation')} takes, and whether it heals the node",
    "restart_workload": lambda p: "whether the new pods become ready",
    "rollback_workload": lambda p: "whether the pods of that revision become ready",
}
