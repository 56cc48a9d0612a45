"""A gang in the core's words: its pod sets, and which pod is in which. The quota that it holds is states.py's.

A gang is named as its reference reads; a pod by namespace and name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kubernetes.pod_sets import pod_sets_of
from agent.adapters.kueue.versions import in_v1beta2
from agent.adapters.kueue.workloads import gates, is_on_hold, preemption_gates, reclaimable, topology_requests
from agent.adapters.scheduler.queues import Queues
from agent.adapters.scheduler.run_times import walltime_of
from agent.adapters.scheduler.shapes import priority, shape_of
from agent.domain.cluster import ClusterView, Gang as DomainGang, GangState as DomainState, ObjectRef, Pod
from scheduler_core.model import Gang, PodSet
from scheduler_core.topologies import TopologyRequest

POD_SET_LABELS = ("kueue.x-k8s.io/podset", "watchkeeper.dev/pod-set", "jobset.sigs.k8s.io/replicatedjob-name")
PODS_AT_MOST = 150_000  # of one set: all that Kubernetes is tested with in one cluster; who asks for more gets no more
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
    """As its objects say. Raises ValueError, TypeError or AttributeError for what a webhook would have refused."""
    root = workload_of(view, gang)
    status = root.within("status") if root else None
    asked = topology_requests(root) if root else {}
    done = reclaimable(status) if status else {}
    pod_sets = []
    for each in parts_of(view, gang):
        part = replace(each, count=max(0, each.count - done.get(each.name, 0)))
        pod_set = _pod_set(part, asked.get(each.name))
        pod_sets.append(replace(pod_set, requests=queues.rules.charged(pod_set.requests)) if root else pod_set)
    return replace(
        plain_gang_of(view, gang, queues),
        pod_sets=tuple(pod_sets),
        priority=_priority(gang, root, queues),
        held=queues.is_held(gang) or (status is not None and is_on_hold(status)),
        gates=gates(root) if root else frozenset(),
        preemption_gates=preemption_gates(root) if root else frozenset(),
    )


def plain_gang_of(view: ClusterView, gang: DomainGang, queues: Queues) -> Gang:
    """Without what only Kueue would say of it."""
    return Gang(
        name=str(gang.ref),
        pod_sets=tuple(_pod_set(each, None) for each in parts_of(view, gang)),
        queue=queues.queue_of(gang),
        priority=priority(gang.priority),
        created_s=seconds(gang.created_at),
        active=gang.state is not DomainState.SUSPENDED,
        held=queues.is_held(gang),
        uid=gang.uid if queues.rules.literal else "",
        walltime_s=walltime_of(view, gang),
    )


def workload_of(view: ClusterView, gang: DomainGang) -> Fields | None:
    """Its Workload in v1beta2's words, where Kueue has one for it."""
    raw = view.objects.get(gang.ref)
    if raw is None or (group_of(gang.ref.api_version), gang.ref.kind) != (KUEUE, "Workload"):
        return None
    return Fields.of(in_v1beta2(raw))


def _priority(gang: DomainGang, root: Fields | None, queues: Queues) -> int:
    """Kueue writes the number of its class into the Workload; one written by hand may name the class alone."""
    spec = root.within("spec") if root else None
    if spec is None or spec.has("priority"):
        return priority(gang.priority)
    named = spec.within("priorityClassRef")
    if named.text("kind") != "WorkloadPriorityClass":
        return priority(gang.priority)
    return queues.classes.get(named.text("name"), priority(gang.priority))


def _pod_set(part: Part, topology: TopologyRequest | None) -> PodSet:
    """As it is written: the flavors that it has now are its admission's, and are gone when it is sent back."""
    shape = shape_of(part.spec)
    return PodSet(
        name=part.name,
        count=part.count,
        min_count=None if part.min_count is None else min(part.min_count, part.count) or None,
        topology=topology,
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
    return tuple(
        Part(each.name, min(each.count, PODS_AT_MOST), each.least, each.template.within("spec").values) for each in sets
    )


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
        if isinstance(each, Mapping) and each.get("name") == pod_set
        for flavor in (each.get("flavors") or {}).values()
    }
    labels: dict[str, str] = {}
    for flavor in queues.flavors:
        if flavor.name in chosen:
            labels.update(flavor.node_labels)
    return labels
