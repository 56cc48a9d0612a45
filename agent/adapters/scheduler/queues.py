"""Kueue's quota objects and our own Queue, in the core's words.

A queue is named kind and name, since a ClusterQueue and a `watchkeeper.dev` Queue may share a name. Resources that no
quota covers are not counted: manifests often name GPUs alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kubernetes.quantities import parse_quantity
from agent.adapters.scheduler.amounts import amount
from agent.adapters.scheduler.shapes import priority, taint, tolerations
from agent.domain.cluster import ClusterView, Gang, ObjectRef
from scheduler_core.quota import (
    Cohort,
    Flavor,
    Fungibility,
    Policy,
    PreemptionRules,
    Preference,
    Queue,
    Quota,
    StopPolicy,
    Strategy,
    Undeclared,
    WhenCan,
)

WATCHKEEPER = "watchkeeper.dev"
OWN_QUEUE = "Queue/"  # what the core's names of our own queues begin with
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
            name: str | None = f"{OWN_QUEUE}{gang.queue}"
        else:
            name = self.local.get((gang.ref.namespace or "", gang.queue))
        return name if any(each.name == name for each in self.queues) else None

    def is_held(self, gang: Gang) -> bool:
        """By its LocalQueue; our own gangs go through none, whatever their queue is called."""
        if group_of(gang.ref.api_version) == WATCHKEEPER:
            return False
        return (gang.ref.namespace or "", gang.queue or "") in self.held


def queues_of(view: ClusterView) -> Queues:
    found: dict[type, list[Any]] = {Flavor: [], Cohort: [], Queue: []}
    local: dict[tuple[str, str], str] = {}
    held: set[tuple[str, str]] = set()
    for ref, raw in view.objects.items():
        reader = _READERS.get((group_of(ref.api_version), ref.kind))
        if reader is not None:
            made = reader(ref, _spec(raw))
            found[type(made)].append(made)
        elif (group_of(ref.api_version), ref.kind) == (KUEUE, "LocalQueue"):
            local[ref.namespace or "", ref.name] = f"ClusterQueue/{_spec(raw).get('clusterQueue')}"
            if _stop(_spec(raw)) is not StopPolicy.NONE:
                held.add((ref.namespace or "", ref.name))
    cohorts = {each.name: each for each in found[Cohort]}
    joined = {each.cohort for each in found[Queue]} | {each.parent for each in found[Cohort]}
    for name in sorted(each for each in joined if each):
        cohorts.setdefault(name, Cohort(name=name))  # a cohort need not exist to be joined
    flavors = {each.name: each for each in found[Flavor]}
    for quota in (quota for each in (*found[Queue], *found[Cohort]) for quota in each.quotas):
        flavors.setdefault(quota.flavor, Flavor(quota.flavor))  # one that nobody wrote down is any node
    for name in _admitted_with(view):
        flavors.setdefault(name, Flavor(name))  # its queue may have lost it since
    return Queues(tuple(flavors.values()), tuple(cohorts.values()), tuple(found[Queue]), local, frozenset(held))


def _admitted_with(view: ClusterView) -> list[str]:
    """The flavors that workloads hold quota of."""
    held: set[str] = set()
    for ref, raw in view.objects.items():
        if (group_of(ref.api_version), ref.kind) == (KUEUE, "Workload"):
            status = _part(raw, "status")
            for each in (status.get("admission") or {}).get("podSetAssignments") or ():
                held.update((each.get("flavors") or {}).values())
    return sorted(held)


def check_queue(ref: ObjectRef, raw: Raw) -> None:
    """Reads one object of this file's kinds for its errors. Raises ValueError."""
    reader = _READERS.get((group_of(ref.api_version), ref.kind))
    if reader is not None:
        reader(ref, _spec(raw))


def _spec(raw: Raw) -> Raw:
    return _part(raw, "spec")


def _part(raw: Raw, name: str) -> Raw:
    part = raw.get(name)
    return part if isinstance(part, Mapping) else {}


def _stop(spec: Raw) -> StopPolicy:
    return StopPolicy(spec.get("stopPolicy") or "None")


def _flavor(ref: ObjectRef, spec: Raw) -> Flavor:
    return Flavor(
        name=ref.name,
        node_labels=spec.get("nodeLabels") or {},
        node_taints=tuple(taint(each) for each in spec.get("nodeTaints") or ()),
        tolerations=tolerations(spec.get("tolerations")),
    )


def _cluster_queue(ref: ObjectRef, spec: Raw) -> Queue:
    return Queue(
        name=f"ClusterQueue/{ref.name}",
        quotas=_grouped_quotas(spec),
        cohort=spec.get("cohortName") or spec.get("cohort") or None,  # v1beta2, v1beta1
        strategy=Strategy(spec.get("queueingStrategy") or Strategy.BEST_EFFORT_FIFO),
        stop_policy=_stop(spec),
        undeclared=Undeclared.IGNORE,
        preemption=_preemption(spec.get("preemption") or {}),
        fungibility=_fungibility(spec.get("flavorFungibility") or {}),
        weight=_weight(spec),
    )


def _fungibility(spec: Raw) -> Fungibility:
    """Borrow and Preempt are the old names for stopping where the one or the other is possible."""
    old = {"Borrow": WhenCan.MAY_STOP, "Preempt": WhenCan.MAY_STOP}
    borrow, preempt = str(spec.get("whenCanBorrow") or ""), str(spec.get("whenCanPreempt") or "")
    return Fungibility(
        when_can_borrow=old.get(borrow) or WhenCan(borrow or WhenCan.MAY_STOP),
        when_can_preempt=old.get(preempt) or WhenCan(preempt or WhenCan.TRY_NEXT),
        preference=Preference(spec.get("preference") or Preference.BORROWING_OVER_PREEMPTION),
    )


def _preemption(spec: Raw) -> PreemptionRules:
    borrow = spec.get("borrowWithinCohort") or {}
    threshold = borrow.get("maxPriorityThreshold")
    return PreemptionRules(
        within_queue=Policy(spec.get("withinClusterQueue") or Policy.NEVER),
        reclaim=Policy(spec.get("reclaimWithinCohort") or Policy.NEVER),
        borrow=borrow.get("policy") == Policy.LOWER_PRIORITY,
        borrow_threshold=None if threshold is None else priority(threshold),
    )


def _cohort(ref: ObjectRef, spec: Raw) -> Cohort:
    return Cohort(
        name=ref.name,
        parent=spec.get("parentName") or spec.get("parent") or None,
        quotas=_grouped_quotas(spec),
        weight=_weight(spec),
    )


def _weight(spec: Raw) -> Fraction:
    told = (spec.get("fairSharing") or {}).get("weight")
    return Fraction(1 if told is None else parse_quantity(str(told)))


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
        name=f"{OWN_QUEUE}{ref.name}",
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


_READERS: Mapping[tuple[str, str], Callable[[ObjectRef, Raw], Flavor | Cohort | Queue]] = {
    (KUEUE, "ResourceFlavor"): _flavor,
    (KUEUE, "ClusterQueue"): _cluster_queue,
    (KUEUE, "Cohort"): _cohort,
    (WATCHKEEPER, "Queue"): _own_queue,
}
