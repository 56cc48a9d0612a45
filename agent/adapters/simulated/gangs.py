"""Kueue's Workloads and our own Gangs as queued things: switched on or off, with or without quota, with their pods.

Pure readings of objects. The domain's noun Gang is made elsewhere (adapters/kubernetes); this is the control plane's
side of it.
"""

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.owners import Key, group_of
from agent.adapters.kubernetes.pod_sets import pod_sets_of
from agent.adapters.simulated import pods
from agent.adapters.simulated.keys import controller_key, key_of, owner_keys
from agent.adapters.simulated.queued import INDEX_ANNOTATION, UID_LABEL, names_job, queued_kinds
from agent.adapters.simulated.store import ObjectStore
from agent.adapters.simulated.train_runtime import runtime_of
from agent.ports import JsonObject

KUEUE_GROUP = "kueue.x-k8s.io"
WORKLOAD = (KUEUE_GROUP, "Workload")
GANG = ("watchkeeper.dev", "Gang")
GANG_KINDS = (WORKLOAD, GANG)
POD_GROUP_LABEL = "kueue.x-k8s.io/pod-group-name"
POD_SET_LABEL = "watchkeeper.dev/pod-set"
OWNERS_LIMIT = 8  # how far up a chain of owners is followed


def is_gang(key: Key) -> bool:
    return (key.group, key.kind) in GANG_KINDS


def is_workload(gang: JsonObject) -> bool:
    return (group_of(gang["apiVersion"]), gang["kind"]) == WORKLOAD


def is_of_a_group(workload: JsonObject) -> bool:
    return INDEX_ANNOTATION in (workload["metadata"].get("annotations") or {})


def is_active(gang: JsonObject) -> bool:
    return (gang.get("spec") or {}).get("active", True) is not False


def holds_quota(gang: JsonObject) -> bool:
    return pods.holds(gang, "QuotaReserved") or pods.holds(gang, "Admitted")


def is_admitted(gang: JsonObject) -> bool:
    return pods.holds(gang, "Admitted")


def wanted_pods(gang: JsonObject) -> int:
    return sum(int(each.get("count", 1)) for each in (gang.get("spec") or {}).get("podSets") or ())


def jobs_of(store: ObjectStore, gang: JsonObject) -> list[Key]:
    """What the Workload admits: its owners, else the job that its label or its name tells of. Pod groups have none."""
    owners = owner_keys(gang)
    if owners or not is_workload(gang):
        return [key for key in owners if key.kind != "Pod"]
    uid = (gang["metadata"].get("labels") or {}).get(UID_LABEL)
    namespace = gang["metadata"].get("namespace")
    jobs = [
        job for kind in queued_kinds() for job in store.of_kind(*kind) if job["metadata"].get("namespace") == namespace
    ]
    found = [job for job in jobs if job["metadata"]["uid"] == uid] or [job for job in jobs if names_job(gang, job)]
    return [key_of(job) for job in found]


def describes_pods(store: ObjectStore, job: JsonObject) -> bool:
    """Does the job say enough for its own controller to make its pods? A scenario may leave that to the Workload."""
    if job["kind"] == "TrainJob":
        own = (job.get("spec") or {}).get("trainer") or runtime_of(store, job)
        return bool(own or store.owned_by(key_of(job), "JobSet"))
    return (group_of(job["apiVersion"]), job["kind"]) in queued_kinds() and bool(pod_sets_of(Fields.of(job)))


def gangs_with(store: ObjectStore, job: Key) -> list[Key]:
    """The gangs that stand for this job, itself among them where it is one."""
    found = [key_of(each) for each in store.owned_by(job) if is_gang(key_of(each))]
    unowned = (each for each in store.of_kind(*WORKLOAD) if not each["metadata"].get("ownerReferences"))
    found += [key_of(each) for each in unowned if job in jobs_of(store, each)]
    return [job, *found] if is_gang(job) else found


def pods_of(store: ObjectStore, gang: JsonObject) -> list[JsonObject]:
    """Pods under the gang, under what it admits, or that name it as their pod group. One of several groups of a job
    has those alone that name it."""
    found: dict[Key, JsonObject] = {}
    for top in (key_of(gang), *(() if is_of_a_group(gang) else jobs_of(store, gang))):
        _collect(store, top, found, OWNERS_LIMIT)
    name, namespace = gang["metadata"]["name"], gang["metadata"].get("namespace")
    found = {key: pod for key, pod in found.items() if pod_group(pod) in (None, name)}
    if is_workload(gang):
        for pod in store.of_kind("", "Pod"):
            if pod_group(pod) == name and pod["metadata"].get("namespace") == namespace:
                found[key_of(pod)] = pod
    return [found[key] for key in sorted(found)]


def pods_under(store: ObjectStore, top: Key) -> list[JsonObject]:
    found: dict[Key, JsonObject] = {}
    _collect(store, top, found, OWNERS_LIMIT)
    return [found[key] for key in sorted(found)]


def pod_group(pod: JsonObject) -> str | None:
    """The Workload that a pod of a group names."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get(POD_GROUP_LABEL) or None


def _collect(store: ObjectStore, top: Key, found: dict[Key, JsonObject], depth: int) -> None:
    """A pod may own more: a LeaderWorkerSet's leader owns the set of its workers."""
    for each in store.owned_by(top) if depth else ():
        if each["kind"] == "Pod":
            found[key_of(each)] = each
        _collect(store, key_of(each), found, depth - 1)


def tops_of(store: ObjectStore, manifest: JsonObject) -> list[Key]:
    """The object's owners, nearest first."""
    chain: list[Key] = []
    owner = controller_key(manifest)
    while owner is not None and len(chain) < OWNERS_LIMIT:
        chain.append(owner)
        above = store.get(owner)
        owner = controller_key(above) if above else None
    return chain
