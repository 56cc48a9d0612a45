"""The Workload that Kueue makes of a job: its pod sets, its queue, its priority and its name. Pure readings."""

from dataclasses import replace

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.owners import Key
from agent.adapters.kubernetes.pod_sets import PodSet, pod_sets_of
from agent.adapters.simulated import pods
from agent.adapters.simulated.admitted_pods import priority_class
from agent.adapters.simulated.gangs import KUEUE_GROUP
from agent.adapters.simulated.queued import (
    INDEX_ANNOTATION,
    LEADER_WORKER_SET,
    UID_LABEL,
    kind_of,
    queue_of,
    workload_name,
)
from agent.adapters.simulated.store import ObjectStore
from agent.adapters.simulated.train_runtime import jobset_of, runtime_of
from agent.ports import JsonObject

PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
LEAST_ANNOTATION = "kueue.x-k8s.io/job-min-parallelism"
API_VERSION = "kueue.x-k8s.io/v1beta2"


def workload_for(store: ObjectStore, job: JsonObject, group: int | None = None) -> JsonObject:
    """`group` is the number of the replica for a LeaderWorkerSet, which has a Workload for each."""
    metadata = job["metadata"]
    pod_sets = _pod_sets(store, job)
    owner = pods.owner_reference(job)
    annotations = {}
    if group is not None:
        owner |= {"controller": False, "blockOwnerDeletion": False}
        annotations[INDEX_ANNOTATION] = str(group)
    return {
        "apiVersion": _served_version(store, job),
        "kind": "Workload",
        "metadata": {
            "name": workload_name(job, group),
            "namespace": metadata.get("namespace"),
            "labels": {UID_LABEL: str(metadata["uid"])},
            "annotations": annotations,
            "ownerReferences": [owner],
        },
        "spec": {
            "active": True,
            "queueName": queue_of(job),
            **_priority(store, job, pod_sets),
            "podSets": [_as_listed(each) for each in pod_sets if each.count > 0],
        },
    }


def _pod_sets(store: ObjectStore, job: JsonObject) -> list[PodSet]:
    if job["kind"] == "TrainJob":
        return pod_sets_of(Fields.of(jobset_of(job, runtime_of(store, job))))
    found = pod_sets_of(Fields.of(job))
    if kind_of(job) == LEADER_WORKER_SET:
        groups = max(1, int(job["spec"].get("replicas", 1)))
        return [replace(each, count=each.count // groups) for each in found]
    least = str((job["metadata"].get("annotations") or {}).get(LEAST_ANNOTATION, ""))
    return [replace(each, least=int(least)) for each in found] if least.isdecimal() else found


def _as_listed(pod_set: PodSet) -> JsonObject:
    least = {} if pod_set.least is None else {"minCount": pod_set.least}
    return {"name": pod_set.name, "count": pod_set.count, **least, "template": dict(pod_set.template.values)}


def _served_version(store: ObjectStore, job: JsonObject) -> str:
    """The version that the scenario writes Kueue's objects in."""
    namespace = job["metadata"].get("namespace") or ""
    queue = store.get(Key(KUEUE_GROUP, "LocalQueue", namespace, queue_of(job) or ""))
    return str(queue["apiVersion"]) if queue is not None else API_VERSION


def _priority(store: ObjectStore, job: JsonObject, pod_sets: list[PodSet]) -> JsonObject:
    """Kueue's own class first, then the pods' class, then the cluster's default."""
    own = (job["metadata"].get("labels") or {}).get(PRIORITY_LABEL)
    found = store.get(Key(KUEUE_GROUP, "WorkloadPriorityClass", "", own)) if own else None
    if found is not None:
        told = {"group": KUEUE_GROUP, "kind": "WorkloadPriorityClass", "name": own}
        return {"priority": int(found.get("value") or 0), "priorityClassRef": told}
    values = [pod_priority(store, dict(each.template.within("spec").values)) for each in pod_sets]
    return {"priority": max(values, default=0)}


def pod_priority(store: ObjectStore, spec: JsonObject) -> int:
    """As the API server's priority admission fills it in."""
    if isinstance(spec.get("priority"), int):
        return int(spec["priority"])
    chosen = priority_class(store, spec)
    return int(chosen.get("value") or 0) if chosen is not None else 0
