"""A gang in the core's words: its pod sets, which pod is in which, and the quota it holds.

A gang is named as its reference reads; a pod by namespace and name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.pod_sets import pod_sets_of
from agent.adapters.scheduler.queues import Queues
from agent.adapters.scheduler.run_times import walltime_of
from agent.adapters.scheduler.shapes import priority, shape_of
from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, Gang as DomainGang, GangState as DomainState, ObjectRef, Pod
from scheduler_core.model import Gang, PodSet
from scheduler_core.state import Admission, Eviction, GangState

POD_SET_LABELS = ("kueue.x-k8s.io/podset", "watchkeeper.dev/pod-set", "jobset.sigs.k8s.io/replicatedjob-name")
LOSES_ITS_PLACE = "PodsReadyTimeout"  # Kueue orders a gang sent back for this by when it was, others by their age
Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One pod set as the object writes it."""

    name: str
    count: int
    min_count: int | None
    spec: Raw  # of its pods


def pod_name(pod: Pod) -> str:
    return f"{pod.ref.namespace or ''}/{pod.ref.name}"


def seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def gang_of(view: ClusterView, gang: DomainGang, queues: Queues) -> Gang:
    parts = parts_of(view, gang)
    return Gang(
        name=str(gang.ref),
        pod_sets=tuple(_pod_set(each, flavor_labels(view, gang, queues, each.name)) for each in parts),
        queue=queues.queue_of(gang),
        priority=priority(gang.priority),
        created_s=seconds(gang.created_at),
        active=gang.state is not DomainState.SUSPENDED,
        held=queues.is_held(gang),
        walltime_s=walltime_of(view, gang),
    )


def _pod_set(part: Part, flavor_selector: Mapping[str, str]) -> PodSet:
    shape = shape_of(part.spec, flavor_selector)
    return PodSet(
        name=part.name,
        count=part.count,
        min_count=part.min_count,
        requests=shape.requests,
        node_selector=shape.node_selector,
        tolerations=shape.tolerations,
        required_node_affinity=shape.required_node_affinity,
    )


def parts_of(view: ClusterView, gang: DomainGang) -> tuple[Part, ...]:
    """From the gang's templates, and its job's where that has the same sets, since exclusions are written there."""
    parts = _parts(view, gang.ref)
    templates = {each.name: each.spec for each in _parts(view, gang.job)} if gang.job else {}
    if len(parts) == len(templates) == 1:
        templates = {parts[0].name: next(iter(templates.values()))}
    if parts:
        return tuple(replace(each, spec=templates.get(each.name) or each.spec) for each in parts)
    spec = next(iter(templates.values())) if len(templates) == 1 else _spec_of_a_pod(view, gang)
    return (Part("main", max(1, gang.minimum), None, spec),)


def _parts(view: ClusterView, ref: ObjectRef) -> tuple[Part, ...]:
    raw = view.objects.get(ref)
    sets = pod_sets_of(Fields.of(raw)) if raw is not None else []
    return tuple(Part(each.name, each.count, each.least, each.template.within("spec").values) for each in sets)


def _spec_of_a_pod(view: ClusterView, gang: DomainGang) -> Raw:
    for ref in (*gang.running, *gang.pending):
        return _spec(view, ref)
    return {}


def _spec(view: ClusterView, ref: ObjectRef) -> Raw:
    spec = view.objects.get(ref, {}).get("spec")
    return spec if isinstance(spec, Mapping) else {}


def pod_set_of(pod: Pod, gang: Gang, taken: Mapping[str, int]) -> str:
    """By its label; else the first set with room whose pods ask for as many GPUs; else the first."""
    names = [each.name for each in gang.pod_sets]
    labelled = next((pod.labels[label] for label in POD_SET_LABELS if pod.labels.get(label) in names), None)
    if labelled is not None:
        return labelled
    alike = [each for each in gang.pod_sets if each.requests.get("nvidia.com/gpu", 0) == pod.gpus] or gang.pod_sets
    roomy = [each for each in alike if taken.get(each.name, 0) < each.count]
    return (roomy or list(alike))[0].name


def state_of(view: ClusterView, gang: DomainGang, core: Gang) -> GangState | None:
    """What its status says: the quota it holds, or since when it waits anew and until when it backs off."""
    status = _status(view, gang.ref)
    told = {each.get("type"): each for each in status.get("conditions") or ()}
    held = [each for kind in ("QuotaReserved", "Admitted") if _is_true(each := told.get(kind) or {})]
    back, evicted = status.get("requeueState") or {}, told.get("Evicted") or {}
    requeue_at = _moment(back.get("requeueAt"))
    if held:
        since = _moment(held[0].get("lastTransitionTime")) or gang.created_at
        admission = _admission(status, core, seconds(since))
        if not _is_true(evicted):
            return GangState(admission=admission)
        leaving = Eviction(str(evicted.get("reason") or ""), seconds(_moment(evicted.get("lastTransitionTime"))))
        return GangState(admission, evicted=leaving, requeue_at_s=seconds(requeue_at) if requeue_at else None)
    if not back and not _is_true(evicted):
        return None
    late = _is_true(evicted) and evicted.get("reason") == LOSES_ITS_PLACE
    return GangState(
        returns=int(back.get("count") or 0),
        requeue_at_s=seconds(requeue_at) if requeue_at else None,
        queued_s=seconds(_moment(evicted.get("lastTransitionTime")) or gang.created_at) if late else None,
    )


def _admission(status: Raw, core: Gang, at_s: float) -> Admission:
    written = {each.get("name"): each for each in assignments(status)}
    told = {each.name: int(written.get(each.name, {}).get("count", each.count)) for each in core.pod_sets}
    counts = {
        each.name: min(told[each.name], each.count) for each in core.pod_sets
    }  # one made smaller gives up the rest
    flavors = {each.name: dict(written.get(each.name, {}).get("flavors") or {}) for each in core.pod_sets}
    return Admission(at_s, counts, flavors)


def _is_true(condition: Raw) -> bool:
    return condition.get("status") == "True"


def _moment(text: Any) -> datetime | None:
    """None for what is no time: the scenario's condition counts all the same."""
    try:
        return parse_rfc3339(str(text)) if text else None
    except ValueError:
        return None


def _status(view: ClusterView, ref: ObjectRef) -> Raw:
    status = view.objects.get(ref, {}).get("status")
    return status if isinstance(status, Mapping) else {}


def assignments(status: Raw) -> Sequence[Raw]:
    return (status.get("admission") or {}).get("podSetAssignments") or ()


def flavor_labels(view: ClusterView, gang: DomainGang, queues: Queues, pod_set: str) -> dict[str, str]:
    """The node labels of the flavors that a pod set was admitted with."""
    status = _status(view, gang.ref)
    chosen = {
        flavor
        for each in assignments(status)
        if each.get("name") == pod_set
        for flavor in (each.get("flavors") or {}).values()
    }
    labels: dict[str, str] = {}
    for flavor in queues.flavors:
        if flavor.name in chosen:
            labels.update(flavor.node_labels)
    return labels
