"""Workloads that hold quota and wait for a check of ours, read from a view; and the checks that are ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.adapters.kubernetes.conditions import conditions_of, find
from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kubernetes.pod_sets import pod_sets_of
from agent.adapters.kueue.versions import in_v1beta2
from agent.adapters.kueue.workloads import domains
from agent.domain.cluster import ClusterView, ObjectRef

CONTROLLER = "watchkeeper.dev/gpu-slo"
HOST_LEVEL = "kubernetes.io/hostname"
_OVER = ("Finished", "Evicted", "Admitted")  # then it is not ours to say any more


@dataclass(frozen=True, slots=True)
class Part:
    """One pod set as it was let in."""

    name: str
    count: int
    flavors: frozenset[str]
    hosts: tuple[tuple[str, int], ...]  # where a topology has seats for it
    spec: Mapping[str, Any]  # of its pods


@dataclass(frozen=True, slots=True)
class Reserved:
    """A workload that holds quota in a ClusterQueue with checks of ours."""

    ref: ObjectRef
    uid: str
    version: str  # resourceVersion that it was read at
    queue: str
    cluster_queue: str
    priority: int
    since: datetime
    parts: tuple[Part, ...]
    told: Mapping[str, Mapping[str, Any]]  # what its status says of each check of ours

    @property
    def flavors(self) -> frozenset[str]:
        return frozenset(name for each in self.parts for name in each.flavors)


def our_checks(view: ClusterView) -> dict[str, tuple[ObjectRef, Fields]]:
    """By name; those of other controllers, and those that do not say whose they are, are left alone."""
    found = {}
    for ref, raw in view.objects.items():
        spec = raw.get("spec") if (group_of(ref.api_version), ref.kind) == (KUEUE, "AdmissionCheck") else None
        if isinstance(spec, Mapping) and spec.get("controllerName") == CONTROLLER:
            found[ref.name] = (ref, Fields.of(raw))
    return dict(sorted(found.items()))


def workloads_with(view: ClusterView, checks: Mapping[str, object]) -> list[tuple[ObjectRef, Mapping[str, Any]]]:
    """Whose status names one of these checks, in a fixed order."""
    found = []
    for ref, raw in view.objects.items():
        if (group_of(ref.api_version), ref.kind) == (KUEUE, "Workload"):
            status = raw.get("status")
            listed = status.get("admissionChecks") if isinstance(status, Mapping) else None
            if isinstance(listed, list) and any(_names_one_of(checks, each) for each in listed):
                found.append((ref, raw))
    return sorted(found, key=lambda pair: str(pair[0]))


def _names_one_of(checks: Mapping[str, object], entry: object) -> bool:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return isinstance(name, str) and name in checks


def reserved_of(ref: ObjectRef, raw: Mapping[str, Any], checks: Mapping[str, object]) -> Reserved | None:
    """None for one that holds no quota, is let in already, or leaves. Raises ValueError for one that cannot be read."""
    root = Fields.of(in_v1beta2(raw))
    metadata, spec, status = root.within("metadata"), root.within("spec"), root.within("status")
    conditions = conditions_of(status)
    held = find(conditions, "QuotaReserved", "True")
    over = any(find(conditions, kind, "True") for kind in _OVER) or metadata.has("deletionTimestamp")
    if held is None or over or not spec.boolean("active", True):
        return None
    admission = status.within("admission")
    since = held.since or metadata.moment("creationTimestamp")
    if since is None:
        raise root.wrong("status.conditions", "QuotaReserved says no time")
    return Reserved(
        ref=ref,
        uid=metadata.required_text("uid"),
        version=metadata.text("resourceVersion"),
        queue=spec.text("queueName"),
        cluster_queue=admission.required_text("clusterQueue"),
        priority=spec.integer("priority", 0),
        since=since,
        parts=_parts(root, admission),
        told={
            name: each.values
            for each in status.objects("admissionChecks")
            if (name := each.required_text("name")) in checks
        },
    )


def _parts(root: Fields, admission: Fields) -> tuple[Part, ...]:
    written = {each.required_text("name"): each for each in admission.objects("podSetAssignments")}
    found = []
    for each in pod_sets_of(root):
        let_in = written.get(each.name)
        if let_in is None:
            raise root.wrong("status.admission.podSetAssignments", f"says nothing of pod set {each.name}")
        topology, places = let_in.within("topologyAssignment"), domains(let_in)
        by_host = (topology.values.get("levels") or [None])[-1] == HOST_LEVEL
        found.append(
            Part(
                name=each.name,
                count=let_in.integer("count", each.count),
                flavors=frozenset(let_in.strings("flavors").values()),
                hosts=tuple((place.values[-1], place.count) for place in places) if by_host else (),
                spec=each.template.within("spec").values,
            )
        )
    return tuple(found)
