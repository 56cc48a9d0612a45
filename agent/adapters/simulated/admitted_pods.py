"""What is done with a pod that somebody wants to make: its class's priority, Kueue's mark, and the quotas' word."""

from agent.adapters.simulated import quota
from agent.adapters.simulated.gangs import WORKLOAD, gangs_with, pod_group, tops_of
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.merge import merged
from agent.adapters.simulated.store import ObjectStore, Origin
from agent.ports import JsonObject

CLASS = ("scheduling.k8s.io", "PriorityClass")
QUOTA = ("", "ResourceQuota")
WORKLOAD_ANNOTATION = "kueue.x-k8s.io/workload"
BUILT_IN = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def with_priority(store: ObjectStore, pod: JsonObject) -> JsonObject:
    """A pod that names no class has that of the cluster's default, if there is one."""
    spec = pod.get("spec") or {}
    if spec.get("priority") is not None:
        return pod
    chosen = priority_class(store, spec)
    if chosen is None:
        name = spec.get("priorityClassName")
        return merged(pod, {"spec": {"priority": BUILT_IN[name]}}) if name in BUILT_IN else pod
    said = {"priority": int(chosen.get("value") or 0), "priorityClassName": chosen["metadata"]["name"]}
    policy = {"preemptionPolicy": chosen["preemptionPolicy"]} if chosen.get("preemptionPolicy") else {}
    return merged(pod, {"spec": {**said, **policy}})


def with_workload(store: ObjectStore, pod: JsonObject) -> JsonObject:
    """Of a job that Kueue let in: the template says by then which Workload stands for it, and so does each pod. Pods
    of a group were made before they were let in."""
    for top in tops_of(store, pod):
        for key in gangs_with(store, top) if not pod_group(pod) else ():
            if (key.group, key.kind) == WORKLOAD:
                return merged(pod, {"metadata": {"annotations": {WORKLOAD_ANNOTATION: key.name}}})
    return pod


def priority_class(store: ObjectStore, spec: JsonObject) -> JsonObject | None:
    """The one that a pod's spec names, else the cluster's default."""
    named = spec.get("priorityClassName")
    for each in store.of_kind(*CLASS):
        if each["metadata"]["name"] == named if named else each.get("globalDefault"):
            return each
    return None


def refused(store: ObjectStore, pod: JsonObject) -> str:
    """By the first quota that has no room for it; empty when all have."""
    limits = _quotas(store, pod)
    everything = store.of_kind("", "Pod") if limits else []
    said = (quota.refusal(each, quota.used_of(each, everything), pod) for each in limits)
    return next((why for why in said if why), "")


def charge(store: ObjectStore, pod: JsonObject) -> None:
    """A pod that was made is counted at once, so that the next one finds what is left."""
    for each in _quotas(store, pod):
        others = [other for other in store.of_kind("", "Pod") if key_of(other) != key_of(pod)]
        used = quota.shown(quota.added(quota.used_of(each, others), pod))
        store.merge(key_of(each), {"status": {"hard": quota.shown(quota.hard_of(each)), "used": used}}, Origin.WORLD)


def _quotas(store: ObjectStore, pod: JsonObject) -> list[JsonObject]:
    return [each for each in store.of_kind(*QUOTA) if quota.counts(each, pod)]
