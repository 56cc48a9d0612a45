"""Whose work a proposal stops, and how much of it is lost: from when each pod started, or from the checkpoint that its
owner tells of. Nobody tells how much was saved otherwise, so it is what is lost at most, and is called so.

Pure. That it is shown is left to the pages, and whether it is worth it to the policies and to people.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, GangState, ObjectRef, Pod, WorkloadClass
from agent.domain.proposal import Proposal, Verb
from agent.domain.stake import Stake, StakeKind
from agent.evidence.lookup import active_pods, find_gang, find_workload, in_order, pods_of, raw_object, tenant_pods_on

LAST_CHECKPOINT = "watchkeeper.dev/last-checkpoint"
"""On the gang, its job or a pod: when its work was saved last, RFC 3339. Told by whoever knows: the training itself."""

HOUR_S = 3600


def at_stake(
    proposal: Proposal, view: ClusterView, now: datetime, tenant: Callable[[ObjectRef], str]
) -> tuple[Stake, ...]:
    """One for each whose pods stop, by it or by what the scheduler does then; none where nobody's do."""
    theirs: dict[ObjectRef, list[Pod]] = {}
    stopped = _stopped(proposal, view, now)
    for pod in (*stopped, *_pushed_out(proposal, view, {pod.ref for pod in stopped})):
        theirs.setdefault(pod.gang or pod.owner or pod.ref, []).append(pod)
    return tuple(
        _stake(ref, theirs[ref], proposal, view, now).model_copy(update={"tenant": tenant(ref)})
        for ref in sorted(theirs, key=str)
    )


def _stopped(proposal: Proposal, view: ClusterView, now: datetime) -> list[Pod]:
    """Where fewer stop than are named (replicas, one pod of a workload), and nobody has chosen which, those that lose
    most."""
    if not proposal.destructive:
        return []
    reach = proposal.blast_radius
    gangs, named = set(reach.gangs), {*reach.gangs, *reach.workloads}
    told_to_leave = {step.target for step in proposal.steps if step.verb is Verb.EVICT}
    on_nodes = {pod.ref: pod for node in reach.nodes for pod in tenant_pods_on(view, node)}
    leaving = [view.pods.get((ref.namespace or "", ref.name)) for ref in told_to_leave]
    theirs = {pod.ref: pod for pod in (*leaving, *view.pods_named(named)) if pod is not None}
    candidates = active_pods(in_order({**on_nodes, **theirs}))
    if len(candidates) <= reach.pods:
        return list(candidates)
    chosen = [p for p in candidates if p.ref in told_to_leave or p.ref in on_nodes or str(p.gang) in gangs]
    if told_to_leave and len(chosen) >= reach.pods:
        return chosen
    return sorted(candidates, key=lambda pod: (-(_hours(pod, None, view, now) or 0.0), str(pod.ref)))[: reach.pods]


def _pushed_out(proposal: Proposal, view: ClusterView, besides: set[ObjectRef]) -> list[Pod]:
    """Gangs that lose their nodes to others because of it."""
    stops = set(proposal.prediction.stops) if proposal.prediction is not None else set()
    if not stops:
        return []
    pods = (pod for ref in sorted(view.gangs, key=str) if str(ref) in stops for pod in pods_of(view, ref))
    return [pod for pod in active_pods(pods) if pod.ref not in besides]


def _stake(ref: ObjectRef, pods: list[Pod], proposal: Proposal, view: ClusterView, now: datetime) -> Stake:
    kind = _kind(ref, proposal, view)
    told = {"whose": str(ref), "kind": kind, "pods": len(pods), "gpus": sum(pod.gpus for pod in pods)}
    if kind is not StakeKind.WORK:
        return Stake.model_validate(told)
    saved_at = _saved_at(ref, pods, view, now)
    hours = [_hours(pod, saved_at, view, now) for pod in pods]
    known = [each for each in hours if each is not None]
    begun = [moment for moment in (_begun(pod, view) for pod in pods) if moment is not None]
    since = max(saved_at, min(begun)) if saved_at and begun else saved_at or min(begun, default=None)
    return Stake.model_validate(
        {
            **told,
            "since": since,
            "saved": saved_at is not None and since == saved_at,
            "gpu_hours": round(sum(known), 1) if len(known) == len(hours) else None,
        }
    )


def _kind(ref: ObjectRef, proposal: Proposal, view: ClusterView) -> StakeKind:
    if proposal.action == "reclaim_idle_gpu":
        return StakeKind.IDLE
    gang = find_gang(view, ref)
    if gang is not None:
        return StakeKind.WORK if gang.state is GangState.RUNNING else StakeKind.STILL
    workload = find_workload(view, ref)
    serves = workload is not None and workload.workload_class is WorkloadClass.SERVING
    return StakeKind.SERVED if serves else StakeKind.WORK


def _hours(pod: Pod, saved_at: datetime | None, view: ClusterView, now: datetime) -> float | None:
    """GPU-hours of this pod since then; None where nobody says when it started."""
    if pod.gpus == 0:
        return 0.0
    begun = _begun(pod, view)
    since = max(begun, saved_at) if begun and saved_at else begun or saved_at
    return None if since is None else pod.gpus * max(0.0, (now - since).total_seconds()) / HOUR_S


def _begun(pod: Pod, view: ClusterView) -> datetime | None:
    """When its containers started; a restart has lost what was before it already."""
    status: Any = raw_object(view, pod.ref).get("status") or {}
    starts = [
        _moment(((container.get("state") or {}).get("running") or {}).get("startedAt"))
        for container in status.get("containerStatuses") or ()
        if isinstance(container, Mapping)
    ]
    running = [moment for moment in starts if moment is not None]
    return min(running, default=None) or _moment(status.get("startTime")) or pod.created_at


def _saved_at(ref: ObjectRef, pods: Iterable[Pod], view: ClusterView, now: datetime) -> datetime | None:
    """The newest word of a checkpoint; one that is no time, or has yet to come, is none."""
    gang = find_gang(view, ref)
    places = [ref, *([gang.job] if gang is not None and gang.job is not None else []), *(pod.ref for pod in pods)]
    told = (_annotation(raw_object(view, place)) for place in places)
    moments = [moment for moment in map(_moment, told) if moment is not None and moment <= now]
    return max(moments, default=None)


def _annotation(raw: Mapping[str, Any]) -> object:
    return ((raw.get("metadata") or {}).get("annotations") or {}).get(LAST_CHECKPOINT)


def _moment(text: object) -> datetime | None:
    try:
        return parse_rfc3339(text) if isinstance(text, str) else None
    except ValueError:
        return None
