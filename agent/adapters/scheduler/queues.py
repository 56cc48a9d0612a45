"""Kueue's quota objects and our own Queue, in the core's words.

A queue is named kind and name, since a ClusterQueue and a `watchkeeper.dev` Queue may share a name. Resources that no
quota covers are not counted: manifests often name GPUs alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.scheduler.amounts import amount
from agent.adapters.scheduler.shapes import taint, toleration
from agent.domain.cluster import ClusterView, Gang, ObjectRef
from scheduler_core.quota import Cohort, Flavor, Queue, Quota, StopPolicy, Strategy, Undeclared

WATCHKEEPER = "watchkeeper.dev"
Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Queues:
    flavors: tuple[Flavor, ...]
    cohorts: tuple[Cohort, ...]
    queues: tuple[Queue, ...]
    local: Mapping[tuple[str, str], str]  # (namespace, LocalQueue) -> queue
    held: frozenset[tuple[str, str]]  # LocalQueues that admit nobody

    def queue_of(self, gang: Gang) -> str | None:
        """None where no quota applies, because there is no such queue."""
        if gang.queue is None:
            return None
        if group_of(gang.ref.api_version) == WATCHKEEPER:
            name: str | None = f"Queue/{gang.queue}"
        else:
            name = self.local.get((gang.ref.namespace or "", gang.queue))
        return name if any(each.name == name for each in self.queues) else None

    def is_held(self, gang: Gang) -> bool:
        return (gang.ref.namespace or "", gang.queue or "") in self.held


def queues_of(view: ClusterView) -> Queues:
    kinds: dict[tuple[str, str], list[tuple[ObjectRef, Raw]]] = {}
    for ref, raw in view.objects.items():
        kinds.setdefault((group_of(ref.api_version), ref.kind), []).append((ref, raw))
    queues = [_cluster_queue(ref, _spec(raw)) for ref, raw in kinds.get((KUEUE, "ClusterQueue"), ())]
    queues += [_own_queue(ref, _spec(raw)) for ref, raw in kinds.get((WATCHKEEPER, "Queue"), ())]
    named = {
        ref.name: _cohort(ref.name, _spec(raw)) for ref, raw in kinds.get((KUEUE, "Cohort"), ())
    }  # a cohort need not exist to be joined
    for name in sorted(
        {each.cohort for each in queues if each.cohort} | {c.parent for c in named.values() if c.parent}
    ):
        named.setdefault(name, Cohort(name=name))
    locals_ = kinds.get((KUEUE, "LocalQueue"), ())
    return Queues(
        flavors=tuple(_flavor(ref.name, _spec(raw)) for ref, raw in kinds.get((KUEUE, "ResourceFlavor"), ())),
        cohorts=tuple(named.values()),
        queues=tuple(queues),
        local={
            (ref.namespace or "", ref.name): f"ClusterQueue/{_spec(raw).get('clusterQueue')}" for ref, raw in locals_
        },
        held=frozenset((ref.namespace or "", ref.name) for ref, raw in locals_ if _stop(_spec(raw)) != StopPolicy.NONE),
    )


def _spec(raw: Raw) -> Raw:
    spec = raw.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _stop(spec: Raw) -> StopPolicy:
    return StopPolicy(spec.get("stopPolicy") or "None")


def _flavor(name: str, spec: Raw) -> Flavor:
    return Flavor(
        name=name,
        node_labels=spec.get("nodeLabels") or {},
        node_taints=tuple(taint(each) for each in spec.get("nodeTaints") or ()),
        tolerations=tuple(toleration(each) for each in spec.get("tolerations") or ()),
    )


def _cluster_queue(ref: ObjectRef, spec: Raw) -> Queue:
    return Queue(
        name=f"ClusterQueue/{ref.name}",
        quotas=_grouped_quotas(spec),
        cohort=spec.get("cohortName") or spec.get("cohort") or None,  # v1beta2, v1beta1
        strategy=Strategy(spec.get("queueingStrategy") or Strategy.BEST_EFFORT_FIFO),
        stop_policy=_stop(spec),
        undeclared=Undeclared.IGNORE,
    )


def _cohort(name: str, spec: Raw) -> Cohort:
    return Cohort(name=name, parent=spec.get("parentName") or spec.get("parent") or None, quotas=_grouped_quotas(spec))


def _grouped_quotas(spec: Raw) -> tuple[Quota, ...]:
    return tuple(
        _quota(flavor.get("name") or "", resource.get("name") or "", resource, "nominalQuota")
        for group in spec.get("resourceGroups") or ()
        for flavor in group.get("flavors") or ()
        for resource in flavor.get("resources") or ()
    )


def _own_queue(ref: ObjectRef, spec: Raw) -> Queue:
    quotas = (
        _quota(each.get("flavor") or "default", each.get("resource") or "", each, "nominal")
        for each in spec.get("quotas") or ()
    )
    return Queue(
        name=f"Queue/{ref.name}",
        quotas=tuple(quotas),
        cohort=spec.get("cohort") or None,
        stop_policy=_stop(spec),
        undeclared=Undeclared.IGNORE,
    )


def _quota(flavor: str, resource: str, raw: Raw, nominal: str) -> Quota:
    limits = {name: raw.get(name) for name in ("borrowingLimit", "lendingLimit")}
    counted = {name: None if value is None else amount(resource, value, up=False) for name, value in limits.items()}
    return Quota(
        flavor=flavor,
        resource=resource,
        nominal=amount(resource, raw.get(nominal) or 0, up=False),
        borrowing_limit=counted["borrowingLimit"],
        lending_limit=counted["lendingLimit"],
    )
